"""Sealed test sets take only patients whom nobody has used, and are retired when used up."""

import pytest
from sqlalchemy.orm import Session

from dicomnode.index.database import Index
from dicomnode.index.learning import LookRow, PatientRow, SealedSetRow
from dicomnode.learn.split.seal import (
    current_set,
    fresh_patients,
    looks_at,
    retention_sets,
    sealed_items,
    splits_of,
    temporal_holdout,
)
from dicomnode.learn.values import Item, Source, Split


def patient(n: int) -> str:
    return f"{n:064x}"


def entered(session: Session, n: int, **changes: object) -> Item:
    row = PatientRow(patient=patient(n), split=Split.TEST, assigned_s=0.0, trained=False, looked_at=False)
    for name, value in changes.items():
        setattr(row, name, value)
    session.add(row)
    session.flush()
    return item(n)


def item(n: int, split: Split = Split.TEST, source: Source = Source.SR, *, assisted: bool = False) -> Item:
    return Item(f"{n + 500:064x}", patient(n), f"{n + 900:064x}", split, source=source, assisted=assisted, when_s=n)


def look(session: Session, sealed_set: str, times: int) -> None:
    for n in range(looks_at(session, sealed_set), times):
        session.add(LookRow(sealed_set=sealed_set, look=n + 1, alpha=0.01, candidate="c" * 64, at_s=1.0))
    session.flush()


@pytest.mark.parametrize(
    "used", [{"trained": True}, {"looked_at": True}, {"opted_out_s": 1.0}, {"forgotten_s": 1.0}, {"split": "train"}]
)
def test_a_patient_who_was_used_is_never_sealed(index: Index, used: dict[str, object]) -> None:
    with index.transaction() as session:
        items = [entered(session, 1), entered(session, 2, **used)]

        assert fresh_patients(session, "model", items) == (patient(1),)


def test_labels_that_no_reader_made_or_that_saw_our_result_are_never_sealed(index: Index) -> None:
    with index.transaction() as session:
        for n in range(4):
            entered(session, n)
        items = [item(0), item(1, source=Source.REPORT), item(2, assisted=True), item(3, split=Split.RETENTION)]

        sealed = current_set(session, "model", items, max_looks=10, now_s=5.0)

        assert sealed is not None
        assert sealed.patients == [patient(0)]
        assert sealed_items(sealed, items) == (items[0],)


def test_a_set_grows_until_its_first_look_and_is_fixed_from_then_on(index: Index) -> None:
    with index.transaction() as session:
        items = [entered(session, 0), entered(session, 1)]
        current_set(session, "model", items, max_looks=10, now_s=5.0)
        items.append(entered(session, 2))
        first = current_set(session, "model", items, max_looks=10, now_s=6.0)
        assert first is current_set(session, "model", items, max_looks=10, now_s=6.5)
        assert first is not None
        assert session.query(SealedSetRow).count() == 1
        assert len(first.patients) == 3

        look(session, first.sealed_set, 1)
        items.append(entered(session, 3))

        assert current_set(session, "model", items, max_looks=10, now_s=7.0) is first
        assert len(first.patients) == 3


def test_after_its_last_look_a_set_is_retention_and_a_new_one_takes_fresh_patients_alone(index: Index) -> None:
    with index.transaction() as session:
        items = [entered(session, n) for n in range(3)]
        first = current_set(session, "model", items, max_looks=10, now_s=5.0)
        assert first is not None
        look(session, first.sealed_set, 10)
        assert current_set(session, "model", items, max_looks=10, now_s=6.0) is None

        items.append(entered(session, 3))
        second = current_set(session, "model", items, max_looks=10, now_s=7.0)

        assert second is not None
        assert (first.retired_s is not None, second.patients) == (True, [patient(3)])
        splits = splits_of(session, "model", [one.patient for one in items])
        assert [splits[patient(n)] for n in range(4)] == [Split.RETENTION] * 3 + [Split.TEST]
        assert set(splits_of(session, "another model", [patient(0)]).values()) == {Split.TEST}
        retained = [item(n, Split.RETENTION) for n in range(3)] + [item(9, Split.RETENTION)]
        assert {name: len(own) for name, own in retention_sets(session, "model", retained).items()} == {
            first.sealed_set[:12]: 3,
            "retention": 1,
        }


def test_a_looked_at_set_that_fresh_patients_outnumber_is_retired(index: Index) -> None:
    with index.transaction() as session:
        items = [entered(session, n) for n in range(2)]
        first = current_set(session, "model", items, max_looks=10, now_s=5.0)
        assert first is not None
        look(session, first.sealed_set, 1)
        items += [entered(session, n) for n in range(2, 5)]

        second = current_set(session, "model", items, max_looks=10, now_s=6.0)

        assert second is not None
        assert len(second.patients) == 3


def test_the_temporal_hold_out_is_the_newest_quarter_of_the_patients() -> None:
    items = [item(n) for n in range(8)]

    assert temporal_holdout(items) == (items[6].item_id, items[7].item_id)
    assert temporal_holdout(()) == ()


def test_a_site_has_sealed_sets_of_its_own_and_shares_no_patient_with_another(index: Index) -> None:
    with index.transaction() as session:
        north, south = [entered(session, 0)], [entered(session, 1), entered(session, 2)]

        first = current_set(session, "model", north, max_looks=10, now_s=5.0, scope="site:north")
        second = current_set(session, "model", [*north, *south], max_looks=10, now_s=5.0, scope="site:south")

        assert first is not None
        assert second is not None
        assert (first.patients, second.patients) == ([patient(0)], [patient(1), patient(2)])
        assert (first.retired_s, second.retired_s) == (None, None)


def test_a_set_that_was_retired_just_now_is_held_against_the_next_candidate(index: Index) -> None:
    with index.transaction() as session:
        items = [entered(session, 0), entered(session, 1, trained=True)]
        session.add(SealedSetRow(sealed_set="s" * 64, model="model", patients=[patient(0)], sealed_s=1, retired_s=2))
        session.flush()

        found = retention_sets(session, "model", [*items, item(1, Split.RETENTION)])

        assert found == {"s" * 12: (items[0],)}, "and nobody who turned out to be one with a training patient"
