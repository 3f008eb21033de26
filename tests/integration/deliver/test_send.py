"""C-STORE of results: what is proposed, what is sent, and what each answer means."""

import socket
import time
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEGLSLossless,
    RLELossless,
    SecondaryCaptureImageStorage,
)

from dicomnode.deliver.fallback import fallback_uid
from dicomnode.deliver.ledger import delivery, park
from dicomnode.deliver.outbox import OutboxDamaged, post, read_unchanged
from dicomnode.deliver.send import Sender, Sent, Withdrawn, send, send_many
from dicomnode.index.database import Index
from dicomnode.index.withdrawals import mark_withdrawn, withdrawal_of
from dicomnode.index.work import retry_deliveries
from dicomnode.peers.faults import Aborted, BusyPeer, Failed, NoAnswer, NotAccepted, Rejected
from dicomnode.values import DeliveryStatus, Result, Role
from tests.peers_made import Pacs, peer, remote_at, silent_port
from tests.results_made import EXPLICIT, RUN, SEG, SR_3D, SR_PLAIN, mask, outbox_object, report

SC = str(SecondaryCaptureImageStorage)
IMPLICIT, RLE, DEFLATED = str(ImplicitVRLittleEndian), str(RLELossless), str(DeflatedExplicitVRLittleEndian)


def posted(index: Index, state: Path, *datasets: Dataset) -> tuple[Result, ...]:
    return post(index, state, RUN, ["pacs"], [outbox_object(dataset, Role(dataset.Modality)) for dataset in datasets])


PIXELS = np.arange(4 * 6 * 3, dtype=np.uint8).reshape(4, 6, 3)


def picture() -> Dataset:
    """A Secondary Capture of 4 × 6 colour pixels, RLE."""
    made = mask("SC 1")
    made.SOPClassUID = made.file_meta.MediaStorageSOPClassUID = SC
    made.Modality = "SC"  # its role, as `posted` reads it
    made.Rows, made.Columns, made.SamplesPerPixel, made.PlanarConfiguration = 4, 6, 3, 0
    made.BitsAllocated = made.BitsStored = 8
    made.HighBit, made.PixelRepresentation, made.PhotometricInterpretation = 7, 0, "RGB"
    del made.NumberOfFrames
    made.PixelData = PIXELS.tobytes()
    made.compress(RLELossless, generate_instance_uid=False)
    return made


def row(index: Index, sop_instance_uid: str) -> tuple[str, int, str]:
    with index.snapshot() as session:
        found = delivery(session, sop_instance_uid, "pacs")
        assert found is not None
        return found.status, found.attempts, found.reason


def body(result: Result) -> bytes:
    """The encoded data set of a file, without preamble and group 0002."""
    content = read_unchanged(result)
    meta = dcmread(BytesIO(content), stop_before_pixels=True).file_meta
    return content[132 + 12 + meta.FileMetaInformationGroupLength :]


def test_exactly_what_is_needed_is_proposed_and_the_bytes_arrive_as_they_lie(tmp_path: Path, index: Index) -> None:
    (seg,) = posted(index, tmp_path, mask())
    pacs = Pacs()
    with peer(pacs) as remote:
        sent = send(Sender(index, tmp_path, remote), seg)

    assert pacs.proposed == [(SEG, (EXPLICIT,)), (SEG, (IMPLICIT,))]
    assert pacs.stored == {seg.sop_instance_uid: (EXPLICIT, body(seg))}
    assert sent == Sent(seg, DeliveryStatus.SENT)
    assert row(index, seg.sop_instance_uid) == (DeliveryStatus.SENT, 1, "")


def test_a_peer_without_commitment_has_the_result_for_good(tmp_path: Path, index: Index) -> None:
    (seg,) = posted(index, tmp_path, mask())
    with peer(Pacs(), commitment=False) as remote:
        assert send(Sender(index, tmp_path, remote), seg).status is DeliveryStatus.STORED


def test_a_delivered_result_is_not_sent_again(tmp_path: Path, index: Index) -> None:
    (seg,) = posted(index, tmp_path, mask())
    pacs = Pacs()
    with peer(pacs) as remote:
        first = send(Sender(index, tmp_path, remote), seg)
        assert send(Sender(index, tmp_path, remote), seg) == first

    assert pacs.store_count == 1


