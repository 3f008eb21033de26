"""What the node looks like now, as counts and ages; nothing that names a patient or a study."""

import shutil
import time
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Select, func, select
from sqlalchemy.orm import Session

from dicomnode.config.tables import Config
from dicomnode.index.database import Index
from dicomnode.index.learning import AlarmRow, DriftRow
from dicomnode.index.schema import (
    BeatRow,
    CommitmentDutyRow,
    DeliveryRow,
    InstanceRow,
    PauseRow,
    RefusalRow,
    RunRow,
    StudyRow,
)
from dicomnode.learn.versions.now import Versions, versions_now
from dicomnode.serve.beats import STALE_S
from dicomnode.values import DeliveryStatus, RunStatus
from dicomnode.web.learning import Learning, learning_now

UNFINISHED_RUNS = (RunStatus.QUEUED, RunStatus.RUNNING, RunStatus.DELIVERING, RunStatus.PARKED)
UNFINISHED_DELIVERIES = (DeliveryStatus.QUEUED, DeliveryStatus.SENT, DeliveryStatus.PARKED)
NEEDED = ("receive", "engine", "gpu")
"""Kinds of process without which the node is not ready."""
GPU_STAT = "gpu-stat"
"""Needed besides where [infer] stat_process is set: STAT studies wait for it alone."""
FULL_BYTES = 1 << 20
"""Less room than this is none: a single result or a database's journal takes more."""


@dataclass(frozen=True)
class Snapshot:
    """Counts and ages at one moment."""

    studies: dict[str, int] = field(default_factory=dict)
    """By state."""
    runs: dict[tuple[str, str], int] = field(default_factory=dict)
    """By model and status."""
    oldest_run_s: dict[str, float] = field(default_factory=dict)
    """Age of the oldest unfinished run, by status."""
    deliveries: dict[tuple[str, str], int] = field(default_factory=dict)
    """By destination and status."""
    oldest_delivery_s: dict[tuple[str, str], float] = field(default_factory=dict)
    """Age of the oldest unfinished delivery, by destination and status."""
    alarms: dict[tuple[str, str], int] = field(default_factory=dict)
    """That stand, by model and kind."""
    drift_p: dict[tuple[str, str], float] = field(default_factory=dict)
    """By model and figure, of its last look."""
    received: int = 0
    """Instances ever indexed; one that came with other content counts again."""
    held_instances: int = 0
    held_bytes: int = 0
    refused: int = 0
    """Instances and associations ever refused."""
    commitments_owed: int = 0
    paused: tuple[str, ...] = ()
    beat_age_s: dict[str, float] = field(default_factory=dict)
    """Seconds since each process's last beat."""
    needed: tuple[str, ...] = NEEDED
    """Kinds of process without which the node, as it is configured, is not ready."""
    disk_free_bytes: int = 0
    reserve_bytes: int = 0
    versions: Versions = field(default_factory=Versions)
    learning: tuple[Learning, ...] = ()
    """What is being learnt."""

    def faults(self) -> tuple[str, ...]:
        """Why the node is not ready to work, in words; empty where it is."""
        alive = {_kind(process) for process, age_s in self.beat_age_s.items() if age_s <= STALE_S}
        silent = [
            f"no {kind} process has beaten in the last {STALE_S:.0f} s" for kind in self.needed if kind not in alive
        ]
        return (*self._lacks_room(), *silent)

    @property
    def is_full(self) -> bool:
        """Whether the disk has no room at all."""
        return self.disk_free_bytes < FULL_BYTES

    def _lacks_room(self) -> list[str]:
        if self.is_full:
            return ["the disk is FULL: nothing can be noted, sent or accepted, nothing is lost; make room, it goes on"]
        if self.disk_free_bytes < self.reserve_bytes:
            return [f"{self.disk_free_bytes} bytes of disk free, less than the reserve of {self.reserve_bytes}"]
        return []


