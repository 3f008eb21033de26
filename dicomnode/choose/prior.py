"""The prior study: which earlier study of the same patient this one is compared with, fetched by C-FIND and C-MOVE."""

from collections.abc import Iterable
from dataclasses import dataclass

import structlog
from sqlalchemy import select

from dicomnode.choose.catch_up import audit_query
from dicomnode.choose.from_afar import could_take, merged
from dicomnode.choose.routes import matching_routes
from dicomnode.config.tables import Config, Route
from dicomnode.errors import NodeError
from dicomnode.identity import same_patient
from dicomnode.index.database import Index
from dicomnode.index.priors import FAILED, FETCHED, NONE, note_prior
from dicomnode.index.schema import StudyRow
from dicomnode.index.studies import load_study
from dicomnode.peers.move import move_study
from dicomnode.peers.query import StudyFound, series_of, studies_of_patient
from dicomnode.peers.remote import Remote, remote
from dicomnode.values import Header, Study

log = structlog.get_logger()

LOOKED_AT = 5
"""Earlier studies whose series are asked for, the newest first."""


@dataclass(frozen=True)
class Wanted:
    """A study whose prior is sought, and by which routes."""

    study: Study
    header: Header
    """Whose study it is, and of which day."""
    routes: tuple[Route, ...]


def fetch_prior(index: Index, config: Config, study_key: int) -> None:
    """Find the newest earlier study that the same routes could take, have it sent to us, and note what became of it."""
    wanted = _wanted(index, config, study_key)
    for source in dict.fromkeys(route.source for route in wanted.routes if route.source):
        try:
            found = _fetched(index, config, wanted, remote(config, source))
        except NodeError as fault:
            log.warning("prior.failed", study=study_key, peer=source, reason=str(fault))
            _note(index, study_key, FAILED, reason=str(fault))
            return
        if found:
            _note(index, study_key, FETCHED, prior_study_uid=found)
            return
    _note(index, study_key, NONE)


def earlier_studies(ours: Header, study_uid: str, found: Iterable[StudyFound]) -> list[StudyFound]:
    """The earlier studies of our patient among those found, the newest first."""
    day = ours.text("StudyDate")
    earlier = [
        study
        for study in found
        if study.study_uid != study_uid
        and same_patient(ours.values, study.header.values)
        and "" < study.header.text("StudyDate") < day
    ]
    return sorted(earlier, key=lambda study: study.header.text("StudyDate"), reverse=True)


def _wanted(index: Index, config: Config, study_key: int) -> Wanted:
    with index.snapshot() as session:
        study = load_study(session, config.node.state, study_key)
        row = session.get_one(StudyRow, study_key)
    told = {
        "PatientID": row.patient_id,
        "PatientBirthDate": row.patient_birth_date,
        "PatientSex": row.patient_sex,
        "StudyDate": row.study_date,
    }
    routes = tuple(route for route in matching_routes(study, config.routes) if route.prior)
    return Wanted(study, Header(told), routes)


def _fetched(index: Index, config: Config, wanted: Wanted, there: Remote) -> str:
    """Study UID of the prior that a peer has, sent to us unless it is here; empty where there is none."""
    found = studies_of_patient(there, wanted.header.text("PatientID"))
    audit_query(config, there, found)
    routes = [route for route in wanted.routes if route.source == there.name]
    for study in earlier_studies(wanted.header, wanted.study.study_uid, found)[:LOOKED_AT]:
        told = (merged(study.header, series.header) for series in series_of(there, study.study_uid))
        if could_take(routes, told):
            if not _is_here(index, study.study_uid):
                moved = move_study(there, study.study_uid)
                log.info("prior.moved", study=study.study_uid, instances=moved.completed, failed=moved.failed)
            return study.study_uid
    return ""


def _is_here(index: Index, study_uid: str) -> bool:
    with index.snapshot() as session:
        state = session.scalar(select(StudyRow.state).where(StudyRow.study_uid == study_uid))
    return state is not None and state != "retired"


def _note(index: Index, study_key: int, state: str, *, prior_study_uid: str = "", reason: str = "") -> None:
    with index.transaction() as session:
        note_prior(session, study_key, state, prior_study_uid=prior_study_uid, reason=reason)