def test_a_peer_that_knows_implicit_vr_alone_gets_the_same_values(tmp_path: Path, index: Index) -> None:
    (sr,) = posted(index, tmp_path, report(value_types=("TEXT", "CODE")))
    pacs = Pacs(storage={SR_3D: [IMPLICIT]})
    with peer(pacs) as remote:
        send(Sender(index, tmp_path, remote), sr)

    syntax, encoded = pacs.stored[sr.sop_instance_uid]
    received = dcmread(BytesIO(encoded), force=True)
    assert syntax == IMPLICIT
    assert encoded != body(sr)
    assert Dataset(received) == Dataset(dcmread(sr.path))


def test_a_deflated_result_goes_plain_to_a_peer_that_cannot_inflate(tmp_path: Path, index: Index) -> None:
    dataset = mask()
    dataset.file_meta.TransferSyntaxUID = DeflatedExplicitVRLittleEndian
    (seg,) = posted(index, tmp_path, dataset)
    pacs = Pacs()
    with peer(pacs) as remote:
        send(Sender(index, tmp_path, remote), seg)

    syntax, encoded = pacs.stored[seg.sop_instance_uid]
    assert syntax == EXPLICIT
    plain = mask()
    plain.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    assert encoded == outbox_object(plain).content[-len(encoded) :]


def test_an_rle_picture_goes_as_it_lies_where_the_peer_takes_it(tmp_path: Path, index: Index) -> None:
    (capture,) = posted(index, tmp_path, picture())
    pacs = Pacs(storage={SC: [RLE, EXPLICIT]})
    with peer(pacs) as remote:
        send(Sender(index, tmp_path, remote), capture)

    assert pacs.stored == {capture.sop_instance_uid: (RLE, body(capture))}


def test_an_rle_picture_goes_plain_where_the_peer_does_not_with_the_same_pixels(tmp_path: Path, index: Index) -> None:
    (capture,) = posted(index, tmp_path, picture())
    pacs = Pacs(storage={SC: [EXPLICIT]})
    with peer(pacs) as remote:
        send(Sender(index, tmp_path, remote), capture)

    syntax, encoded = pacs.stored[capture.sop_instance_uid]
    assert syntax == EXPLICIT
    assert PIXELS.tobytes() in encoded


def test_pixels_compressed_otherwise_are_never_rewritten(tmp_path: Path, index: Index) -> None:
    dataset = mask()
    dataset.file_meta.TransferSyntaxUID = JPEGLSLossless
    del dataset.PixelData
    (seg,) = posted(index, tmp_path, dataset)
    pacs = Pacs()
    with peer(pacs) as remote, pytest.raises(NotAccepted) as caught:
        send(Sender(index, tmp_path, remote), seg)

    assert pacs.proposed == [(SEG, (str(JPEGLSLossless),))]
    assert caught.value.sop_classes == (SEG,)
    assert row(index, seg.sop_instance_uid) == (DeliveryStatus.QUEUED, 1, str(caught.value))


@pytest.mark.parametrize("status", [0x0111, 0xB000, 0xB006, 0xB007])
def test_duplicates_and_warnings_are_deliveries_with_a_remark(tmp_path: Path, index: Index, status: int) -> None:
    (seg,) = posted(index, tmp_path, mask())
    with peer(Pacs(store_status={seg.sop_instance_uid: status})) as remote:
        sent = send(Sender(index, tmp_path, remote), seg)

    assert sent.status is DeliveryStatus.SENT
    assert f"({status:04X})" in sent.remark
    assert row(index, seg.sop_instance_uid) == (DeliveryStatus.SENT, 1, sent.remark)


@pytest.mark.parametrize(
    ("status", "fault"),
    [(0xA700, BusyPeer), (0xA7FF, BusyPeer), (0x0110, BusyPeer), (0x0213, BusyPeer)]
    + [(status, Failed) for status in (0xA900, 0xA9FF, 0xC000, 0xC123, 0x0117, 0x0122, 0x0124, 0x0212)],
)
def test_failure_statuses_are_later_or_never(tmp_path: Path, index: Index, status: int, fault: type[Exception]) -> None:
    (seg,) = posted(index, tmp_path, mask())
    with peer(Pacs(store_status={seg.sop_instance_uid: status})) as remote, pytest.raises(fault) as caught:
        send(Sender(index, tmp_path, remote), seg)

    assert f"{status:04X}" in str(caught.value)
    assert row(index, seg.sop_instance_uid) == (DeliveryStatus.QUEUED, 1, str(caught.value))


def test_a_peer_that_is_down_is_worth_another_try(tmp_path: Path, index: Index) -> None:
    (seg,) = posted(index, tmp_path, mask())
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        remote = remote_at(closed.getsockname()[1])
        with pytest.raises(NoAnswer, match="connection refused"):
            send(Sender(index, tmp_path, remote), seg)


