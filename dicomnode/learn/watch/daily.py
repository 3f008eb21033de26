"""The chore of the engine: look at every model once a day, write what was seen, alarm a person."""

import time
from datetime import datetime
from pathlib import Path

import structlog
from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from dicomnode.bundles.dicom_toml import load_dicom_toml
from dicomnode.config.learning import Watch
from dicomnode.config.tables import Config
from dicomnode.encode.tracking import finding_name
from dicomnode.errors import NodeError
from dicomnode.index.database import Index
from dicomnode.index.learning import DriftRow
from dicomnode.index.schema import RunRow
from dicomnode.learn.watch.alarms import raise_alarm, tell
from dicomnode.learn.watch.figures import Figure, alarms
from dicomnode.learn.watch.look import judged
from dicomnode.learn.watch.windows import windows

log = structlog.get_logger()


def watch_drift(index: Index, config: Config, now_s: float | None = None) -> int:
    """Look at every model that answered; how many alarms were raised. Safe to repeat: a day has one row a figure."""
    moment_s = time.time() if now_s is None else now_s
    with index.snapshot() as session:
        models = session.scalars(select(RunRow.model).where(RunRow.shadow.is_(False)).distinct()).all()
    raised = sum(_look(index, config, model, moment_s) for model in sorted(models))
    tell(index, config.learn.watch.webhook, moment_s)
    return raised


def _look(index: Index, config: Config, model: str, now_s: float) -> int:
    watch = config.learn.watch
    with index.snapshot() as session:
        found = windows(session, model, watch, _findings(config.infer.folder / model), now_s)
    if found is None:
        return 0
    figures = judged(found, watch)
    with index.transaction() as session:
        raised = _keep(session, model, figures, watch, now_s)
    log.info("drift.looked", model=model, figures=len(figures), studies=len(found.now), alarms=raised)
    return raised


def _keep(session: Session, model: str, figures: tuple[Figure, ...], watch: Watch, now_s: float) -> int:
    day = datetime.fromtimestamp(now_s).strftime("%Y%m%d")
    session.execute(delete(DriftRow).where(DriftRow.model == model, DriftRow.day == day))
    raised = 0
    for figure in figures:
        alarm = alarms(figure, watch.alarm_p)
        session.add(
            DriftRow(
                model=model,
                day=day,
                figure=figure.name[:128],
                value=figure.value,
                p=figure.p,
                studies=figure.studies,
                alarm=alarm,
                words=figure.words,
            )
        )
        if alarm:
            words = f"{figure.name} has changed: {figure.words} ({figure.studies} studies, p {figure.p:.2g})"
            raised += raise_alarm(session, model, figure.name[:128], words, now_s)
    return raised


def _findings(folder: Path) -> dict[int, str]:
    """Names of a bundle's outputs as its summaries say them; none where the bundle is gone."""
    try:
        rules = load_dicom_toml(folder)
    except (NodeError, OSError):
        return {}
    return {one.index: finding_name(one) for one in rules.findings} | {one.index: one.label for one in rules.segments}
