"""Sealed test sets: their patients are fixed, each look is counted, and a used-up one becomes a retention set.

A set takes only patients whom the keyed hash sends to test, who were never trained on, nor seen outside the gate, nor
part of an earlier set of the model, and whose label a reader made without having seen our result.
"""

import hashlib
import json
import math
from collections.abc import Iterable, Mapping, Sequence

import structlog
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from dicomnode.index.learning import LookRow, PatientRow, SealedSetRow
from dicomnode.learn.split.merge import standing
from dicomnode.learn.values import Item, Source, Split

log = structlog.get_logger()

READERS = frozenset({Source.PERSON, Source.SEG, Source.RTSTRUCT, Source.SR, Source.KEY_OBJECT, Source.TABLE})
"""Sources whose label a named person vouches for; report text that a labeler read is none."""
NEWEST = 0.25
"""Share of the sealed test's patients that are the temporal hold-out."""


def current_set(
    session: Session, model: str, items: Sequence[Item], *, max_looks: int, now_s: float, scope: str = ""
) -> SealedSetRow | None:
    """The sealed set that the next look is at; None while there is no patient for one.

    One that nobody has looked at grows with every patient that fits. One that was looked at `max_looks` times, or that
    is outnumbered by fresh patients, is retired, and a new one is sealed of the fresh ones. A site or scanner whose
    version is made for it alone has sets of its own; no patient stands in two sets of a model.
    """
    fresh = fresh_patients(session, model, items)
    opened = session.scalars(
        select(SealedSetRow).where(
            SealedSetRow.model == model, SealedSetRow.scope == scope, SealedSetRow.retired_s.is_(None)
        )
    ).first()
    if opened is None:
        return seal(session, model, fresh, now_s, scope) if fresh else None
    looks = looks_at(session, opened.sealed_set)
    if looks == 0:
        return _grown(session, opened, fresh, now_s)
    if looks < max_looks and len(fresh) <= len(opened.patients):
        return opened
    if not fresh:
        return None if looks >= max_looks else opened
    retire(session, opened, now_s)
    return seal(session, model, fresh, now_s, scope)


def seal(session: Session, model: str, patients: Iterable[str], now_s: float, scope: str = "") -> SealedSetRow:
    """Fix a sealed test set; its id is the digest of model and patients, so that the same ones again are the same."""
    mine = sorted(set(patients))
    told = [model, mine, *([scope] if scope else [])]
    name = hashlib.sha256(json.dumps(told, separators=(",", ":")).encode()).hexdigest()
    row = session.get(SealedSetRow, name)
    if row is None:
        row = SealedSetRow(sealed_set=name, model=model, scope=scope, patients=mine, sealed_s=now_s, retired_s=None)
        session.add(row)
        session.flush()
        log.info("test.sealed", model=model, sealed_set=name[:12], patients=len(mine))
    return row


def retire(session: Session, sealed: SealedSetRow, now_s: float) -> None:
    """Make a retention set of a sealed one: what must not be forgotten."""
    sealed.retired_s = now_s
    session.flush()
    log.info("test.retired", model=sealed.model, sealed_set=sealed.sealed_set[:12])


def looks_at(session: Session, sealed_set: str) -> int:
    """How often a set was looked at."""
    return session.scalar(select(func.count()).where(LookRow.sealed_set == sealed_set)) or 0


def fresh_patients(session: Session, model: str, items: Iterable[Item]) -> tuple[str, ...]:
    """Patients of these items whom a set that is sealed now may take."""
    earlier = session.scalars(select(SealedSetRow.patients).where(SealedSetRow.model == model)).all()
    used = {patient for patients in earlier for patient in patients}
    fitting = {item.patient for item in items if is_testable(item)} - used
    return tuple(sorted(patient for patient in fitting if _is_untouched(standing(session, patient))))


def is_testable(item: Item) -> bool:
    """Whether an item may stand in a sealed set: its label is a reader's who had not seen our result."""
    return item.split is Split.TEST and _by_a_reader(item)


def sealed_items(sealed: SealedSetRow, items: Iterable[Item]) -> tuple[Item, ...]:
    """The items of a sealed set, of a training set that was built after the last merge."""
    patients = set(sealed.patients)
    return tuple(item for item in items if is_testable(item) and item.patient in patients)


def retention_sets(session: Session, model: str, items: Iterable[Item]) -> Mapping[str, tuple[Item, ...]]:
    """Older test sets with their items: those retired, and the patients whom the hash sends to retention.

    Items of a set that was retired just now stand in the training set as test items still. Who turned out to be one
    with a patient that was trained on is in none.
    """
    older = [item for item in items if item.split in (Split.RETENTION, Split.TEST) and _by_a_reader(item)]
    retained = [item for item in older if not _is_trained(standing(session, item.patient))]
    retired = session.scalars(
        select(SealedSetRow).where(SealedSetRow.model == model, SealedSetRow.retired_s.is_not(None))
    ).all()
    found: dict[str, tuple[Item, ...]] = {}
    taken: set[str] = set()
    for row in retired:
        own = tuple(item for item in retained if item.patient in set(row.patients))
        found |= {row.sealed_set[:12]: own} if own else {}
        taken |= set(row.patients)
    rest = tuple(item for item in retained if item.split is Split.RETENTION and item.patient not in taken)
    return found | ({"retention": rest} if rest else {})


def splits_of(session: Session, model: str, patients: Iterable[str]) -> dict[str, Split]:
    """The split of each patient for one model: a test patient of a retired set is retention for that model."""
    rows = session.scalars(
        select(SealedSetRow.patients).where(SealedSetRow.model == model, SealedSetRow.retired_s.is_not(None))
    ).all()
    retired = {patient for row in rows for patient in row}
    found = {patient: row for patient in patients if (row := standing(session, patient)) is not None}
    return {patient: _for_model(patient, row, retired) for patient, row in found.items()}


def temporal_holdout(items: Sequence[Item]) -> tuple[str, ...]:
    """Item ids of the newest quarter of the patients, by when their first study was received."""
    first_s: dict[str, float] = {}
    for item in items:
        first_s[item.patient] = min(item.when_s, first_s.get(item.patient, math.inf))
    newest = sorted(first_s, key=lambda patient: (-first_s[patient], patient))[: math.ceil(NEWEST * len(first_s))]
    return tuple(item.item_id for item in items if item.patient in set(newest))


def _grown(session: Session, opened: SealedSetRow, fresh: Iterable[str], now_s: float) -> SealedSetRow:
    """Sealed anew with more patients, since its name is the digest of them; nobody has looked at it yet."""
    wanted = {*opened.patients, *fresh}
    if wanted == set(opened.patients):
        return opened
    session.delete(opened)
    session.flush()
    return seal(session, opened.model, wanted, now_s, opened.scope)


def _by_a_reader(item: Item) -> bool:
    return not item.assisted and item.source in READERS


def _for_model(patient: str, row: PatientRow, retired: set[str]) -> Split:
    split = Split(row.split)
    return Split.RETENTION if split is Split.TEST and patient in retired else split


def _is_trained(row: PatientRow | None) -> bool:
    return row is not None and row.trained


def _is_untouched(row: PatientRow | None) -> bool:
    return (
        row is not None
        and row.split == Split.TEST
        and not (row.trained or row.looked_at)
        and row.opted_out_s is None
        and row.forgotten_s is None
    )
