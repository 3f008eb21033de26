"""Forgetting a patient: items, labels and rows go, and it is told which versions saw them.

A version that was trained on a patient is not changed by this: weights keep no list. A person decides what follows.
"""

import json
import time
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

import structlog
from sqlalchemy import delete, or_, select
from sqlalchemy.orm import Session

from dicomnode.archive.files import write_whole
from dicomnode.config.tables import Config
from dicomnode.index.database import Index
from dicomnode.index.learning import (
    DuplicateRow,
    LabelRow,
    LearnedVersionRow,
    LearningRow,
    TrainingItemRow,
    TrainingSetRow,
)
from dicomnode.index.learnings import RUNNING
from dicomnode.index.schema import InstanceRow, StudyRow, TrainingMemberRow
from dicomnode.learn.harvest.named import naming
from dicomnode.learn.sets.leftovers import remove_unnamed
from dicomnode.learn.sets.manifest import ITEMS, LEFT_OUT, SETS, TRAINING
from dicomnode.learn.split.keys import patient_key, require_split_key, same_id, study_key_hash
from dicomnode.learn.split.merge import FORGOTTEN, unseat
from dicomnode.learn.split.patients import InIndex, entered, members
from dicomnode.learn.values import Split
from dicomnode.learn.versions.record import record

log = structlog.get_logger()

ROLES = {
    Split.TRAIN: "trained on", Split.VALIDATION: "chosen with", Split.CALIBRATION: "calibrated with",
    Split.TEST: "tested on", Split.RETENTION: "tested on",
}  # fmt: skip


@dataclass(frozen=True)
class Seen:
    """A version that saw a patient."""

    model: str
    version: str
    digest: str
    state: str
    how: str
    """"trained on", "tested on" ..."""


@dataclass(frozen=True)
class Forgotten:
    """What was forgotten of one patient."""

    items: int
    labels: int
    sets: int
    """Training sets that are not whole any more."""
    seen_by: tuple[Seen, ...]

    def words(self) -> str:
        """For the person who asked."""
        lines = [
            f"forgotten: {self.items} training item(s), {self.labels} label(s); {self.sets} training set(s) must be "
            "made again. The patient is excluded for ever. Received studies are the archive's and stay."
        ]
        lines += [f"{one.model} {one.version} ({one.state}) was {one.how} this patient" for one in self.seen_by]
        if not self.seen_by:
            lines.append("no version saw this patient")
        elif any(one.how == ROLES[Split.TRAIN] for one in self.seen_by):
            lines.append("weights cannot be unlearnt: where that is asked for, roll back and make a new candidate")
        if self.seen_by:
            lines.append("their reports may show this patient's images: remove them where they were kept")
        return "\n".join(lines)


@dataclass(frozen=True)
class _Traces:
    keys: frozenset[str]
    items: tuple[TrainingItemRow, ...]
    labels: tuple[LabelRow, ...]
    studies: frozenset[int]
    study_hashes: frozenset[str]
    seen_by: tuple[Seen, ...]


def forget(index: Index, config: Config, *, patient_id: str, issuer: str = "", by: str, reason: str = "") -> Forgotten:
    """Forget a patient; without an issuer, the ID under every issuer. Done again after a crash, it ends what it began.

    A training set that is being made meanwhile is entered without the patient (`enter.enter_set`).

    Raises:
        NoPatientId: there is no Patient ID.
        SplitKeyLost: the split key is not the one that patients were assigned with.
    """
    state = config.node.state
    with index.transaction() as session:
        keys = _keys(session, require_split_key(session, state), issuer, patient_id)
    with index.snapshot() as session:
        traces = _traces(session, state, keys)
    _remove_files(state, traces)
    with index.transaction() as session:
        sets = _remove_rows(session, traces)
        details = {"patients": sorted(key[:12] for key in keys), "items": len(traces.items), "sets": sets}
        record(session, "forget", by=by, reason=reason, details=details)
    _remove_items(state, traces)  # again: a set that was being made may have found one missing, and made it
    if not _is_being_made(index):
        remove_unnamed(index, state / TRAINING / ITEMS)
    log.info("patient.forgotten", items=len(traces.items), labels=len(traces.labels), sets=sets)
    return Forgotten(len({row.item_id for row in traces.items}), len(traces.labels), sets, traces.seen_by)


