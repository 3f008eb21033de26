"""One association's conversation, without a network."""

import struct
from threading import Event

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dicomnode.receive.pdv import ProtocolFault, Wire
from dicomnode.receive.stream import Ending, Stream
from tests.unit.receive_stream.wire import (
    CT,
    EXPLICIT,
    IMPLICIT,
    RELEASE,
    Sender,
    Shelf,
    command_set,
    echo,
    pdu,
    pdvs,
    store,
)

CONTEXTS = {1: IMPLICIT, 3: IMPLICIT, 5: EXPLICIT}


def serve(sender: Sender, shelf: Shelf, stopping: Event | None = None) -> Ending:
    wire = Wire(sender, max_pdu_bytes=1 << 20, idle_s=5.0)
    return Stream(wire, CONTEXTS, shelf.begin, stopping or Event()).run()


def statuses(answers: bytes) -> list[tuple[int, int]]:
    """(Command Field, Status) of each response, in order."""
    found, at = [], 0
    while at < len(answers):
        kind, _, length = struct.unpack_from(">BBI", answers, at)
        if kind == 4:
            found.append(_field_and_status(answers[at + 12 : at + 6 + length]))
        at += 6 + length
    return found


def _field_and_status(encoded: bytes) -> tuple[int, int]:
    elements, at = {}, 0
    while at < len(encoded):
        _, tag, length = struct.unpack_from("<HHI", encoded, at)
        elements[tag] = encoded[at + 8 : at + 8 + length]
        at += 8 + length
    return int.from_bytes(elements[0x0100], "little"), int.from_bytes(elements[0x0900], "little")


def aborted(answers: bytes) -> tuple[int, int]:
    """(source, reason) of the A-ABORT that ends the answers."""
    assert answers[-10:-4] == struct.pack(">BBI", 7, 0, 4)
    return answers[-2], answers[-1]


@st.composite
def conversations(draw: st.DrawFn) -> tuple[bytes, list[tuple[str, bytes]]]:
    """A valid byte stream from first P-DATA to A-RELEASE, and the instances in it."""
    instances = [(f"1.2.{n}", data) for n, data in enumerate(draw(st.lists(st.binary(max_size=400), max_size=4)))]
    values: list[bytes] = []
    for uid, data in instances:
        if draw(st.booleans()):
            values += echo()
        values += store(uid, data, context=draw(st.sampled_from([1, 5])), most=draw(st.integers(1, 200)))
    stream = b""
    while values:
        count = draw(st.integers(1, len(values)))
        stream += pdu(values[:count])
        values = values[count:]
    return stream + RELEASE, instances


@given(conversation=conversations(), pieces=st.lists(st.integers(1, 40), max_size=200))
def test_the_same_instances_arrive_however_messages_are_cut_into_fragments_pdus_and_segments(
    conversation: tuple[bytes, list[tuple[str, bytes]]], pieces: list[int]
) -> None:
    stream, instances = conversation
    sender, shelf = Sender(stream, pieces), Shelf()

    assert serve(sender, shelf) is Ending.RELEASED
    assert shelf.kept() == instances
    assert [answer for answer in statuses(sender.answers) if answer[0] == 0x8001] == [(0x8001, 0)] * len(instances)


@given(conversation=conversations(), cut=st.integers(1, 5000))
def test_whatever_byte_a_sender_stops_at_only_whole_instances_are_kept_and_only_those_answered(
    conversation: tuple[bytes, list[tuple[str, bytes]]], cut: int
) -> None:
    stream, instances = conversation
    sender, shelf = Sender(stream[: -len(RELEASE)][:cut]), Shelf()

    assert serve(sender, shelf) is Ending.LOST
    assert shelf.kept() == instances[: len(shelf.kept())]
    assert statuses(sender.answers).count((0x8001, 0)) == len(shelf.kept())
    assert all(instance.end for instance in shelf.instances)


@given(noise=st.binary(max_size=300))
def test_no_bytes_at_all_make_a_stream_fail_in_an_unforeseen_way(noise: bytes) -> None:
    shelf = Shelf()
    serve(Sender(pdu(store("1.2.3", b"abcd")) + noise), shelf)

    assert shelf.kept()[0] == ("1.2.3", b"abcd")
    assert all(instance.end for instance in shelf.instances)


def test_the_transfer_syntax_is_that_of_the_presentation_context() -> None:
    shelf = Shelf()
    serve(Sender(pdu(store("1.2.3", b"ab", context=1)) + pdu(store("1.2.4", b"cd", context=5)) + RELEASE), shelf)

    assert [instance.transfer_syntax_uid for instance in shelf.instances] == [IMPLICIT, EXPLICIT]


