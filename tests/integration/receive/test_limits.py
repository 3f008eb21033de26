"""Too many callers, slow ones, and ones that leave half-way."""

import socket
import struct
import threading
import time

import pytest
from pydicom import Dataset

from tests.integration.receive.conftest import Start
from tests.integration.receive.loopback import SUCCESS, associate, echo, rejection, send, store, wait_for
from tests.integration.receive.wire import ABORT, RELEASE, associate_request, raw_association, receive_pdu, store_pdus
from tests.phantom import ct_series


@pytest.mark.parametrize("how", ["A-ABORT", "closed", "reset"])
def test_an_association_that_ends_half_way_leaves_nothing_and_harms_nothing(start: Start, how: str) -> None:
    node, images = start(), ct_series(slices=2)
    assert send(node.port, images[:1]) == [SUCCESS]
    with raw_association(node.port) as caller:
        for pdu in store_pdus(large(images[1]))[:-1]:
            caller.sendall(pdu)
        assert wait_for(lambda: any(file.suffix == ".part" for file in node.files()))
        if how == "A-ABORT":
            caller.sendall(ABORT)
        if how == "reset":
            caller.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    assert wait_for(lambda: [file.suffix for file in node.files()] == [".dcm"])
    assert [row.sop_instance_uid for row in node.instances()] == [images[0].SOPInstanceUID]
    assert send(node.port, [images[1]]) == [SUCCESS]


def large(image: Dataset) -> Dataset:
    image.Rows, image.Columns, image.PixelData = 100, 300, bytes(60_000)
    return image


def test_more_associations_than_allowed_are_rejected_as_transient_and_the_others_work(start: Start) -> None:
    node = start({"max_associations": 3})
    seated = [associate(node.port) for _ in range(3)]

    assert [one.is_established for one in seated] == [True] * 3
    assert rejection(associate(node.port)) == (2, 3, 2)
    assert [store(one, image) for one, image in zip(seated, ct_series(slices=3), strict=True)] == [SUCCESS] * 3

    seated[0].release()
    assert wait_for(lambda: echo(node.port) == SUCCESS)
    for one in seated[1:]:
        one.release()


def test_two_hundred_associations_at_once_are_bounded_and_each_is_told(start: Start) -> None:
    node = start({"max_associations": 20})
    outcomes: list[str] = []
    threads = [threading.Thread(target=lambda: outcomes.append(one_of_many(node.port))) for _ in range(200)]

    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)

    assert len(outcomes) == 200
    assert outcomes.count("served") >= 20
    assert outcomes.count("served") + outcomes.count("rejected") + outcomes.count("refused") == 200
    assert wait_for(lambda: echo(node.port) == SUCCESS)


def one_of_many(port: int) -> str:
    """What becomes of one of many callers."""
    try:
        return served_or_rejected(port)
    except OSError:
        return "refused"


def served_or_rejected(port: int) -> str:
    """Associate and release by hand, which keeps two hundred cheap."""
    with socket.create_connection(("127.0.0.1", port), timeout=60) as caller:
        caller.sendall(associate_request())
        answer = receive_pdu(caller)
        if answer[:1] != b"\x02":
            return "rejected" if answer else "refused"
        caller.sendall(RELEASE)
        return "served" if receive_pdu(caller)[:1] == b"\x06" else "lost"


def test_a_caller_that_never_says_anything_is_dropped(start: Start) -> None:
    node = start({"association_timeout_s": 0.5})

    with socket.create_connection(("127.0.0.1", node.port), timeout=10) as raw:
        assert raw.recv(100) == b""


def test_a_caller_that_drips_its_request_is_dropped(start: Start) -> None:
    node = start({"association_timeout_s": 0.7})
    request = associate_request()

    with socket.create_connection(("127.0.0.1", node.port), timeout=10) as raw:
        assert drip(raw, request, every_s=0.05) < len(request)


def test_an_association_that_falls_silent_is_aborted_and_others_go_on(start: Start) -> None:
    node, image = start({"idle_timeout_s": 5}), ct_series(slices=1)[0]
    with raw_association(node.port) as silent:
        silent.sendall(store_pdus(large(image))[0])

        assert send(node.port, ct_series(slices=1, name="other")) == [SUCCESS]
        assert receive_pdu(silent)[:1] == b"\x07"

    assert wait_for(lambda: [file.suffix for file in node.files()] == [".dcm"])


def test_an_association_that_drips_a_pdu_is_dropped(start: Start) -> None:
    node = start({"idle_timeout_s": 0.7})
    with raw_association(node.port) as raw:
        slow = struct.pack(">BBI", 4, 0, 5000) + bytes(5000)

        assert drip(raw, slow, every_s=0.05) < len(slow)


def test_a_pdu_longer_than_agreed_ends_the_association_before_it_is_read(start: Start) -> None:
    node = start()
    with raw_association(node.port) as caller:
        caller.sendall(struct.pack(">BBI", 4, 0, 0x7FFFFFFF))
        assert receive_pdu(caller)[:1] in (b"", b"\x07")
    with socket.create_connection(("127.0.0.1", node.port), timeout=10) as caller:
        caller.sendall(struct.pack(">BBI", 1, 0, 0x7FFFFFFF))
        assert receive_pdu(caller)[:1] in (b"", b"\x07")
    assert echo(node.port) == SUCCESS


def drip(raw: socket.socket, data: bytes, every_s: float) -> int:
    """Send byte by byte until the other side ends it; how many bytes went out."""
    deadline = time.monotonic() + 8
    for sent, byte in enumerate(data):
        if time.monotonic() > deadline:
            return len(data)
        try:
            raw.sendall(bytes([byte]))
            raw.settimeout(every_s)
            if raw.recv(100)[:1] in (b"", b"\x07"):
                return sent
        except TimeoutError:
            continue
        except OSError:
            return sent
    return len(data)


def test_an_open_association_is_told_when_the_receiver_stops(start: Start) -> None:
    node = start()
    association = associate(node.port)

    node.receiver.stop()

    assert wait_for(lambda: association.is_aborted)
    assert wait_for(lambda: not association.is_alive())
