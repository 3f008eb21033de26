"""How far deliveries are."""

from pathlib import Path

from sqlalchemy import update

from dicomnode.deliver.ledger import note_failure, note_stored, park
from dicomnode.deliver.outbox import post
from dicomnode.deliver.status import DestinationStatus, close_runs, destinations, open_deliveries
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


def test_each_destination_is_counted_on_its_own(tmp_path: Path, index: Index) -> None:
    posted(index, tmp_path)
    for sop_instance_uid in (SEG, SR):
        note_stored(index, sop_instance_uid, "archive", DeliveryStatus.STORED, "")
    note_stored(index, SEG, "pacs", DeliveryStatus.SENT, "")
    park(index, SR, "pacs", "refused")

    with index.snapshot() as session:
        assert destinations(session, 160.0) == (
            DestinationStatus("archive", queued=0, sent=0, committed=0, stored=2, parked=0, oldest_s=None),
            DestinationStatus("pacs", queued=0, sent=1, committed=0, stored=0, parked=1, oldest_s=60.0),
        )


def test_what_a_person_must_act_on_comes_first(tmp_path: Path, index: Index) -> None:
    posted(index, tmp_path)
    note_failure(index, SEG, "pacs", "connection refused")
    park(index, SR, "pacs", "refused")

    with index.snapshot() as session:
        first, second = open_deliveries(session, 160.0, "pacs")
        everything = open_deliveries(session, 160.0)

    assert (first.sop_instance_uid, first.status, first.reason) == (SR, DeliveryStatus.PARKED, "refused")
    assert (second.attempts, second.reason, second.waited_s) == (1, "connection refused", 60.0)
    assert len(everything) == 4


def test_a_run_is_done_when_every_destination_has_everything(tmp_path: Path, index: Index) -> None:
    posted(index, tmp_path)
    for sop_instance_uid in (SEG, SR):
        note_stored(index, sop_instance_uid, "archive", DeliveryStatus.STORED, "")
    note_stored(index, SEG, "pacs", DeliveryStatus.STORED, "")
    assert close_runs(index) == ()

    note_stored(index, SR, "pacs", DeliveryStatus.STORED, "")
    assert close_runs(index) == (RUN,)
