"""Storage Commitment: asked for, reported on either association, and sent again where it fails."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from pydicom import Dataset
from pynetdicom import AE, evt
from pynetdicom.sop_class import StorageCommitmentPushModel

from dicomnode.deliver.commitment import _open_transaction as open_transaction
from dicomnode.deliver.commitment import overdue, request_commitment, unasked
from dicomnode.deliver.ledger import delivery
from dicomnode.deliver.outbox import post
from dicomnode.deliver.reports import on_event_report
from dicomnode.deliver.send import Sender, send, send_many
from dicomnode.deliver.status import close_runs, held_up
from dicomnode.index.database import Index
from dicomnode.index.schema import DeliveryRow, RunRow
from dicomnode.peers.faults import BusyPeer, Failed, NoAnswer, NotAccepted
from dicomnode.peers.remote import Remote
from dicomnode.values import DeliveryStatus, Result, Role, RunStatus
from tests.peers_made import OUR_AE, Pacs, peer, remote_at
from tests.results_made import RUN, mask, outbox_object, report


def sent(index: Index, state: Path, remote: Remote) -> tuple[Result, ...]:
    """A SEG and an SR that the peer has stored."""
    objects = [outbox_object(mask(), Role.SEG), outbox_object(report())]
    results = post(index, state, RUN, ["pacs"], objects)
    send_many(Sender(index, state, remote), results)
    return results


def row(index: Index, result: Result) -> DeliveryRow:
    with index.snapshot() as session:
        found = delivery(session, result.sop_instance_uid, "pacs")
    assert found is not None
    return found


def statuses(index: Index, results: tuple[Result, ...]) -> list[str]:
    return [row(index, result).status for result in results]


def run_status(index: Index) -> str:
    with index.snapshot() as session:
        found = session.get(RunRow, RUN)
    assert found is not None
    return found.status


@contextmanager
def receiver(index: Index) -> Iterator[int]:
    """The part of our receiver that takes commitment reports, on a port."""
    ae = AE(OUR_AE)
    ae.add_supported_context(StorageCommitmentPushModel, scu_role=False, scp_role=True)
    handlers = [(evt.EVT_N_EVENT_REPORT, lambda event: (on_event_report(index, event.event_information), None))]
    server = ae.start_server(("127.0.0.1", 0), block=False, evt_handlers=handlers)
    try:
        yield server.socket.getsockname()[1]
    finally:
        server.shutdown()


def test_a_report_on_our_own_association_commits_and_ends_the_run(tmp_path: Path, index: Index) -> None:
    pacs = Pacs()
    with peer(pacs) as remote:
        results = sent(index, tmp_path, remote)
        assert close_runs(index) == ()
        transaction_uid = request_commitment(index, remote, results, hold_s=5.0)

    assert pacs.asked == [[result.sop_instance_uid for result in results]]
    assert pacs.report_answers == [0x0000]
    assert statuses(index, results) == [DeliveryStatus.COMMITTED] * 2
    assert row(index, results[0]).transaction_uid == transaction_uid
    assert row(index, results[0]).committed_s is not None
    assert close_runs(index) == (RUN,)
    assert run_status(index) == RunStatus.DONE
    assert close_runs(index) == ()


def test_a_report_on_an_association_that_the_peer_opens_commits(tmp_path: Path, index: Index) -> None:
    with receiver(index) as port:
        pacs = Pacs(report_port=port)
        with peer(pacs) as remote:
            results = sent(index, tmp_path, remote)
            request_commitment(index, remote, results, hold_s=0.0)

    assert pacs.report_answers == [0x0000]
    assert statuses(index, results) == [DeliveryStatus.COMMITTED] * 2


def test_what_is_not_committed_is_sent_again_and_then_committed(tmp_path: Path, index: Index) -> None:
    pacs = Pacs()
    with peer(pacs) as remote:
        seg, sr = sent(index, tmp_path, remote)
        pacs.commits_not = {seg.sop_instance_uid: 0x0112}
        request_commitment(index, remote, [seg, sr], hold_s=5.0)

        assert statuses(index, (seg, sr)) == [DeliveryStatus.QUEUED, DeliveryStatus.COMMITTED]
        assert row(index, seg).reason == "not committed: it does not have the instance (0112)"
        assert 4.0 < row(index, seg).queued_s - time.time() <= 5.0
        assert close_runs(index) == ()

        pacs.commits_not = {}
        assert send(Sender(index, tmp_path, remote), seg).status is DeliveryStatus.SENT
        request_commitment(index, remote, [seg, sr], hold_s=5.0)

    assert pacs.asked[-1] == [seg.sop_instance_uid]
    assert pacs.store_count == 3
    assert close_runs(index) == (RUN,)


def test_a_kind_of_object_that_is_never_committed_waits_for_a_person(tmp_path: Path, index: Index) -> None:
    pacs = Pacs()
    with peer(pacs) as remote:
        seg, sr = sent(index, tmp_path, remote)
        pacs.commits_not = {seg.sop_instance_uid: 0x0122}
        request_commitment(index, remote, [seg, sr], hold_s=5.0)

    assert row(index, seg).status == DeliveryStatus.PARKED
    assert row(index, seg).reason == "not committed: it commits no instances of this SOP class (0122)"


def test_a_peer_without_the_service_is_refused_by_name_and_asked_again_later(tmp_path: Path, index: Index) -> None:
    with peer(Pacs(commitment=False)) as remote:
        results = sent(index, tmp_path, remote)
        with pytest.raises(NotAccepted, match="Storage Commitment Push Model"):
            request_commitment(index, remote, results)

    with index.snapshot() as session:
        assert unasked(session, "pacs") == tuple(result.sop_instance_uid for result in results)


@pytest.mark.parametrize(("status", "fault"), [(0x0213, BusyPeer), (0x0110, BusyPeer), (0x0124, Failed)])
def test_a_refused_request_is_later_or_never(tmp_path: Path, index: Index, status: int, fault: type[Exception]) -> None:
    with peer(Pacs(commitment_status=status)) as remote:
        results = sent(index, tmp_path, remote)
        with pytest.raises(fault, match=f"{status:04X}"):
            request_commitment(index, remote, results)

    assert statuses(index, results) == [DeliveryStatus.SENT] * 2


def test_a_peer_that_went_down_after_storing_is_asked_again(tmp_path: Path, index: Index) -> None:
    with peer(Pacs()) as remote:
        results = sent(index, tmp_path, remote)
    with pytest.raises(NoAnswer):
        request_commitment(index, remote_at(remote.peer.port), results)

    with index.snapshot() as session:
        assert len(unasked(session, "pacs")) == 2


def test_a_report_that_never_comes_is_overdue_after_the_configured_wait(tmp_path: Path, index: Index) -> None:
    with receiver(index) as port:
        pacs, asked_s = Pacs(report_port=port), time.time()
        with peer(pacs, commitment_wait_s=60) as remote:
            (seg, sr) = sent(index, tmp_path, remote)
            request_commitment(index, remote, [sr], hold_s=0.0)
            pacs.threads[0].join()
            with index.transaction() as session:
                waiting = delivery(session, seg.sop_instance_uid, "pacs")
                assert waiting is not None
                waiting.requested_s, waiting.transaction_uid = asked_s, "2.25.1"

    with index.snapshot() as session:
        assert overdue(session, remote, asked_s + 59) == ()
        assert overdue(session, remote, asked_s + 61) == (seg.sop_instance_uid,)


def test_nothing_is_asked_where_nothing_waits(tmp_path: Path, index: Index) -> None:
    pacs = Pacs()
    with peer(pacs, commitment=False) as remote:
        results = sent(index, tmp_path, remote)

        assert request_commitment(index, remote, results) == ""
    assert pacs.asked == []
    assert close_runs(index) == (RUN,)


def test_results_that_were_just_asked_for_are_not_asked_for_twice(tmp_path: Path, index: Index) -> None:
    with receiver(index) as port:
        pacs = Pacs(report_port=port)
        with peer(pacs) as remote:
            results = sent(index, tmp_path, remote)
            request_commitment(index, remote, results[:1], hold_s=0.0)
            request_commitment(index, remote, results, hold_s=0.0)

    assert pacs.asked == [[results[0].sop_instance_uid], [results[1].sop_instance_uid]]
    assert statuses(index, results) == [DeliveryStatus.COMMITTED] * 2


def test_a_request_that_we_were_killed_over_is_made_again_soon_and_either_report_commits(
    tmp_path: Path, index: Index
) -> None:
    pacs = Pacs()
    with peer(pacs, timeout_s=5) as remote:
        results = sent(index, tmp_path, remote)
        lost = open_transaction(index, remote, results, "2.25.1")  # killed before it left: its row alone is there
        asked_s = row(index, lost[0]).requested_s
        assert asked_s is not None

        with index.snapshot() as session:
            assert overdue(session, remote, asked_s + 14) == ()
            assert len(overdue(session, remote, asked_s + 16)) == len(lost) == 2
    information = Dataset()
    information.TransactionUID = "2.25.1"
    information.ReferencedSOPSequence = [referenced(result) for result in results]

    assert on_event_report(index, information) == 0x0000
    assert statuses(index, results) == [DeliveryStatus.COMMITTED] * 2


def test_a_destination_that_never_reports_is_named_with_what_to_look_at(tmp_path: Path, index: Index) -> None:
    pacs = Pacs(reports=False)
    with peer(pacs, commitment_wait_s=0.01) as remote:
        results = sent(index, tmp_path, remote)
        for _ in range(2):
            request_commitment(index, remote, results, hold_s=0.0)
            time.sleep(0.05)

    assert len(pacs.asked) == 2
    with index.snapshot() as session:
        (held,) = held_up(session, time.time())
    assert str(held).startswith("2 result(s) wait for pacs")
    assert "never reported that it keeps them: does it know our AE title" in str(held)


def referenced(result: Result) -> Dataset:
    item = Dataset()
    item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID = result.sop_class_uid, result.sop_instance_uid
    return item
