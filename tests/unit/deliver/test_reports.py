"""What a commitment report changes in the index."""

import time
from pathlib import Path

import pytest
from sqlalchemy import select, update

from dicomnode.deliver.ledger import delivery, note_stored, park
from dicomnode.deliver.outbox import post
from dicomnode.deliver.reports import UNKNOWN_TRANSACTION, ReportOutcome, record_report
from dicomnode.index.database import Index
from dicomnode.index.schema import CommitmentRequestRow, DeliveryRow, ResultRow
from dicomnode.values import DeliveryStatus, Role
from tests.phantom import uid
from tests.results_made import RUN, mask, outbox_object, report

SEG, SR, TRANSACTION = uid("SEG 1"), uid("SR 1"), "2.25.77"


@pytest.fixture
def waiting(tmp_path: Path, index: Index) -> Index:
    """Both results are stored at the PACS and asked for in one transaction."""
    post(index, tmp_path, RUN, ["pacs"], [outbox_object(mask(), Role.SEG), outbox_object(report())])
    for sop_instance_uid in (SEG, SR):
        note_stored(index, sop_instance_uid, "pacs", DeliveryStatus.SENT, "")
    ask(index)
    return index


def ask(index: Index, transaction_uid: str = TRANSACTION) -> None:
    now_s = time.time()
    with index.transaction() as session:
        session.execute(update(DeliveryRow).values(transaction_uid=transaction_uid, requested_s=now_s))
        for key in session.scalars(select(DeliveryRow.delivery_key)).all():
            session.add(CommitmentRequestRow(transaction_uid=transaction_uid, delivery_key=key, requested_s=now_s))


def status(index: Index, sop_instance_uid: str) -> str:
    with index.snapshot() as session:
        row = delivery(session, sop_instance_uid, "pacs")
    assert row is not None
    return row.status


def test_a_report_says_the_same_however_often_it_comes(waiting: Index) -> None:
    assert record_report(waiting, TRANSACTION, [SEG], {SR: 0x0110}) == ReportOutcome(0, (SEG,), (SR,), ())
    assert record_report(waiting, TRANSACTION, [SEG], {SR: 0x0110}) == ReportOutcome(0)

    assert (status(waiting, SEG), status(waiting, SR)) == (DeliveryStatus.COMMITTED, DeliveryStatus.QUEUED)


def test_an_unknown_transaction_is_answered_as_an_invalid_argument_and_changes_nothing(waiting: Index) -> None:
    assert record_report(waiting, "2.25.78", [SEG, SR], {}) == ReportOutcome(UNKNOWN_TRANSACTION)
    assert status(waiting, SEG) == DeliveryStatus.SENT


def test_instances_that_a_report_does_not_name_go_on_waiting(waiting: Index) -> None:
    assert record_report(waiting, TRANSACTION, [SEG, "1.2.3"], {}).committed == (SEG,)
    assert status(waiting, SR) == DeliveryStatus.SENT


def test_an_old_failure_repeated_after_a_new_attempt_says_nothing(waiting: Index) -> None:
    record_report(waiting, TRANSACTION, [], {SR: 0x0112})
    note_stored(waiting, SR, "pacs", DeliveryStatus.SENT, "")

    assert record_report(waiting, TRANSACTION, [], {SR: 0x0112}) == ReportOutcome(0)
    assert status(waiting, SR) == DeliveryStatus.SENT


def test_a_late_commitment_frees_a_parked_result(waiting: Index) -> None:
    park(waiting, SR, "pacs", "given up after 14 days")

    assert record_report(waiting, TRANSACTION, [SR], {}).committed == (SR,)


def test_a_committed_result_is_never_parked(waiting: Index) -> None:
    record_report(waiting, TRANSACTION, [SR], {})
    park(waiting, SR, "pacs", "too late")

    assert status(waiting, SR) == DeliveryStatus.COMMITTED


def test_an_unknown_failure_reason_is_shown_as_it_came(waiting: Index) -> None:
    assert record_report(waiting, TRANSACTION, [], {SR: 0xC999}).queued == (SR,)
    with waiting.snapshot() as session:
        row = delivery(session, SR, "pacs")
    assert row is not None
    assert row.reason == "not committed: for an unknown reason (C999)"


def test_a_result_that_is_never_committed_is_sent_ever_less_often_and_given_up_after_two_weeks(waiting: Index) -> None:
    waits = []
    for n in range(10):
        before_s = time.time()
        record_report(waiting, f"2.25.{n}" if n else TRANSACTION, [], {SR: 0x0112})
        with waiting.snapshot() as session:
            row = delivery(session, SR, "pacs")
        assert row is not None
        waits.append(round(row.queued_s - before_s))
        with waiting.transaction() as session:
            session.execute(update(DeliveryRow).values(attempts=n + 2))
        note_stored(waiting, SR, "pacs", DeliveryStatus.SENT, "")
        ask(waiting, f"2.25.{n + 1}")
    with waiting.transaction() as session:
        session.execute(update(ResultRow).values(created_s=time.time() - 15 * 86400))

    assert waits == [5, 10, 20, 40, 80, 160, 320, 640, 900, 900]
    assert record_report(waiting, "2.25.10", [], {SR: 0x0112}).parked == (SR,)


def test_a_late_report_to_a_request_that_was_repeated_since_commits(waiting: Index) -> None:
    ask(waiting, "2.25.78")

    assert record_report(waiting, TRANSACTION, [SEG, SR], {}) == ReportOutcome(0, (SEG, SR))
    assert record_report(waiting, "2.25.78", [SEG, SR], {}) == ReportOutcome(0)


def test_a_late_failure_waits_for_the_answer_to_the_request_that_was_made_since(waiting: Index) -> None:
    ask(waiting, "2.25.78")

    assert record_report(waiting, TRANSACTION, [], {SR: 0x0112}) == ReportOutcome(0)
    assert status(waiting, SR) == DeliveryStatus.SENT
    assert record_report(waiting, "2.25.78", [], {SR: 0x0112}).queued == (SR,)


def test_an_old_commitment_says_nothing_of_a_result_that_had_to_be_sent_again(waiting: Index) -> None:
    ask(waiting, "2.25.78")
    record_report(waiting, "2.25.78", [], {SR: 0x0112})
    note_stored(waiting, SR, "pacs", DeliveryStatus.SENT, "")

    assert record_report(waiting, TRANSACTION, [SR], {}) == ReportOutcome(0)
    assert status(waiting, SR) == DeliveryStatus.SENT
