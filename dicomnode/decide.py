"""complete ─► choose: a study that is complete becomes runs, in one transaction of the index."""

import time
from dataclasses import dataclass, replace

import structlog

from dicomnode.bundles.approval import approved
from dicomnode.bundles.dicom_toml import load_dicom_toml
from dicomnode.choose.routes import matching_routes, priority_of, required_series_missing
from dicomnode.choose.series import choose_series
from dicomnode.complete.ready import Ready
from dicomnode.config.profiles import PRIOR
from dicomnode.config.tables import Config, Route
from dicomnode.encode.uids import ENCODER_VERSION
from dicomnode.errors import Permanent
from dicomnode.index.database import Index
from dicomnode.index.priors import is_prior, waits_for_prior
from dicomnode.index.runs import add_choices, add_run, mark_decided, patient_id_of, run_key
from dicomnode.index.studies import load_study, study_digest
from dicomnode.learn.versions.rollback import answering
from dicomnode.learn.versions.shadow import shadow_runs
from dicomnode.values import QUEUE_PRIORITY, Choice, Priority, Run, Series, Study

log = structlog.get_logger()


@dataclass(frozen=True)
class Decision:
    """What becomes of a study's present contents."""

    study: Study
    digest: str
    state: str
    """"decided", "parked" or "receiving" (a required series is still missing)."""
    reason: str = ""
    choices: tuple[tuple[str, Choice], ...] = ()
    runs: tuple[tuple[Run, Series], ...] = ()


def decide(index: Index, config: Config, study_key: int, ready: Ready) -> bool:
    """Decide on a study's present contents; False where it goes on waiting.

    Safe to repeat: the runs of the same contents exist once.
    """
    with index.snapshot() as session:
        study = load_study(session, config.node.state, study_key)
        patient_id = patient_id_of(session, study_key)
    if ready is not Ready.CAP and patient_id.strip() and _awaits_prior(index, config, study):
        return False
    decision = _decision(index, config, study, patient_id, ready)
    if decision.state == "receiving":
        return False
    with index.transaction() as session:
        if study_digest(load_study(session, config.node.state, study_key)) != decision.digest:
            return False  # something arrived meanwhile: decided at a later tick
        add_choices(session, study, decision.digest, decision.choices)
        made = [run.run_key for run, series in decision.runs if add_run(session, run, series)]
        mark_decided(session, study_key, decision.digest, decision.state, decision.reason)
    log.info("study.decided", study=study_key, because=ready, state=decision.state, runs=len(made))
    return True


def _awaits_prior(index: Index, config: Config, study: Study) -> bool:
    """Whether the prior study is still being fetched or analysed; it is asked for once."""
    if not any(route.prior for route in matching_routes(study, config.routes)):
        return False
    with index.transaction() as session:
        if is_prior(session, study.study_key):
            return False
        return waits_for_prior(session, study.study_key, config.complete.prior_wait_s, time.time())


def _decision(index: Index, config: Config, study: Study, patient_id: str, ready: Ready) -> Decision:
    digest = study_digest(study)
    if not study.series:
        return Decision(study, digest, "decided", "holds nothing but our own results")
    if not patient_id.strip():
        return Decision(study, digest, "parked", "Patient ID is empty: correct it at the PACS and send the study again")
    routes = matching_routes(study, config.routes)
    missing = [words for route in routes for words in required_series_missing(study, route)]
    if missing and (ready is not Ready.CAP or config.complete.at_cap == "park"):
        state = "parked" if ready is Ready.CAP else "receiving"
        return Decision(study, digest, state, f"required series did not arrive: {'; '.join(missing)}")
    try:
        return _with_runs(index, config, study, digest, routes)
    except Permanent as fault:
        return Decision(study, digest, "parked", str(fault))


def _with_runs(index: Index, config: Config, study: Study, digest: str, routes: tuple[Route, ...]) -> Decision:
    with index.snapshot() as session:
        only_prior = is_prior(session, study.study_key)
    versions = {name: approved(index, config.infer.folder / name) for route in routes for name in route.models}
    choices = tuple(
        (route.name, choose_series(study, load_dicom_toml(versions[name].folder)))
        for route in routes
        for name in route.models
    )
    runs: dict[str, tuple[Run, Series]] = {}
    for route, (_, choice) in zip((r for r in routes for _ in r.models), choices, strict=True):
        viewers = _viewers(config, route, only_prior=only_prior)
        for run, series in _runs_of(index, config, study, choice, viewers):
            run = run if run.shadow else replace(run, priority=priority_of(study, route))
            runs[run.run_key] = (_joined(runs[run.run_key][0], run) if run.run_key in runs else run, series)
    reason = "" if routes else "no route takes this study"
    return Decision(study, digest, "decided", reason, choices, tuple(runs.values()))


def _viewers(config: Config, route: Route, *, only_prior: bool) -> dict[str, tuple[str, ...]]:
    """Destinations by viewer profile; a study fetched to compare another with is reported to the node alone."""
    if only_prior:
        return {PRIOR: ()}
    profiles = sorted({config.peers[name].profile for name in route.destinations})
    return {p: tuple(name for name in route.destinations if config.peers[name].profile == p) for p in profiles}


def _runs_of(
    index: Index, config: Config, study: Study, choice: Choice, viewers: dict[str, tuple[str, ...]]
) -> list[tuple[Run, Series]]:
    """The runs of the version that is in use for the series, and of candidates that are watched beside it."""
    if choice.series is None:
        return []
    model = answering(index, config, choice.model, choice.series.first)
    found = []
    for profile, there in viewers.items():
        key = run_key(choice.series, study.study_uid, model.digest, ENCODER_VERSION, config.viewer(profile))
        found.append((Run(key, study, model, profile, Priority.ROUTINE, there), choice.series))
    if PRIOR not in viewers:
        with index.snapshot() as session:
            found += shadow_runs(session, config, study, choice.series, choice.model, next(iter(viewers)))
    return found


def _joined(one: Run, other: Run) -> Run:
    """The same run asked for by two routes: every destination, the higher priority."""
    priority = min(one.priority, other.priority, key=lambda p: QUEUE_PRIORITY[Priority(p)])
    there = tuple(dict.fromkeys((*one.destinations, *other.destinations)))
    return Run(one.run_key, one.study, one.model, one.profile, priority, there)
