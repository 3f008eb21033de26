"""Frames between the node and a model's process."""

import socket
import threading
import time
from collections.abc import Iterator

import numpy as np
import pytest

from dicomnode.infer.wire import LENGTH, MAX_HEADER_BYTES, BrokenFrame, Message, receive, send

Pair = tuple[socket.socket, socket.socket]


@pytest.fixture
def pair() -> Iterator[Pair]:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        yield ours, theirs


def test_a_message_arrives_as_it_was_sent(pair: Pair) -> None:
    arrays = {
        "turned": np.arange(24, dtype=np.float32).reshape(2, 3, 4).transpose(2, 0, 1),
        "labels": np.array([[0, 255]], np.uint8),
        "empty": np.empty((0, 3), np.float64),
        "halves": np.array([0.5, 0.25], np.float16),
    }
    send(pair[0], Message("predict", {"words": "größer", "n": [1, 2.5]}, arrays))

    got = receive(pair[1])

    assert (got.kind, got.fields) == ("predict", {"words": "größer", "n": [1, 2.5]})
    for name, array in arrays.items():
        assert got.arrays[name].dtype == array.dtype
        assert np.array_equal(got.arrays[name], array)


def test_an_array_larger_than_the_sockets_buffer_arrives(pair: Pair) -> None:
    array = np.random.default_rng(1).random(2_000_000)
    sender = threading.Thread(target=send, args=(pair[0], Message("a", {}, {"big": array})))
    sender.start()

    assert np.array_equal(receive(pair[1], deadline=time.monotonic() + 30).arrays["big"], array)
    sender.join()


def test_no_answer_by_the_deadline_is_a_timeout(pair: Pair) -> None:
    pair[0].sendall(LENGTH.pack(10) + b"half")

    with pytest.raises(TimeoutError):
        receive(pair[1], deadline=time.monotonic() + 0.05)


def test_a_peer_that_does_not_read_is_a_timeout(pair: Pair) -> None:
    with pytest.raises(TimeoutError):
        send(pair[0], Message("a", {}, {"big": np.zeros(5_000_000)}), deadline=time.monotonic() + 0.2)


def test_an_end_that_closed_is_named(pair: Pair) -> None:
    pair[0].sendall(LENGTH.pack(10) + b"half")
    pair[0].close()

    with pytest.raises(EOFError):
        receive(pair[1])


@pytest.mark.parametrize(
    "header",
    [
        b"no JSON",
        b'{"kind": "a"}',
        b'{"kind": "a", "fields": {}, "arrays": [{"name": "x", "dtype": "object", "shape": [1]}]}',
        b'{"kind": "a", "fields": {}, "arrays": [{"name": "x", "dtype": "float64", "shape": [-1]}]}',
        b'{"kind": "a", "fields": {}, "arrays": [{"name": "x", "dtype": "float64", "shape": [9999999, 9999999]}]}',
    ],
)
def test_what_is_no_frame_is_refused(pair: Pair, header: bytes) -> None:
    pair[0].sendall(LENGTH.pack(len(header)) + header)

    with pytest.raises(BrokenFrame):
        receive(pair[1])


def test_an_absurd_length_is_refused_before_it_is_read(pair: Pair) -> None:
    pair[0].sendall(LENGTH.pack(MAX_HEADER_BYTES + 1))

    with pytest.raises(BrokenFrame):
        receive(pair[1])
