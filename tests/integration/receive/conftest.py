"""Every test of this folder runs on both of the receiver's readers."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.integration.receive.loopback import Node, node

Start = Callable[..., Node]


@pytest.fixture(params=[False, True], ids=["reactor", "fast"])
def start(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Start]:
    """Starts receivers with given [receive] settings; they stop when the test ends."""
    with ExitStack() as stack:
        yield lambda receive=None, **tables: stack.enter_context(
            node(tmp_path / "state", {"fast": request.param, **(receive or {})}, **tables)
        )
