"""How far deliveries are."""

from pathlib import Path

from sqlalchemy import update

from dicomnode.deliver.ledger import note_failure, note_stored, park
from dicomnode.deliver.outbox import post
from dicomnode.deliver.status import HeldUp, close_runs, held_up
from dicomnode.index.database import Index
from dicomnode.index.schema import DeliveryRow
from dicomnode.values import DeliveryStatus, Role
from tests.phantom import uid
from tests.results_made import RUN, mask, outbox_object, report

SEG, SR = uid("SEG 1"), uid("SR 1")


def posted(index: Index, state: Path) -> None:
    post(index, state, RUN, ["archive", "pacs"], [outbox_object(mask(), Role.SEG), outbox_object(report())])
    with index.transaction() as session:
        session.execute(update(DeliveryRow).values(queued_s=100.0))


def seen(index: Index) -> tuple[HeldUp, ...]:
    with index.snapshot() as session:
        return held_up(session, 160.0)


def test_results_that_a_destination_does_not_take_are_told_with_its_answer(tmp_path: Path, index: Index) -> None:
    posted(index, tmp_path)
    assert seen(index) == ()

    for sop_instance_uid in (SEG, SR):
        note_failure(index, sop_instance_uid, "pacs", "connection refused")
    assert seen(index) == (HeldUp("pacs", results=2, oldest_s=60.0, reason="connection refused"),)
    assert str(seen(index)[0]) == "2 result(s) wait for pacs, the oldest for 60 seconds: connection refused"


def test_what_is_stored_or_waits_for_a_person_is_not_held_up(tmp_path: Path, index: Index) -> None:
    posted(index, tmp_path)
    for sop_instance_uid in (SEG, SR):
        note_failure(index, sop_instance_uid, "pacs", "connection refused")
    note_stored(index, SEG, "pacs", DeliveryStatus.STORED, "")
    park(index, SR, "pacs", "refused")

    assert seen(index) == ()


def test_a_run_is_done_when_every_destination_has_everything(tmp_path: Path, index: Index) -> None:
    posted(index, tmp_path)
    for sop_instance_uid in (SEG, SR):
        note_stored(index, sop_instance_uid, "archive", DeliveryStatus.STORED, "")
    note_stored(index, SEG, "pacs", DeliveryStatus.STORED, "")
    assert close_runs(index) == ()

    note_stored(index, SR, "pacs", DeliveryStatus.STORED, "")
    assert close_runs(index) == (RUN,)
