"""A training set from what is labelled: split ─► draft ─► prepare ─► near-duplicates ─► manifest.

Only items that are not there yet are prepared. A study that gives none is listed with the reason, and stops nothing.
Nothing that is written here says who a patient is.
"""

import json
import re
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import structlog
from sqlalchemy.orm import Session

from dicomnode.bundles.dicom_toml import load_dicom_toml
from dicomnode.config.tables import Config
from dicomnode.index.database import Index
from dicomnode.index.learning import TrainingItemRow, TrainingSetRow
from dicomnode.index.schema import StudyRow, TrainingMemberRow
from dicomnode.learn.harvest.resolve import resolved
from dicomnode.learn.sets.drafts import Draft, Labelled, Maker, Standing, drafts
from dicomnode.learn.sets.duplicates import leave_out, near_duplicates, note
from dicomnode.learn.sets.manifest import ITEMS, save_set
from dicomnode.learn.sets.preprocessing import preprocessing_digest
from dicomnode.learn.sets.raws import Preparing, RunChild
from dicomnode.learn.sets.whose import standings_of
from dicomnode.learn.split.keys import require_split_key, study_key_hash
from dicomnode.learn.values import Item, TrainingSet
from dicomnode.values import ModelVersion

TRAINING, SETS = "training", "sets"
"""Folders below the state folder, and below that."""
LEFT_OUT = ".left-out.json"
"""Beside a manifest: what is not in it, and why."""
UID = re.compile(r"\d+(?:\.\d+){4,}")

log = structlog.get_logger()


@dataclass(frozen=True)
class LeftOut:
    """A labelled study that is not in a set."""

    study_key: int
    why: str


def build_set(
    index: Index, config: Config, model: ModelVersion, *, run_child: RunChild, scope: str = ""
) -> TrainingSet:
    """The training set of all labels so far.

    Args:
        index: open index.
        config: of the node.
        model: whose preprocessing is used: the installed bundle, or a version of it.
        run_child: runs an order in a process of its own.
        scope: "", "site:NAME" or "scanner:NAME": studies from there alone.

    Raises:
        SplitKeyLost: the split key is not the one that patients were assigned with.
        DiskReserve: the disk is too full.
        ModelFault: the bundle cannot be used.
    """
    maker = _maker(index, config, model, scope)
    with index.snapshot() as session:
        labels = resolved(session, model.name)
    standings = standings_of(index, config.node.state, maker.secret, model.name, labels)
    found, gone = _drafted(index, maker, labels, standings)
    folder = config.node.state / TRAINING
    found, failed = _prepared(config, model, maker, found, folder, run_child)
    found, alike = _without_duplicates(index, model, found, folder, standings)
    training = _written(maker, model, [draft.item for draft in found], folder)
    left_out = [*gone, *failed, *alike]
    _told(maker.secret, index, folder / SETS / f"{training.digest}{LEFT_OUT}", left_out)
    with index.transaction() as session:
        _entered(session, training, found)
    reasons = Counter(one.why for one in left_out)
    log.info("set.built", model=model.name, set=training.digest[:12], items=len(found), left_out=len(left_out))
    return replace(training, left_out=dict(reasons))


def _maker(index: Index, config: Config, model: ModelVersion, scope: str) -> Maker:
    with index.transaction() as session:
        secret = require_split_key(session, config.node.state)
    dicom = load_dicom_toml(model.folder)
    return Maker(config.node.state, secret, dicom, config.learn, preprocessing_digest(model.folder), scope)


def _drafted(
    index: Index, maker: Maker, labels: Sequence[Labelled], standings: dict[str, Standing]
) -> tuple[list[Draft], list[LeftOut]]:
    known = [labelled for labelled in labels if labelled.patient in standings]
    with index.snapshot() as session:
        told = list(drafts(session, maker, known, standings))
    found = {one.item.item_id: one for one in told if isinstance(one, Draft)}
    gone = [LeftOut(one[0].study_key, one[1]) for one in told if isinstance(one, tuple)]
    return [found[item_id] for item_id in sorted(found)], gone