def test_a_peer_that_takes_the_connection_and_says_nothing_is_given_up_in_time(tmp_path: Path, index: Index) -> None:
    (seg,) = posted(index, tmp_path, mask())
    with silent_port() as port, pytest.raises(NoAnswer, match="too long"):
        send(Sender(index, tmp_path, remote_at(port, timeout_s=1)), seg)


def test_a_peer_that_rejects_us_for_good_is_not_asked_for_ever(tmp_path: Path, index: Index) -> None:
    (seg,) = posted(index, tmp_path, mask())
    with peer(Pacs(knows=["SOMEONE"])) as remote, pytest.raises(Rejected, match="Calling AE title"):
        send(Sender(index, tmp_path, remote), seg)


def test_an_abort_and_a_silence_after_the_data_are_worth_another_try(tmp_path: Path, index: Index) -> None:
    (seg,) = posted(index, tmp_path, mask())
    for pacs in (Pacs(abort_on_store=True), Pacs(answers_after_s=7.0)):
        with peer(pacs, timeout_s=5) as remote, pytest.raises(Aborted, match="C-STORE"):
            send(Sender(index, tmp_path, remote), seg)


def test_a_damaged_result_never_leaves(tmp_path: Path, index: Index) -> None:
    (seg,) = posted(index, tmp_path, mask())
    seg.path.write_bytes(b"not what was written")
    pacs = Pacs()
    with peer(pacs) as remote, pytest.raises(OutboxDamaged):
        send(Sender(index, tmp_path, remote), seg)

    assert pacs.store_count == 0


def test_several_results_share_one_association_and_one_failure_harms_no_other(tmp_path: Path, index: Index) -> None:
    seg, bad, sr = posted(index, tmp_path, mask(), mask("SEG 2"), report())
    pacs = Pacs(store_status={bad.sop_instance_uid: 0xC000}, at_most=1)
    with peer(pacs) as remote:
        first, second, third = send_many(Sender(index, tmp_path, remote), [seg, bad, sr])

    assert (first, third) == (Sent(seg, DeliveryStatus.SENT), Sent(sr, DeliveryStatus.SENT))
    assert isinstance(second, Failed)
    assert pacs.store_count == 3


def test_after_an_abort_the_rest_is_not_tried_on_the_dead_association(tmp_path: Path, index: Index) -> None:
    results = posted(index, tmp_path, mask(), report())
    pacs = Pacs(abort_on_store=True)
    with peer(pacs) as remote:
        outcomes = send_many(Sender(index, tmp_path, remote), results)

    assert [type(outcome) for outcome in outcomes] == [Aborted, Aborted]
    assert pacs.store_count == 1


def test_a_report_goes_as_comprehensive_sr_where_the_3d_class_is_refused(tmp_path: Path, index: Index) -> None:
    (sr,) = posted(index, tmp_path, report(value_types=("TEXT", "SCOORD")))
    pacs = Pacs(storage={SR_PLAIN: [EXPLICIT]})
    with peer(pacs) as remote:
        sent = send(Sender(index, tmp_path, remote), sr)
        again = send(Sender(index, tmp_path, remote), sr)

    copy = dcmread(sent.result.path)
    assert again == sent
    assert list(pacs.stored) == [fallback_uid(sr.sop_instance_uid)] == [copy.SOPInstanceUID]
    assert (copy.SOPClassUID, copy.file_meta.MediaStorageSOPClassUID) == (SR_PLAIN, SR_PLAIN)
    assert copy.SeriesInstanceUID == fallback_uid(sr.series_uid)
    assert copy.ContentSequence == dcmread(sr.path).ContentSequence
    with index.snapshot() as session:
        assert delivery(session, sr.sop_instance_uid, "pacs") is None
    assert row(index, copy.SOPInstanceUID)[0] == DeliveryStatus.SENT


def test_a_fallback_that_failed_is_the_one_that_is_tried_again(tmp_path: Path, index: Index) -> None:
    (sr,) = posted(index, tmp_path, report())
    copy_uid = fallback_uid(sr.sop_instance_uid)
    with peer(Pacs(storage={SR_PLAIN: [EXPLICIT]}, store_status={copy_uid: 0xA700})) as remote, pytest.raises(BusyPeer):
        send(Sender(index, tmp_path, remote), sr)
    taught = Pacs()  # takes both classes by now
    with peer(taught) as remote:
        send(Sender(index, tmp_path, remote), sr)

    assert list(taught.stored) == [copy_uid]