def test_the_archive_s_status_is_the_answer() -> None:
    sender, shelf = Sender(pdu(store("1.2.3", b"ab")) + RELEASE), Shelf(0xA700, "less free disk than the reserve")

    assert serve(sender, shelf) is Ending.RELEASED
    assert statuses(sender.answers) == [(0x8001, 0xA700)]
    assert b"less free disk than the reserve" in sender.answers


def test_a_cancel_is_ignored_and_echo_is_answered_between_instances() -> None:
    cancel = pdvs(command_set(0x0FFF, 1, sop_class=CT, data=False), is_command=True)
    sender, shelf = Sender(pdu([*cancel, *store("1.2.3", b"ab"), *echo(), *cancel]) + RELEASE), Shelf()

    assert serve(sender, shelf) is Ending.RELEASED
    assert statuses(sender.answers) == [(0x8001, 0), (0x8030, 0)]


@pytest.mark.parametrize(
    "values",
    [
        pytest.param(pdvs(b"ab"), id="data without a request"),
        pytest.param(store("1.2.3", b"ab")[:1] + pdvs(b"ab", context=5), id="data in another context"),
        pytest.param(store("1.2.3", b"ab")[:1] + echo(), id="a command before the data set"),
        pytest.param(pdvs(command_set(0x20, 1, sop_class=CT), is_command=True), id="C-FIND"),
        pytest.param(pdvs(command_set(1, 1, sop_class=CT, data=False), is_command=True), id="C-STORE without data"),
        pytest.param(store("1.2.3", b"ab", most=20)[:1] + echo(), id="two commands mixed"),
    ],
)
def test_a_message_out_of_turn_aborts(values: list[bytes]) -> None:
    sender, shelf = Sender(pdu(values) + RELEASE), Shelf()

    assert serve(sender, shelf) is Ending.ABORTED_BY_US
    assert aborted(sender.answers) == (2, ProtocolFault.UNEXPECTED)
    assert shelf.kept() == []


@pytest.mark.parametrize(
    "values",
    [
        pytest.param(store("1.2.3", b"ab", context=7), id="a context that was not accepted"),
        pytest.param([struct.pack(">IBB", 99, 1, 3)], id="a fragment longer than its PDU"),
        pytest.param(pdvs(b"\0" * 70000, is_command=True), id="an endless command set"),
        pytest.param(pdvs(b"\1\0\0\0\0\0\0\0", is_command=True), id="a command set of another group"),
    ],
)
def test_a_malformed_message_aborts(values: list[bytes]) -> None:
    sender = Sender(pdu(values) + RELEASE)

    assert serve(sender, Shelf()) is Ending.ABORTED_BY_US
    assert aborted(sender.answers) == (2, ProtocolFault.INVALID)


def test_an_abort_by_the_peer_abandons_the_half_instance() -> None:
    shelf = Shelf()
    sender = Sender(pdu(store("1.2.3", b"abcd", most=200)[:1] + pdvs(b"abcd", most=2)[:1]) + pdu([b"\0" * 4], kind=7))

    assert serve(sender, shelf) is Ending.ABORTED_BY_PEER
    assert [instance.end for instance in shelf.instances] == ["abandoned"]
    assert sender.answers == b""


def test_a_silent_peer_is_aborted_after_the_idle_time() -> None:
    sender, shelf = Sender(pdu(store("1.2.3", b"ab")), stays=True), Shelf()

    assert serve(sender, shelf) is Ending.ABORTED_BY_US
    assert aborted(sender.answers) == (0, 0)
    assert shelf.kept() == [("1.2.3", b"ab")]


def test_a_release_in_the_middle_of_an_instance_is_answered_and_the_half_instance_abandoned() -> None:
    sender, shelf = Sender(pdu(store("1.2.3", b"ab")[:1]) + RELEASE), Shelf()

    assert serve(sender, shelf) is Ending.RELEASED
    assert [instance.end for instance in shelf.instances] == ["abandoned"]


def test_a_receiver_that_stops_aborts_before_the_next_pdu() -> None:
    stopping = Event()
    stopping.set()
    sender = Sender(pdu(store("1.2.3", b"ab")))

    assert serve(sender, Shelf(), stopping) is Ending.ABORTED_BY_US
    assert aborted(sender.answers) == (0, 0)


def test_a_release_response_without_a_request_aborts() -> None:
    sender = Sender(pdu([b"\0" * 4], kind=6))

    assert serve(sender, Shelf()) is Ending.ABORTED_BY_US
    assert aborted(sender.answers) == (2, ProtocolFault.UNEXPECTED)