def _keys(session: Session, secret: bytes, issuer: str, patient_id: str) -> frozenset[str]:
    """Every key of the patient, excluded from now on."""
    patients, now_s = InIndex(session), time.time()
    key = patient_key(secret, issuer, patient_id)
    rows = [entered(patients, secret, key, now_s)]
    rows += [] if issuer.strip() else patients.of_id(same_id(key))
    everyone = {name: row for one in rows for name, row in members(patients, one).items()}
    for row in everyone.values():
        row.forgotten_s, row.opted_out_s = row.forgotten_s or now_s, row.opted_out_s or now_s
    return frozenset(everyone)


def _traces(session: Session, state: Path, keys: frozenset[str]) -> _Traces:
    items = session.scalars(select(TrainingItemRow).where(TrainingItemRow.patient.in_(keys))).all()
    labels = [*session.scalars(select(LabelRow).where(LabelRow.patient.in_(keys))), *naming(session, keys)]
    told = (*(row.study_key for row in items), *(row.study_key for row in labels))
    studies = frozenset(key for key in told if key is not None)
    secret = require_split_key(session, state)
    uids = session.scalars(select(StudyRow.study_uid).where(StudyRow.study_key.in_(studies))).all()
    hashes = frozenset(study_key_hash(secret, uid) for uid in uids)
    return _Traces(keys, tuple(items), tuple(labels), studies, hashes, tuple(_seen_by(session, items)))


def _seen_by(session: Session, items: Sequence[TrainingItemRow]) -> list[Seen]:
    by_set: dict[str, set[str]] = {}
    for item in items:
        by_set.setdefault(item.training_set, set()).add(ROLES[Split(item.split)])
    versions = session.scalars(select(LearnedVersionRow).where(LearnedVersionRow.training_set.in_(by_set))).all()
    ordered = sorted(versions, key=lambda row: (row.model, row.created_s))
    return [
        Seen(row.model, row.version, row.digest, row.state, how)
        for row in ordered
        for how in sorted(by_set[row.training_set])
    ]


def _remove_files(state: Path, traces: _Traces) -> None:
    sets = state / TRAINING / SETS
    _remove_items(state, traces)
    for row in traces.labels:
        if row.file:
            (state / row.file).unlink(missing_ok=True)
    for path in sets.glob("*.json"):
        if path.name.endswith(LEFT_OUT):
            _without_studies(path, traces.study_hashes)
        else:
            _without(path, traces.keys)


def _remove_items(state: Path, traces: _Traces) -> None:
    for item_id in {row.item_id for row in traces.items}:
        (state / TRAINING / ITEMS / item_id[:2] / f"{item_id}.safetensors").unlink(missing_ok=True)


def _is_being_made(index: Index) -> bool:
    """Whether a learning runs, which removes by itself what no set names."""
    with index.snapshot() as session:
        return session.scalar(select(LearningRow.job).where(LearningRow.state == RUNNING).limit(1)) is not None


def _without(manifest: Path, keys: Collection[str]) -> None:
    """Take patients out of a manifest; it is not what its name says any more, and says so when it is loaded."""
    told = json.loads(manifest.read_text(encoding="utf-8"))
    kept = [item for item in told["items"] if item["patient"] not in keys]
    if len(kept) != len(told["items"]):
        _rewrite(manifest, told | {"items": kept, "forgotten": True})


def _without_studies(path: Path, hashes: frozenset[str]) -> None:
    told = json.loads(path.read_text(encoding="utf-8"))
    kept = [one for one in told if one["study"] not in hashes]
    if len(kept) != len(told):
        _rewrite(path, kept)


def _rewrite(path: Path, told: object) -> None:
    write_whole(path, json.dumps(told, sort_keys=True, separators=(",", ":")).encode())


def _remove_rows(session: Session, traces: _Traces) -> int:
    """How many training sets are not whole any more."""
    ids = {row.item_id for row in traces.items}
    sets = {row.training_set for row in traces.items}
    for digest in sets:
        gone = sum(1 for row in traces.items if row.training_set == digest)
        if (row := session.get(TrainingSetRow, digest)) is not None:
            row.items = max(row.items - gone, 0)
    session.execute(delete(TrainingItemRow).where(TrainingItemRow.patient.in_(traces.keys)))
    session.execute(delete(LabelRow).where(LabelRow.label_key.in_([row.label_key for row in traces.labels])))
    session.execute(delete(DuplicateRow).where(or_(DuplicateRow.one.in_(ids), DuplicateRow.other.in_(ids))))
    instances = select(InstanceRow.instance_key).where(InstanceRow.study_key.in_(traces.studies))
    session.execute(delete(TrainingMemberRow).where(TrainingMemberRow.instance_key.in_(instances)))
    unseat(session, traces.keys, FORGOTTEN, time.time())
    return len(sets)