def test_a_fallback_is_parked_under_the_name_of_its_original(tmp_path: Path, index: Index) -> None:
    (sr,) = posted(index, tmp_path, report())
    copy_uid = fallback_uid(sr.sop_instance_uid)
    with peer(Pacs(storage={SR_PLAIN: [EXPLICIT]}, store_status={copy_uid: 0xC000})) as remote, pytest.raises(Failed):
        send(Sender(index, tmp_path, remote), sr)
    park(index, sr.sop_instance_uid, "pacs", "refused")

    assert row(index, copy_uid) == (DeliveryStatus.PARKED, 1, "refused")


def test_a_report_with_3d_coordinates_has_no_fallback(tmp_path: Path, index: Index) -> None:
    (sr,) = posted(index, tmp_path, report(value_types=("SCOORD3D",)))
    pacs = Pacs(storage={SR_PLAIN: [EXPLICIT]})
    with peer(pacs) as remote, pytest.raises(NotAccepted, match="Comprehensive 3D SR"):
        send(Sender(index, tmp_path, remote), sr)

    assert [sop_class for sop_class, _ in pacs.proposed] == [SR_3D, SR_3D]


def test_a_fallback_names_the_fallback_that_it_replaces(tmp_path: Path, index: Index) -> None:
    first, second = posted(index, tmp_path, report("SR 1"), report("SR 2", predecessor="SR 1"))
    with peer(Pacs(storage={SR_PLAIN: [EXPLICIT]})) as remote:
        send(Sender(index, tmp_path, remote), first)
        sent = send(Sender(index, tmp_path, remote), second)

    (study,) = dcmread(sent.result.path).PredecessorDocumentsSequence
    (series,) = study.ReferencedSeriesSequence
    (reference,) = series.ReferencedSOPSequence
    assert series.SeriesInstanceUID == fallback_uid(first.series_uid)
    assert reference.ReferencedSOPClassUID == SR_PLAIN
    assert reference.ReferencedSOPInstanceUID == fallback_uid(first.sop_instance_uid)


def test_a_parked_result_waits_for_a_person_and_is_then_sent(tmp_path: Path, index: Index) -> None:
    (seg,) = posted(index, tmp_path, mask())
    park(index, seg.sop_instance_uid, "pacs", "refused")
    assert row(index, seg.sop_instance_uid) == (DeliveryStatus.PARKED, 0, "refused")

    with index.transaction() as session:
        assert retry_deliveries(session, "pacs") == 1
        assert retry_deliveries(session, "pacs") == 0
    with peer(Pacs()) as remote:
        assert send(Sender(index, tmp_path, remote), seg).status is DeliveryStatus.SENT


def test_a_large_result_over_many_pdus_arrives_whole(tmp_path: Path, index: Index) -> None:
    (seg,) = posted(index, tmp_path, mask(frames=1 << 18))  # 2 MiB
    pacs = Pacs()
    with peer(pacs) as remote:
        send(Sender(index, tmp_path, remote), seg)

    assert pacs.stored[seg.sop_instance_uid][1] == body(seg)


def test_a_result_withdrawn_while_it_is_on_its_way_is_withdrawn_there_too_and_stays_so(
    tmp_path: Path, index: Index
) -> None:
    (seg,) = posted(index, tmp_path, mask())
    with peer(Pacs(answers_after_s=1.5)) as remote, ThreadPoolExecutor(1) as thread:
        sending = thread.submit(send, Sender(index, tmp_path, remote), seg)
        while row(index, seg.sop_instance_uid)[1] == 0:
            time.sleep(0.01)
        with index.transaction() as session:
            wanted = withdrawal_of(session, RUN)
            mark_withdrawn(session, RUN, "rejected")
        sending.result(10)

    assert wanted.destinations == ("pacs",)
    assert row(index, seg.sop_instance_uid) == (DeliveryStatus.WITHDRAWN, 1, "rejected")


def test_a_withdrawn_result_is_not_sent_whoever_asks(tmp_path: Path, index: Index) -> None:
    (seg,) = posted(index, tmp_path, mask())
    with index.transaction() as session:
        mark_withdrawn(session, RUN, "rejected")
    pacs = Pacs()
    with peer(pacs) as remote:
        with pytest.raises(Withdrawn):
            send(Sender(index, tmp_path, remote), seg)
        park(index, seg.sop_instance_uid, "pacs", "withdrawn")

    assert pacs.store_count == 0
    assert row(index, seg.sop_instance_uid) == (DeliveryStatus.WITHDRAWN, 0, "rejected")
