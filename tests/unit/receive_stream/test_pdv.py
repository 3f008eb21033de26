"""PDUs, their fragments and the command sets they carry."""

import struct
from io import BytesIO

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pynetdicom.dimse_messages import C_STORE_RSP
from pynetdicom.dsutils import decode
from pynetdicom.pdu import A_ABORT_RQ, A_RELEASE_RP, P_DATA_TF

from dicomnode.receive import pdv
from dicomnode.receive.pdv import Command, ProtocolFault, Wire
from tests.unit.receive_stream.wire import CT, Sender, command_set, pdu, pdvs

STORE = Command(field=1, message_id=7, sop_class_uid=CT, sop_instance_uid="1.2.3", has_data_set=True)


def wire(stream: bytes, pieces: tuple[int, ...] = (), most: int = 4096) -> Wire:
    return Wire(Sender(stream, pieces), max_pdu_bytes=most, idle_s=5.0)


@given(bodies=st.lists(st.binary(max_size=300), max_size=5), pieces=st.lists(st.integers(1, 50)))
def test_pdus_are_the_same_however_the_stream_is_split(bodies: list[bytes], pieces: list[int]) -> None:
    stream = b"".join(pdu([body]) for body in bodies)
    reader = wire(stream, tuple(pieces))

    assert [bytes(reader.next_pdu()[1]) for _ in bodies] == bodies
    with pytest.raises(ConnectionError):
        reader.next_pdu()


def test_a_pdu_longer_than_negotiated_is_refused_before_it_is_read() -> None:
    with pytest.raises(ProtocolFault, match="4097 bytes, more than the negotiated 4096"):
        wire(struct.pack(">BBI", 4, 0, 4097)).next_pdu()


@pytest.mark.parametrize("kind", [0, 1, 2, 3, 8, 255])
def test_a_pdu_that_has_no_place_in_an_association_is_refused(kind: int) -> None:
    with pytest.raises(ProtocolFault) as caught:
        wire(struct.pack(">BBI", kind, 0, 4) + b"\0" * 4).next_pdu()

    assert caught.value.provider_reason == ProtocolFault.UNRECOGNIZED


def test_a_pdu_that_trickles_in_is_given_up_after_the_idle_time() -> None:
    slow = Wire(Sender(pdu([b"x" * 50]), [1] * 60), max_pdu_bytes=4096, idle_s=0.0)

    with pytest.raises(TimeoutError, match="too slowly"):
        slow.next_pdu()


@given(data=st.binary(max_size=500), most=st.integers(1, 100), is_command=st.booleans())
def test_fragments_give_back_the_message_and_only_the_last_says_so(data: bytes, most: int, is_command: bool) -> None:
    found = list(pdv.fragments(memoryview(b"".join(pdvs(data, context=5, is_command=is_command, most=most)))))

    assert b"".join(fragment.data for fragment in found) == data
    assert {(fragment.context_id, fragment.is_command) for fragment in found} == {(5, is_command)}
    assert [fragment.is_last for fragment in found] == [False] * (len(found) - 1) + [True]


@given(body=st.binary(max_size=60))
def test_no_bytes_at_all_break_the_reading_of_fragments_in_another_way_than_by_a_protocol_fault(body: bytes) -> None:
    try:
        found = list(pdv.fragments(memoryview(body)))
    except ProtocolFault:
        return

    assert sum(len(fragment.data) + 6 for fragment in found) == len(body)


@given(encoded=st.binary(max_size=80))
def test_no_bytes_at_all_break_the_reading_of_a_command_in_another_way_than_by_a_protocol_fault(encoded: bytes) -> None:
    try:
        pdv.command(encoded)
    except ProtocolFault:
        return


def test_a_command_set_is_read() -> None:
    assert pdv.command(command_set(1, 7, sop_class=CT, instance="1.2.3")) == STORE


def test_a_command_set_without_command_field_is_refused() -> None:
    with pytest.raises(ProtocolFault, match=r"without \(0000,0100\)"):
        pdv.command(struct.pack("<HHIH", 0, 0x0110, 2, 1))


@pytest.mark.parametrize(("status", "comment"), [(0x0000, ""), (0xA700, "less free disk than the reserve")])
def test_a_response_is_what_pynetdicom_reads_as_a_c_store_response(status: int, comment: str) -> None:
    answer = P_DATA_TF()
    answer.decode(pdv.response(STORE, 9, status, comment))
    (value,) = answer.to_primitive().presentation_data_value_list
    message = C_STORE_RSP()
    message.context_id = 9
    assert message.decode_msg(answer.to_primitive())
    said = message.message_to_primitive()

    assert (value[0], value[1][0]) == (9, 0b11)
    assert (said.MessageIDBeingRespondedTo, said.Status, said.AffectedSOPClassUID) == (7, status, CT)
    assert said.AffectedSOPInstanceUID == "1.2.3"
    assert (said.ErrorComment or "") == comment


def test_the_group_length_of_a_response_is_right() -> None:
    encoded = pdv.response(STORE, 1, 0)[12:]
    elements = decode(BytesIO(encoded), True, True)

    assert elements.CommandGroupLength == len(encoded) - 12


def test_a_comment_longer_than_a_long_string_is_cut() -> None:
    answer = P_DATA_TF()
    answer.decode(pdv.response(STORE, 1, 0xC000, "x" * 99))
    message = C_STORE_RSP()
    message.context_id = 1
    message.decode_msg(answer.to_primitive())

    assert message.message_to_primitive().ErrorComment == "x" * 64


def test_release_and_abort_are_what_pynetdicom_reads() -> None:
    release, by_us, for_a_reason = A_RELEASE_RP(), A_ABORT_RQ(), A_ABORT_RQ()
    release.decode(pdv.release_response())
    by_us.decode(pdv.abort(None))
    for_a_reason.decode(pdv.abort(ProtocolFault.UNEXPECTED))

    assert release.pdu_length == 4
    assert (by_us.source, by_us.reason_diagnostic) == (0, 0)
    assert (for_a_reason.source, for_a_reason.reason_diagnostic) == (2, 2)