def _kind(process: str) -> str:
    return process if process == GPU_STAT else process.split("-")[0]


def snapshot(config: Config, index: Index) -> Snapshot:
    """Look at the index and the disk."""
    now_s = time.time()
    with index.snapshot() as session:
        return Snapshot(
            **_work(session, now_s),
            **_received(session),
            **_watched(session),
            commitments_owed=_one(session, select(func.count()).where(CommitmentDutyRow.answered_s.is_(None))),
            paused=tuple(session.scalars(select(PauseRow.scope).order_by(PauseRow.scope))),
            beat_age_s={row.process: max(0.0, now_s - row.beat_s) for row in session.scalars(select(BeatRow))},
            needed=(*NEEDED, GPU_STAT) if config.infer.stat_process else NEEDED,
            versions=versions_now(session, now_s),
            learning=learning_now(session),
            disk_free_bytes=shutil.disk_usage(config.node.state).free,
            reserve_bytes=config.receive.reserve_bytes,
        )


def _work(session: Session, now_s: float) -> dict[str, Any]:
    runs, deliveries = RunRow, DeliveryRow
    by_study = select(StudyRow.state, func.count()).group_by(StudyRow.state)
    shown = runs.shadow.is_(False)
    by_run = select(runs.model, runs.status, func.count()).where(shown).group_by(runs.model, runs.status)
    oldest_run = (
        select(runs.status, func.min(runs.created_s))
        .where(shown, runs.status.in_(UNFINISHED_RUNS))
        .group_by(runs.status)
    )
    columns = (deliveries.destination, deliveries.status)
    by_delivery = select(*columns, func.count()).group_by(*columns)
    waiting = deliveries.status.in_(UNFINISHED_DELIVERIES)
    oldest_delivery = select(*columns, func.min(deliveries.queued_s)).where(waiting).group_by(*columns)
    return {
        "studies": _pairs(session, by_study),
        "runs": {(model, status): count for model, status, count in session.execute(by_run)},
        "oldest_run_s": {status: now_s - at_s for status, at_s in session.execute(oldest_run)},
        "deliveries": {(name, status): count for name, status, count in session.execute(by_delivery)},
        "oldest_delivery_s": {(name, status): now_s - at_s for name, status, at_s in session.execute(oldest_delivery)},
    }


def _received(session: Session) -> dict[str, Any]:
    held = select(func.count(), func.coalesce(func.sum(InstanceRow.size_bytes), 0)).select_from(InstanceRow)
    instances, size_bytes = session.execute(held).one()
    return {
        "received": _one(session, select(func.coalesce(func.max(InstanceRow.instance_key), 0))),
        "held_instances": instances,
        "held_bytes": int(size_bytes),
        "refused": _one(session, select(func.coalesce(func.max(RefusalRow.refusal_key), 0))),
    }


def _watched(session: Session) -> dict[str, Any]:
    standing = select(AlarmRow.model, AlarmRow.kind, func.count()).where(AlarmRow.cleared_s.is_(None))
    by_alarm = standing.group_by(AlarmRow.model, AlarmRow.kind)
    newest = select(DriftRow.model, func.max(DriftRow.day).label("day")).group_by(DriftRow.model).subquery()
    last = (
        select(DriftRow.model, DriftRow.figure, DriftRow.p)
        .join(newest, (newest.c.model == DriftRow.model) & (newest.c.day == DriftRow.day))
        .where(DriftRow.p.is_not(None))
    )
    return {
        "alarms": {(model, kind): count for model, kind, count in session.execute(by_alarm)},
        "drift_p": {(model, figure): p for model, figure, p in session.execute(last)},
    }


def _one(session: Session, question: Select[Any]) -> int:
    return int(session.scalar(question) or 0)


def _pairs(session: Session, question: Select[str, int]) -> dict[str, int]:
    return {row[0]: row[1] for row in session.execute(question)}
