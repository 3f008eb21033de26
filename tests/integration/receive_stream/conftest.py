"""A real receiver on loopback, on pynetdicom's own path and on the fast one."""

import socket
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from dicomnode.config.tables import Config, Node, Receive
from dicomnode.receive.intake import Intake, Limits
from dicomnode.receive.refusals import Refusals
from dicomnode.receive.scp import Receiver
from tests.index_made import index_made
from tests.integration.receive_stream.peer import Listen, Listening


@pytest.fixture(params=[True, False], ids=["fast", "pynetdicom"])
def fast(request: pytest.FixtureRequest) -> bool:
    """Both paths promise the same."""
    return bool(request.param)


@pytest.fixture
def listen(tmp_path: Path, fast: bool) -> Iterator[Listen]:
    """Start a receiver with these settings."""
    with ExitStack() as opened:

        def start(limits: Limits | None = None, **settings: object) -> Listening:
            state = tmp_path / "state"
            index = index_made(state / "index.sqlite")
            opened.callback(index.close)
            limits = limits or Limits(reserve_bytes=0, instance_bytes=1 << 24)
            intake = Intake(state, index, Refusals(index), limits)
            receive = Receive.model_validate({"port": free_port(), "fast": fast, "reserve_bytes": 0, **settings})
            receiver = Receiver(Config(node=Node(state=state), receive=receive), intake, lambda *_: None)
            opened.callback(receiver.stop)
            return Listening(receiver, index, state)

        yield start


def free_port() -> int:
    """A port nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
