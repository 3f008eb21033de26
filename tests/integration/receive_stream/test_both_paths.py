"""What a sender sees and what is kept, on pynetdicom's own path and on the fast one alike."""

import shutil
import socket
import ssl
import struct
import subprocess
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest
from pydicom import Dataset
from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian
from pynetdicom.association import Association
from pynetdicom.sop_class import CTImageStorage, MRImageStorage, StorageCommitmentPushModel, Verification

from dicomnode.bench import dcmtk
from dicomnode.config.tables import Tls
from dicomnode.peers.caller import Caller
from dicomnode.receive.intake import Limits
from tests.integration.receive_stream.peer import (
    Listen,
    data_set,
    ends,
    raw_association,
    read_pdu,
    status,
)
from tests.phantom import ct_series, mr_series, write
from tests.unit.receive_stream.wire import RELEASE, pdu, pdvs, store

SUCCESS, FULL, BROKEN = 0x0000, 0xA700, 0xC000


@contextmanager
def association(port: int, tls: ssl.SSLContext | None = None, classes: tuple[str, ...] = ()) -> Iterator[Association]:
    """An association of ours as SCU."""
    ae = Caller("SENDER")
    ae.acse_timeout = ae.dimse_timeout = ae.network_timeout = 20
    ae.add_requested_context(Verification)
    for uid in (CTImageStorage, MRImageStorage, *classes):
        ae.add_requested_context(uid, [ExplicitVRLittleEndian, ImplicitVRLittleEndian])
    opened = ae.associate("127.0.0.1", port, ae_title="DICOMNODE", tls_args=(tls, None) if tls else None)
    assert opened.is_established
    try:
        yield opened
    finally:
        if opened.is_established:
            opened.release()


def send(port: int, images: list[Dataset], tls: ssl.SSLContext | None = None) -> list[int]:
    """Statuses of these images, sent over one association."""
    with association(port, tls) as opened:
        return [int(opened.send_c_store(image).Status) for image in images]


def send_raw(port: int, images: list[Dataset]) -> list[int]:
    """As `send`; pynetdicom's own SCU may miss an answer that comes at once on a busy machine."""
    with raw_association(port) as peer:
        statuses = []
        for image in images:
            peer.sendall(pdu(store(image.SOPInstanceUID, data_set(image))))
            statuses.append(status(peer))
        peer.sendall(RELEASE)
        return statuses


def eventually(holds: Callable[[], bool], timeout_s: float = 10.0) -> bool:
    """Whether it comes to hold in time."""
    end = time.monotonic() + timeout_s
    while time.monotonic() < end:
        if holds():
            return True
        time.sleep(0.02)
    return holds()


def test_what_is_answered_with_success_is_on_disk_byte_for_byte_and_in_the_index(listen: Listen) -> None:
    node, images = listen(), [*ct_series(slices=3), *mr_series(slices=2)]

    assert send(node.port, images) == [SUCCESS] * 5
    assert node.uids() == {image.SOPInstanceUID for image in images}
    assert [node.data_set(image.SOPInstanceUID) for image in images] == [data_set(image) for image in images]
    assert node.temporary_files() == []


def test_echo_is_answered_between_instances(listen: Listen) -> None:
    node, (first, second) = listen(), ct_series(slices=2)
    with association(node.port) as opened:
        statuses = [opened.send_c_store(first), opened.send_c_echo(), opened.send_c_store(second), opened.send_c_echo()]

    assert [answer.Status for answer in statuses] == [SUCCESS] * 4
    assert len(node.rows()) == 2


@pytest.mark.parametrize("associations", [4, 20])
def test_many_associations_at_once_lose_nothing(listen: Listen, associations: int) -> None:
    node = listen()
    jobs = [ct_series(slices=6, name=f"CT {number}") for number in range(associations)]
    with ThreadPoolExecutor(associations) as senders:
        answers = list(senders.map(lambda images: send_raw(node.port, images), jobs))

    assert answers == [[SUCCESS] * 6] * associations
    assert len(node.uids()) == 6 * associations


