"""The last look at a set before it is entered, hours after its items were begun: what went meanwhile is left out.

All in one transaction, the manifest and the list of what is left out too: a patient is forgotten before it, and is in
none of them, or after it, and the rows say where `forget` must look. A study is retired before it, or not at all.
"""

import json
import re
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import structlog
from sqlalchemy import delete, insert, or_, select
from sqlalchemy.orm import Session

from dicomnode.archive.files import write_whole
from dicomnode.index.database import in_parts
from dicomnode.index.learning import DuplicateRow, PatientRow, TrainingItemRow, TrainingSetRow
from dicomnode.index.schema import InstanceRow, StudyRow, TrainingMemberRow
from dicomnode.learn.harvest.patients import opted_out
from dicomnode.learn.sets.drafts import Draft, Labelled
from dicomnode.learn.sets.manifest import LEFT_OUT, SETS, TRAINING, save_set
from dicomnode.learn.split.keys import study_key_hash
from dicomnode.learn.values import TrainingSet

WENT = "its images went while the set was made"
NO_FILE = "its item went while the set was made: the next set has it"
UID = re.compile(r"\d+(?:\.\d+){4,}")

log = structlog.get_logger()


@dataclass(frozen=True)
class LeftOut:
    """A labelled study that is not in a set."""

    study_key: int
    why: str


@dataclass(frozen=True)
class Collected:
    """What a set is to be made of, as it was when it was begun."""

    labels: Sequence[Labelled]
    drafted: Sequence[Draft]
    """Every study that was to give an item."""
    found: Sequence[Draft]
    """Those that gave one."""
    left_out: Sequence[LeftOut]


def enter_set(
    session: Session, collected: Collected, empty: TrainingSet, state: Path, secret: bytes
) -> tuple[TrainingSet, Sequence[LeftOut]]:
    """Enter what may still be learnt from; the set with its digest, and what is not in it.

    Args:
        session: of a transaction, that others wait for.
        collected: what was made.
        empty: the set, without items.
        state: the state folder.
        secret: the split key.
    """
    excluded = _excluded(session, collected)
    _forget_pairs(session, (draft.item.item_id for draft in collected.drafted if draft.study_key in excluded))
    wanted = [draft for draft in collected.found if draft.study_key not in excluded]
    gone = list(_gone(session, wanted, empty.folder))
    gone_keys = {one.study_key for one in gone}
    found = [draft for draft in wanted if draft.study_key not in gone_keys]
    left_out = [one for one in (*collected.left_out, *gone) if one.study_key not in excluded]
    training = replace(empty, items=tuple(draft.item for draft in found))
    path = save_set(training, state / TRAINING / SETS)
    training = replace(training, digest=path.stem)
    _tell(session, secret, path.with_name(f"{path.stem}{LEFT_OUT}"), left_out)
    _enter(session, training, found)
    return training, left_out


def _excluded(session: Session, collected: Collected) -> set[int]:
    """Studies of patients who opted out, or were forgotten, since the set was begun."""
    whose = [(one.study_key, one.patient) for one in collected.labels]
    whose += [(draft.study_key, draft.item.patient) for draft in collected.drafted]
    patients = sorted({patient for _, patient in whose})
    for some in in_parts(patients):  # where others could write meanwhile (PostgreSQL), they wait for this transaction
        session.execute(select(PatientRow.patient).where(PatientRow.patient.in_(some)).with_for_update(read=True))
    out = opted_out(session, patients)
    if out:
        log.info("set.opted_out_meanwhile", patients=len(out))
    return {study_key for study_key, patient in whose if patient in out}


def _forget_pairs(session: Session, item_ids: Iterable[str]) -> None:
    for some in in_parts(sorted(item_ids)):
        session.execute(delete(DuplicateRow).where(or_(DuplicateRow.one.in_(some), DuplicateRow.other.in_(some))))


def _gone(session: Session, drafts: Sequence[Draft], items: Path) -> Iterator[LeftOut]:
    """Drafts of which an image is not the one any more that the item was made from, or not here; or the item is not."""
    here = _here(session, sorted({draft.study_key for draft in drafts}))
    for draft in drafts:
        if any((draft.study_key, one.instance_key, one.content_digest) not in here for one in draft.series.instances):
            yield LeftOut(draft.study_key, WENT)
        elif not (items / draft.item.file).is_file():
            yield LeftOut(draft.study_key, NO_FILE)


def _here(session: Session, study_keys: Sequence[int]) -> set[tuple[int, int, str]]:
    """Instances of studies, none of which is retired until this transaction ends; a key alone may be another's now."""
    told = select(InstanceRow.study_key, InstanceRow.instance_key, InstanceRow.content_digest)
    here: set[tuple[int, int, str]] = set()
    for some in in_parts(study_keys):
        session.execute(select(StudyRow.study_key).where(StudyRow.study_key.in_(some)).with_for_update(read=True))
        found = session.execute(told.where(InstanceRow.study_key.in_(some)))
        here.update((study_key, key, digest) for study_key, key, digest in found)
    return here


def _tell(session: Session, secret: bytes, path: Path, left_out: Sequence[LeftOut]) -> None:
    """List what is left out, by the keyed hash of its study."""
    uids: dict[int, str] = {}
    for some in in_parts(sorted({one.study_key for one in left_out})):
        told = select(StudyRow.study_key, StudyRow.study_uid).where(StudyRow.study_key.in_(some))
        uids.update((study_key, uid) for study_key, uid in session.execute(told))
    lines = [
        {"study": study_key_hash(secret, uids[one.study_key]), "why": UID.sub("(UID)", one.why)} for one in left_out
    ]
    write_whole(path, json.dumps(lines, indent=1).encode())
    for one in left_out:
        log.info("set.left_out", study=one.study_key, why=one.why)


def _enter(session: Session, training: TrainingSet, found: Sequence[Draft]) -> None:
    """The set's rows; once."""
    if session.get(TrainingSetRow, training.digest) is not None:
        return
    session.add(
        TrainingSetRow(
            digest=training.digest,
            model=training.model,
            model_digest=training.model_digest,
            file=f"{TRAINING}/{SETS}/{training.digest}.json",
            items=len(found),
            created_s=time.time(),
        )
    )
    session.flush()
    items = [_item_row(training, draft) for draft in found]
    keys = {instance.instance_key for draft in found for instance in draft.series.instances}
    members = [{"training_set": training.digest, "instance_key": key} for key in sorted(keys)]
    if items:
        session.execute(insert(TrainingItemRow), items)
        session.execute(insert(TrainingMemberRow), members)


def _item_row(training: TrainingSet, draft: Draft) -> dict[str, object]:
    item = draft.item
    return {
        "training_set": training.digest, "item_id": item.item_id, "patient": item.patient,
        "study_key": draft.study_key, "split": item.split,
    }  # fmt: skip
