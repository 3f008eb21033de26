"""Delivery to a real PACS: stored, counted, committed, and sent again where it was lost."""

import time
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import pytest
from pydicom import dcmread
from pynetdicom.sop_class import StorageCommitmentPushModel

from dicomnode.deliver.commitment import request_commitment
from dicomnode.deliver.ledger import delivery
from dicomnode.deliver.outbox import post
from dicomnode.deliver.send import Sender, send, send_many
from dicomnode.deliver.status import close_runs
from dicomnode.errors import PeerUnavailable
from dicomnode.index.database import Index
from dicomnode.peers.echo import echo
from dicomnode.peers.query import instances_of, series_counts
from dicomnode.peers.remote import Remote
from dicomnode.values import DeliveryStatus, Result, Role
from tests.integration.deliver.test_commitment import receiver
from tests.orthanc import Orthanc, orthanc
from tests.peers_made import remote_at
from tests.results_made import EXPLICIT, RUN, SEG, SR_3D, STUDY, mask, outbox_object, report

pytestmark = pytest.mark.peers("Orthanc", "cc")


@pytest.fixture
def pacs(tmp_path: Path, index: Index) -> Iterator[tuple[Orthanc, Remote]]:
    """Orthanc, and how we call it; commitment reports go into the index."""
    (tmp_path / "pacs").mkdir()
    with (
        receiver(index) as port,
        orthanc(tmp_path / "pacs", node_port=port, settings={"LuaScripts": []}) as running,
    ):
        yield running, remote_at(running.dicom_port, ae_title=running.ae_title, query=True)


def posted(index: Index, state: Path) -> tuple[Result, ...]:
    return post(index, state, RUN, ["pacs"], [outbox_object(mask(), Role.SEG), outbox_object(report())])


def wait_for(index: Index, result: Result, *statuses: DeliveryStatus) -> None:
    """Until the result has one of the statuses; a status other than SENT that is none of them fails."""
    end = time.monotonic() + 20
    found = None
    while time.monotonic() < end:
        with index.snapshot() as session:
            found = delivery(session, result.sop_instance_uid, "pacs")
        if found is not None and found.status in statuses:
            return
        time.sleep(0.05)
    pytest.fail(f"expected {statuses}, found {found and (found.status, found.reason)}")


def test_results_are_stored_as_they_are_and_committed(
    tmp_path: Path, index: Index, pacs: tuple[Orthanc, Remote]
) -> None:
    running, remote = pacs
    results = posted(index, tmp_path)
    assert echo(remote, {SEG, SR_3D, StorageCommitmentPushModel}).accepted == {SEG, SR_3D, StorageCommitmentPushModel}

    outcomes = send_many(Sender(index, tmp_path, remote), results)
    request_commitment(index, remote, results)
    for result in results:
        wait_for(index, result, DeliveryStatus.COMMITTED)

    there = running.instances()
    assert [outcome.status for outcome in outcomes] == [DeliveryStatus.SENT] * 2
    assert set(there) == {result.sop_instance_uid for result in results}
    for result in results:
        stored = dcmread(BytesIO(running.file(there[result.sop_instance_uid]["id"])))
        assert stored == dcmread(result.path)
        assert stored.file_meta.TransferSyntaxUID == EXPLICIT
    assert close_runs(index) == (RUN,)


def test_what_the_pacs_lost_before_it_committed_is_sent_again(
    tmp_path: Path, index: Index, pacs: tuple[Orthanc, Remote]
) -> None:
    running, remote = pacs
    seg, sr = posted(index, tmp_path)
    send_many(Sender(index, tmp_path, remote), [seg, sr])
    running.delete(running.instances()[seg.sop_instance_uid]["id"])

    request_commitment(index, remote, [seg, sr])
    wait_for(index, seg, DeliveryStatus.QUEUED)
    wait_for(index, sr, DeliveryStatus.COMMITTED)
    send(Sender(index, tmp_path, remote), seg)
    request_commitment(index, remote, [seg, sr])

    wait_for(index, seg, DeliveryStatus.COMMITTED)
    assert len(running.instances()) == 2


def test_the_pacs_is_asked_for_what_it_holds(tmp_path: Path, index: Index, pacs: tuple[Orthanc, Remote]) -> None:
    _, remote = pacs
    seg, sr = posted(index, tmp_path)
    send_many(Sender(index, tmp_path, remote), [seg, sr])

    assert series_counts(remote, STUDY) == {seg.series_uid: 1, sr.series_uid: 1}
    assert instances_of(remote, STUDY, sr.series_uid) == {sr.sop_instance_uid}
    assert series_counts(remote, "1.2.3") == {}


def test_a_pacs_that_is_restarted_gets_what_waited(tmp_path: Path, index: Index) -> None:
    (tmp_path / "pacs").mkdir()
    (seg, _) = posted(index, tmp_path)
    with orthanc(tmp_path / "pacs", settings={"LuaScripts": []}) as running:
        remote = remote_at(running.dicom_port, ae_title=running.ae_title, commitment=False)
    with pytest.raises(PeerUnavailable, match="connection refused"):
        send(Sender(index, tmp_path, remote), seg)
    with orthanc(tmp_path / "pacs", settings={"LuaScripts": [], "DicomPort": remote.peer.port}) as running:
        assert send(Sender(index, tmp_path, remote), seg).status is DeliveryStatus.STORED
        assert list(running.instances()) == [seg.sop_instance_uid]
