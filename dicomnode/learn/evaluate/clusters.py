"""Which items count as one patient's, and which patients enter a figure."""

from collections.abc import Iterable, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from dicomnode.learn.values import Answers, Item

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


def patient_numbers(patients: Sequence[str]) -> Ints:
    """A number for each item's patient, from 0, equal for items of one patient."""
    return np.unique(np.asarray(patients), return_inverse=True)[1].astype(np.int64)


def chosen(answers: Answers, rows: NDArray[np.bool_]) -> Answers:
    """The answers on some items."""
    kept = np.flatnonzero(rows)
    return replace(
        answers,
        item_ids=tuple(answers.item_ids[i] for i in kept),
        patients=tuple(answers.patients[i] for i in kept),
        targets=answers.targets[kept] if len(answers.targets) else answers.targets,
        logits=answers.logits[kept] if len(answers.logits) else answers.logits,
        probabilities=answers.probabilities[kept] if len(answers.probabilities) else answers.probabilities,
        dice=answers.dice[kept] if len(answers.dice) else answers.dice,
        hits=tuple(answers.hits[i] for i in kept) if answers.hits else (),
        lesions=tuple(answers.lesions[i] for i in kept) if answers.lesions else (),
    )


def answers_on(answers: Answers, items: Iterable[Item]) -> Answers:
    """Of answers, those on these items."""
    wanted = {item.item_id for item in items}
    return chosen(answers, np.array([item_id in wanted for item_id in answers.item_ids], bool))


def copies_joined(versions: Sequence[Answers]) -> tuple[str, ...]:
    """Patients of the items, with those joined whose items are, or look like, copies of one another.

    Items of one id are one image with one label. Two items on which every version gives the very same numbers are one
    image under two names: they would count twice. Where such pairs often have different labels they are no copies:
    the scores are coarse, and prove nothing by being equal.
    """
    first = versions[0]
    patients = _joined(first.patients, patient_numbers(first.item_ids))
    if not first.logits.size:
        return patients
    rows = np.concatenate([one.logits for one in versions], axis=1)
    which = np.unique(rows, axis=0, return_inverse=True)[1].ravel().astype(np.int64)
    return patients if _are_coarse(which, first.targets) else _joined(patients, which)


def _are_coarse(which: Ints, targets: Floats) -> bool:
    """Whether more than one in twenty of the groups of equal scores hold different labels."""
    labelled = np.concatenate([which[:, None], np.nan_to_num(targets, nan=-1.0)], axis=1)
    repeated = np.flatnonzero(np.bincount(which) > 1)
    kinds = np.bincount(np.unique(labelled, axis=0)[:, 0].astype(np.int64), minlength=int(which.max()) + 1)
    return bool(len(repeated) and np.mean(kinds[repeated] > 1) > 0.05)


def first_of_each(answers: Answers) -> NDArray[np.bool_]:
    """The items without repeats of an id: (item,) true at the first."""
    rows = np.zeros(len(answers.item_ids), dtype=np.bool_)
    rows[np.unique(np.asarray(answers.item_ids), return_index=True)[1]] = True
    return rows


def _joined(patients: Sequence[str], which: Ints) -> tuple[str, ...]:
    """Patients joined where their items have one number."""
    root = {patient: patient for patient in patients}

    def first(patient: str) -> str:
        while root[patient] != patient:
            patient = root[patient]
        return patient

    seen: dict[int, str] = {}
    for patient, group in zip(patients, which.tolist(), strict=True):
        one, other = first(seen.setdefault(group, patient)), first(patient)
        root[max(one, other)] = min(one, other)
    return tuple(first(patient) for patient in patients)
