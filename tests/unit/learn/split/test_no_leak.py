"""A patient is in one split for life: 100,000 patients, sent again, given new pseudonyms, and merged."""

import random
from collections import defaultdict
from dataclasses import dataclass

from dicomnode.learn.split.keys import same_id
from dicomnode.learn.split.merge import OneAlready, merged
from dicomnode.learn.split.patients import assign, root
from dicomnode.learn.values import Split

SECRET = bytes(range(32))
PATIENTS = 100_000
MERGES = 4_000
ROUNDS = 5
FOR_TRAINING = {Split.TRAIN, Split.VALIDATION, Split.CALIBRATION}


@dataclass(slots=True, eq=False)
class Row:
    """Stands in for a row of the index, whose attributes are slow."""

    patient: str
    split: Split
    trained: bool = False
    looked_at: bool = False
    merged_into: str | None = None
    opted_out_s: float | None = None
    forgotten_s: float | None = None


class InMemory:
    """Stands in for the index."""

    def __init__(self) -> None:
        self.rows: dict[str, Row] = {}
        self.into: dict[str, list[Row]] = defaultdict(list)
        self.halves: dict[str, list[Row]] = {}

    def get(self, patient: str) -> Row | None:
        return self.rows.get(patient)

    def enter(self, patient: str, split: Split, now_s: float) -> Row:
        row = self.rows[patient] = Row(patient, split)
        self.halves.setdefault(same_id(patient), []).append(row)
        return row

    def point(self, row: Row, into: str) -> None:
        if row.merged_into:
            self.into[row.merged_into].remove(row)
        row.merged_into = into
        self.into[into].append(row)

    def merged_with(self, root: str) -> list[Row]:
        return list(self.into.get(root, ()))

    def of_id(self, half: str) -> list[Row]:
        return list(self.halves.get(half, ()))


class Persons:
    """Who people really are, as far as merges have told: sets of IDs."""

    def __init__(self) -> None:
        self.of: dict[str, set[str]] = {}

    def join(self, one: str, other: str) -> None:
        both = self.of.setdefault(one, {one}) | self.of.setdefault(other, {other})
        for name in both:
            self.of[name] = both


def told(chance: random.Random, number: int) -> tuple[str, str]:
    """Issuer and ID as some system sends them: now and then without the issuer, or padded."""
    issuer = chance.choice(("Hospital", "Hospital ", ""))
    return issuer, f"{number}{chance.choice(('', ' ', chr(0)))}"


def test_no_patient_is_ever_in_two_splits_nor_both_trained_on_and_tested() -> None:
    chance, patients, persons = random.Random(4), InMemory(), Persons()
    trained: set[str] = set()
    for turn in range(ROUNDS):
        numbers = range(turn * PATIENTS // ROUNDS, (turn + 1) * PATIENTS // ROUNDS)
        for number in numbers:
            assign(patients, SECRET, *told(chance, number), turn)
        for _ in range(MERGES // ROUNDS):
            join(chance, patients, persons, PATIENTS * (turn + 1) // ROUNDS)
        for number in chance.sample(range(PATIENTS * (turn + 1) // ROUNDS), 2000):  # sent again
            row = assign(patients, SECRET, *told(chance, number), turn)
            assert row.merged_into is None
        tested = {row.patient for row in patients.rows.values() if row.split == Split.TEST}
        assert not tested & trained
        for row in patients.rows.values():
            row.trained = row.trained or row.split in FOR_TRAINING
        trained |= {row.patient for row in patients.rows.values() if row.trained}

    require_one_split(patients, persons)
    assert not [row for row in patients.rows.values() if row.trained and row.split not in FOR_TRAINING]


def join(chance: random.Random, patients: InMemory, persons: Persons, known: int) -> None:
    """A patient turns out to be another, or gets a pseudonym that nobody has seen."""
    old, into = chance.randrange(known), chance.choice((chance.randrange(known), PATIENTS + chance.randrange(10**6)))
    one, other = told(chance, old), told(chance, into)
    keys = [assign(patients, SECRET, *who, 0.0).patient for who in (one, other)]
    persons.join(str(old), str(into))
    try:
        merged(patients, SECRET, keys[0], keys[1], 0.0)
    except OneAlready:
        return


def require_one_split(patients: InMemory, persons: Persons) -> None:
    """Every key of every person, under any issuer, stands in one split."""
    splits: dict[str, set[str]] = defaultdict(set)
    for row in patients.rows.values():
        splits[same_id(row.patient)].add(row.split)
        assert root(patients, row).split == row.split
    assert all(len(found) == 1 for found in splits.values())
    for names in persons.of.values():
        rows = [assign(patients, SECRET, issuer, name, 0.0) for name in names for issuer in ("Hospital", "")]
        assert len({row.split for row in rows}) == 1