def test_an_association_that_may_ask_for_commitment_stores_too(listen: Listen) -> None:
    node, images = listen(), ct_series(slices=2)
    with association(node.port, classes=(StorageCommitmentPushModel,)) as opened:
        assert [opened.send_c_store(image).Status for image in images] == [SUCCESS] * 2

    assert len(node.rows()) == 2


def test_an_instance_beyond_the_limit_is_refused_and_the_next_one_taken(listen: Listen) -> None:
    node = listen(Limits(reserve_bytes=0, instance_bytes=20_000))
    large, small = ct_series(slices=1, rows=128, columns=128, name="large"), ct_series(slices=1, name="small")

    assert send(node.port, large + small) == [FULL, SUCCESS]
    assert node.uids() == {small[0].SOPInstanceUID}
    assert node.temporary_files() == []


def test_a_full_disk_is_answered_in_words(listen: Listen) -> None:
    node, (image,) = listen(Limits(reserve_bytes=0, instance_bytes=1 << 20)), ct_series(slices=1)
    with association(node.port) as opened:
        node.receiver._intake.limits = Limits(reserve_bytes=1 << 60, instance_bytes=1 << 20)
        answer = opened.send_c_store(image)

    assert (answer.Status, answer.ErrorComment) == (FULL, "less free disk than the reserve")


def test_an_instance_that_is_not_what_the_request_names_is_refused(listen: Listen) -> None:
    node, (image, other) = listen(), ct_series(slices=2)
    raw = data_set(image)
    with raw_association(node.port) as peer:
        peer.sendall(pdu(store(other.SOPInstanceUID, raw)))

        assert status(peer) == 0xA900
    assert node.rows() == []


def test_a_sender_that_aborts_half_way_leaves_nothing_behind_and_harms_no_other(listen: Listen) -> None:
    node, images = listen(), ct_series(slices=2, rows=200, columns=200)
    with raw_association(node.port) as peer:
        peer.sendall(pdu(store(images[0].SOPInstanceUID, data_set(images[0]))))
        assert status(peer) == SUCCESS
        peer.sendall(pdu([store(images[1].SOPInstanceUID, data_set(images[1]), most=500)[0]]))
        peer.sendall(pdu([b"\0" * 4], kind=7))

    assert eventually(lambda: node.temporary_files() == [])
    assert node.uids() == {images[0].SOPInstanceUID}
    assert send(node.port, images) == [SUCCESS] * 2


def test_a_sender_that_vanishes_half_way_leaves_nothing_behind(listen: Listen) -> None:
    node, (image,) = listen(), ct_series(slices=1, rows=200, columns=200)
    with raw_association(node.port) as peer:
        peer.sendall(pdu(store(image.SOPInstanceUID, data_set(image)[:-100]))[:-1])

    assert eventually(lambda: node.temporary_files() == [])
    assert node.rows() == []


def test_a_sender_that_stays_silent_is_dropped_and_named(listen: Listen, fast: bool) -> None:
    node = listen(idle_timeout_s=0.5)
    with raw_association(node.port) as peer:
        peer.settimeout(10)

        assert ends(peer)
    if fast:  # pynetdicom's own timer may be first, and says nothing
        assert eventually(lambda: node.reasons() == ["caller sent no whole PDU in time"])


def test_a_sender_that_trickles_is_dropped(listen: Listen) -> None:
    node, (image,) = listen(idle_timeout_s=0.5, association_timeout_s=2), ct_series(slices=1)
    with raw_association(node.port) as peer:
        peer.settimeout(0.1)
        stream = pdu(store(image.SOPInstanceUID, data_set(image)))

        assert any(_sent_and_dropped(peer, stream[at : at + 1]) for at in range(100))
    assert node.rows() == []


def _sent_and_dropped(peer: socket.socket, byte: bytes) -> bool:
    try:
        peer.sendall(byte)
        return peer.recv(100) != b"never"
    except TimeoutError:
        return False
    except OSError:
        return True


def test_one_instance_over_many_small_pdus_and_several_pdvs_in_one(listen: Listen) -> None:
    node, images = listen(), ct_series(slices=2)
    with raw_association(node.port) as peer:
        for value in store(images[0].SOPInstanceUID, data_set(images[0]), most=37):
            peer.sendall(pdu([value]))
        assert status(peer) == SUCCESS
        peer.sendall(pdu(store(images[1].SOPInstanceUID, data_set(images[1]), most=211)))
        assert status(peer) == SUCCESS
        peer.sendall(RELEASE)
        assert peer.recv(10) == struct.pack(">BBII", 6, 0, 4, 0)

    assert [node.data_set(image.SOPInstanceUID) for image in images] == [data_set(image) for image in images]


