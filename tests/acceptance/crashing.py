"""The dicomnode command, made to kill itself with SIGKILL at named points, each once.

CRASH_POINTS names them: "before:NAME", "inside:NAME" (all of the step's effects are there, its record is not) or
"after:NAME" of a durable step, "row:record" (the file is in place, its index row is not) in the receiver, and
"before:request" (the index says that commitment was asked for, and it was not) or "after:request" in the engine.
CRASH_FOLDER keeps which of them have happened; a file "poison" in it names a run that kills whoever analyses it.
"""

import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

from dicomnode import durable
from dicomnode.deliver import commitment
from dicomnode.index.group_commit import Recorder

POINTS = frozenset(os.environ["CRASH_POINTS"].split(","))
FOLDER = Path(os.environ["CRASH_FOLDER"])


def die_once(point: str) -> None:
    """Kill this process, if the point was asked for and has not happened yet."""
    if point not in POINTS:
        return
    try:
        (FOLDER / point).open("x").close()
    except FileExistsError:
        return
    os.kill(os.getpid(), signal.SIGKILL)


def die_of_poison(run_key: str) -> None:
    """Kill this process if this run is the poisonous one, and count the dead."""
    named = FOLDER / "poison"
    if named.exists() and run_key == named.read_text():
        with (FOLDER / "dead").open("a") as dead:
            dead.write("x")
        os.kill(os.getpid(), signal.SIGKILL)


def crashing_step(step: Callable[..., Any]) -> Callable[..., Any]:
    """A durable step that may die before, inside (after its effects) or behind its record."""

    def stepped(function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        name = function.__name__

        def done(*inner: Any, **named: Any) -> Any:
            if name == "analyse":
                die_of_poison(str(inner[0]))
            given = function(*inner, **named)
            die_once(f"inside:{name}")
            return given

        done.__name__ = name
        die_once(f"before:{name}")
        given = step(done, *args, **kwargs)
        die_once(f"after:{name}")
        return given

    return stepped


def crashing_record(record: Callable[..., Any]) -> Callable[..., Any]:
    """The receiver's index row, which may come too late."""

    def recorded(*args: Any, **kwargs: Any) -> Any:
        die_once("row:record")
        given = record(*args, **kwargs)
        die_once("answer:record")
        return given

    return recorded


def crashing_request(request: Callable[..., Any]) -> Callable[..., Any]:
    """The N-ACTION that asks for commitment."""

    def requested(*args: Any, **kwargs: Any) -> None:
        die_once("before:request")
        request(*args, **kwargs)
        die_once("after:request")

    return requested


if __name__ == "__main__":
    durable.step = crashing_step(durable.step)  # type: ignore[assignment]
    durable.attempt = crashing_step(durable.attempt)  # type: ignore[assignment]
    Recorder.record = crashing_record(Recorder.record)  # type: ignore[method-assign]
    commitment._ask = crashing_request(commitment._ask)
    from dicomnode.cli.app import main

    main()