def _prepared(
    config: Config, model: ModelVersion, maker: Maker, found: list[Draft], folder: Path, run_child: RunChild
) -> tuple[list[Draft], list[LeftOut]]:
    job = config.node.state / "learning" / f"prepare-{model.name}-{model.digest[:16]}"
    preparing = Preparing(config, model, maker.dicom, folder / ITEMS, job, run_child)
    preparing.make(found)
    failed = [
        LeftOut(d.study_key, preparing.failed[d.item.item_id]) for d in found if d.item.item_id in preparing.failed
    ]
    return [draft for draft in found if draft.item.item_id not in preparing.failed], failed


def _without_duplicates(
    index: Index, model: ModelVersion, found: list[Draft], folder: Path, standings: dict[str, Standing]
) -> tuple[list[Draft], list[LeftOut]]:
    pairs = near_duplicates([draft.item for draft in found], folder / ITEMS)
    if not pairs:
        return found, []
    trained = {one.patient: one.trained for one in standings.values()}
    why = leave_out(pairs, trained)
    with index.transaction() as session:
        note(session, model.name, pairs)
    log.warning("set.duplicates", model=model.name, pairs=len(pairs), left_out=len(why))
    gone = [LeftOut(draft.study_key, why[draft.item.item_id]) for draft in found if draft.item.item_id in why]
    return [draft for draft in found if draft.item.item_id not in why], gone


def _written(maker: Maker, model: ModelVersion, items: Iterable[Item], folder: Path) -> TrainingSet:
    training = TrainingSet("", model.name, model.digest, maker.preprocessing, tuple(items), folder / ITEMS)
    path = save_set(training, folder / SETS)
    return replace(training, digest=path.stem)


def manifest_of(state: Path, digest: str) -> Path:
    """Where the list of a training set's items stands."""
    return state / TRAINING / SETS / f"{digest}.json"


def left_out_of(manifest: Path) -> dict[str, int]:
    """Of a set, how many labelled studies are not in it, by reason."""
    path = manifest.with_name(f"{manifest.stem}{LEFT_OUT}")
    if not path.is_file():
        return {}
    return dict(Counter(str(one["why"]) for one in json.loads(path.read_text(encoding="utf-8"))))


def _told(secret: bytes, index: Index, path: Path, left_out: Sequence[LeftOut]) -> None:
    """List what is left out, by the keyed hash of its study."""
    with index.snapshot() as session:
        uids = {one.study_key: session.get_one(StudyRow, one.study_key).study_uid for one in left_out}
    told = [
        {"study": study_key_hash(secret, uids[one.study_key]), "why": UID.sub("(UID)", one.why)} for one in left_out
    ]
    path.write_text(json.dumps(told, indent=1), encoding="utf-8")
    for one in left_out:
        log.info("set.left_out", study=one.study_key, why=one.why)


def _entered(session: Session, training: TrainingSet, found: Sequence[Draft]) -> None:
    """The set's rows; once."""
    if session.get(TrainingSetRow, training.digest) is not None:
        return
    file = f"{TRAINING}/{SETS}/{training.digest}.json"
    session.add(
        TrainingSetRow(
            digest=training.digest,
            model=training.model,
            model_digest=training.model_digest,
            file=file,
            items=len(found),
            created_s=time.time(),
        )
    )
    session.flush()
    for draft in found:
        item = draft.item
        session.add(
            TrainingItemRow(
                training_set=training.digest,
                item_id=item.item_id,
                patient=item.patient,
                study_key=draft.study_key,
                split=item.split,
            )
        )
        for instance in draft.series.instances:
            session.merge(TrainingMemberRow(training_set=training.digest, instance_key=instance.instance_key))