def test_data_sent_the_moment_the_association_is_accepted_is_not_lost(listen: Listen) -> None:
    node, images = listen(), ct_series(slices=20)
    for image in images:
        with raw_association(node.port) as peer:
            peer.sendall(pdu(store(image.SOPInstanceUID, data_set(image))) + RELEASE)
            assert status(peer) == SUCCESS
            assert read_pdu(peer)[0] == 6

    assert node.uids() == {image.SOPInstanceUID for image in images}


@pytest.mark.parametrize(
    "stream",
    [
        pytest.param(pdu([b"\0" * 40], kind=9), id="no such PDU"),
        pytest.param(struct.pack(">BBI", 4, 0, 1 << 31), id="a PDU of 2 GB"),
        pytest.param(pdu([struct.pack(">IBB", 5000, 1, 3)]), id="a fragment longer than its PDU"),
        pytest.param(pdu(pdvs(b"abcd")), id="data without a request"),
        pytest.param(pdu(store("1.2.3", b"abcd", context=99)), id="a context that was not accepted"),
    ],
)
def test_a_broken_stream_ends_its_association_and_no_other(listen: Listen, fast: bool, stream: bytes) -> None:
    if not fast:
        pytest.skip("pynetdicom answers these in ways of its own")
    node, (image,) = listen(), ct_series(slices=1)
    with raw_association(node.port) as peer:
        peer.sendall(stream)
        assert read_pdu(peer)[0] == 7

    assert send(node.port, [image]) == [SUCCESS]


def test_a_receiver_that_stops_aborts_open_associations_and_keeps_what_it_answered(listen: Listen) -> None:
    node, (image,) = listen(), ct_series(slices=1)
    with raw_association(node.port) as peer:
        peer.sendall(pdu(store(image.SOPInstanceUID, data_set(image))))
        assert status(peer) == SUCCESS
        begun_s = time.monotonic()
        node.receiver.stop()

        assert ends(peer)
    assert time.monotonic() - begun_s < 10
    assert node.uids() == {image.SOPInstanceUID}


@pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl is not installed")
def test_tls_carries_the_same(listen: Listen, tmp_path: Path) -> None:
    certificate, key = certificate_of("dicomnode", tmp_path)
    node = listen(tls=Tls(certificate=certificate, key=key, authorities=certificate).model_dump())
    context = ssl.create_default_context(ssl.Purpose.SERVER_AUTH, cafile=str(certificate))
    context.check_hostname = False
    context.load_cert_chain(certificate, key)
    images = ct_series(slices=4, rows=200, columns=200)

    assert send(node.port, images, context) == [SUCCESS] * 4
    assert [node.data_set(image.SOPInstanceUID) for image in images] == [data_set(image) for image in images]


@pytest.mark.peers("dcmdump")
def test_dcmtk_sends_to_it(listen: Listen, tmp_path: Path) -> None:
    node, images = listen(), ct_series(slices=5, rows=64, columns=64)
    folder = tmp_path / "images"
    write(images, folder)
    arguments = [dcmtk.program("storescu"), "-aec", "DICOMNODE", "+sd", "127.0.0.1", str(node.port), str(folder)]
    done = subprocess.run(arguments, capture_output=True, text=True, timeout=60, check=False)

    assert done.returncode == 0, done.stderr
    assert node.uids() == {image.SOPInstanceUID for image in images}


def certificate_of(name: str, folder: Path) -> tuple[Path, Path]:
    """A self-signed certificate and its key, as PEM files."""
    certificate, key = folder / f"{name}.pem", folder / f"{name}.key"
    what = ["-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"]
    where = ["-subj", f"/CN={name}", "-keyout", str(key), "-out", str(certificate)]
    subprocess.run(["openssl", "req", *what, *where], check=True, capture_output=True, timeout=60)
    return certificate, key
