"""Catch-up: what a PACS has and never reached us is found by C-FIND and fetched by C-MOVE.

What comes is received like any study. Instances that we have already arrive as duplicates and change nothing, so
that nothing is analysed twice.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta

import structlog
from sqlalchemy import select
from sqlalchemy.orm import Session

from dicomnode.audit import AuditTrail
from dicomnode.choose.from_afar import could_take, merged
from dicomnode.config.tables import Config, Route
from dicomnode.errors import ConfigFault, PeerRefused, PeerUnavailable
from dicomnode.index.database import Index
from dicomnode.index.schema import InstanceRow, SeriesRow, StudyRow
from dicomnode.index.studies import received_counts
from dicomnode.index.waiting import own_series_uids
from dicomnode.peers.faults import NoAnswer
from dicomnode.peers.move import Moved, move_series, move_study
from dicomnode.peers.query import SeriesFound, StudyFound, instances_of, series_of, studies_since
from dicomnode.peers.remote import Remote, remote

log = structlog.get_logger()

LEFT_ALONE = ("receiving", "retired")
"""States of studies that catch-up does not touch: still on their way, or removed on purpose."""

Progress = Callable[[int, int], None]
"""Called with the number of studies looked at, and of all."""


@dataclass(frozen=True)
class Missing:
    """What a PACS has of one study, and we have not."""

    study_uid: str
    series_uids: tuple[str, ...]
    whole: bool
    """Nothing of the study is here."""


@dataclass
class CaughtUp:
    """What a catch-up found and did."""

    looked_at: int = 0
    """Studies at the PACS in these days."""
    missing: list[Missing] = field(default_factory=list)
    instances: int = 0
    """That came over."""
    failed: dict[str, str] = field(default_factory=dict)
    """Why, by Study Instance UID."""


def catch_up(
    index: Index,
    config: Config,
    peer_name: str,
    since: datetime,
    *,
    fetch: bool = True,
    progress: Progress | None = None,
) -> CaughtUp:
    """Fetch from a PACS what it has since a day, what a route could take, and what never reached us.

    One study that fails holds up no other. With `fetch` false it is only said what is missing.

    Raises:
        ConfigFault: no such peer, or it is not to be queried.
        NoAnswer: the peer is not there: nothing is lost by doing it again.
        PeerRefused: it answers no queries.
    """
    there = _queried(config, peer_name)
    routes = [route for route in config.routes if route.source == peer_name]
    studies = studies_since(there, *_days(since))
    audit_query(config, there, studies)
    done = CaughtUp(looked_at=len(studies))
    for n, study in enumerate(studies):
        if progress:
            progress(n, len(studies))
        _catch_up_study(index, there, routes, study, done, fetch=fetch)
    if progress:
        progress(len(studies), len(studies))
    log.info("catch_up.done", peer=peer_name, studies=len(studies), instances=done.instances, failed=len(done.failed))
    return done


def audit_query(config: Config, there: Remote, studies: Sequence[StudyFound]) -> None:
    """Tell the audit trail that we asked, and which studies we were told of."""
    AuditTrail.of(config).queried(
        calling_ae=there.our_ae,
        called_ae=there.peer.ae_title,
        address=there.peer.host,
        study_uids=[study.study_uid for study in studies],
    )


def missing_of(index: Index, there: Remote, routes: Sequence[Route], study: StudyFound) -> Missing | None:
    """What we lack of one study; None where that is nothing, or nothing a route could take."""
    with index.snapshot() as session:
        row = session.scalar(select(StudyRow).where(StudyRow.study_uid == study.study_uid))
        own = own_series_uids(session, study.study_uid)
        here = received_counts(session, row.study_key) if row else {}
    if row is not None and row.state in LEFT_ALONE:
        return None
    theirs = [series for series in series_of(there, study.study_uid) if series.series_uid not in own]
    if not could_take(routes, (merged(study.header, series.header) for series in theirs)):
        return None
    lacking = tuple(s.series_uid for s in theirs if _lacks(index, there, study.study_uid, s, here))
    return Missing(study.study_uid, lacking, whole=not here) if lacking else None


def _catch_up_study(
    index: Index, there: Remote, routes: Sequence[Route], study: StudyFound, done: CaughtUp, *, fetch: bool
) -> None:
    try:
        missing = missing_of(index, there, routes, study)
        if missing is None:
            return
        done.missing.append(missing)
        for moved in _fetch(there, missing) if fetch else ():
            _note(moved, missing, done)
    except NoAnswer:
        raise
    except (PeerUnavailable, PeerRefused) as fault:
        done.failed[study.study_uid] = str(fault)
    if reason := done.failed.get(study.study_uid):
        log.warning("catch_up.failed", study=study.study_uid, reason=reason)


def _fetch(there: Remote, missing: Missing) -> Iterator[Moved]:
    if missing.whole:
        yield move_study(there, missing.study_uid)
        return
    for series_uid in missing.series_uids:
        yield move_series(there, missing.study_uid, series_uid)


def _note(moved: Moved, missing: Missing, done: CaughtUp) -> None:
    done.instances += moved.completed
    log.info("catch_up.moved", study=missing.study_uid, instances=moved.completed, failed=moved.failed)
    if moved.failed:
        done.failed[missing.study_uid] = f"{moved.failed} of {moved.failed + moved.completed} instances did not come"


def _lacks(index: Index, there: Remote, study_uid: str, series: SeriesFound, here: Mapping[str, int]) -> bool:
    """Whether a series has more instances there than here; asked one by one where the peer gives no counts."""
    ours = here.get(series.series_uid, 0)
    if ours == 0 or series.instances is not None:
        return ours == 0 or ours < (series.instances or 0)
    with index.snapshot() as session:
        known = _instances_here(session, series.series_uid)
    return not instances_of(there, study_uid, series.series_uid) <= known


def _instances_here(session: Session, series_uid: str) -> frozenset[str]:
    query = select(InstanceRow.sop_instance_uid).join(SeriesRow, SeriesRow.series_key == InstanceRow.series_key)
    return frozenset(session.scalars(query.where(SeriesRow.series_uid == series_uid)))


def _queried(config: Config, peer_name: str) -> Remote:
    there = remote(config, peer_name)
    if not there.peer.query:
        raise ConfigFault(f"peers.{peer_name}.query is false: set it to true if {peer_name} answers C-FIND and C-MOVE")
    return there


def _days(since: datetime) -> tuple[date, date]:
    """From a moment until tomorrow, as days of the local calendar; a clock that runs ahead there loses nothing."""
    return since.astimezone().date(), date.today() + timedelta(days=1)
