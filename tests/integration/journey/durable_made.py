"""A process with a few durable workflows, for tests that kill it: `durable_made.py STATE LOG SECONDS`."""

import os
import signal
import sys
import time
from pathlib import Path

from dicomnode import durable
from dicomnode.config.tables import Log
from dicomnode.errors import Permanent, Transient
from dicomnode.logs import set_up_logs

STATE, LOG = Path(sys.argv[1]), Path(sys.argv[2])
QUEUES = (durable.Queue("several", 4), durable.Queue("one", 1))
tried: dict[str, int] = {}


def say(*words: object) -> None:
    with LOG.open("a") as log:
        log.write(" ".join(map(str, words)) + "\n")


def note(name: str) -> str:
    say("noted", name)
    return name


def refuse(name: str) -> None:
    raise Permanent(f"{name} lacks a slice")


def trip(name: str) -> None:
    raise ValueError(f"{name} is no number")


def stumble(name: str) -> str:
    tried[name] = tried.get(name, 0) + 1
    if tried[name] < 2:
        raise Transient("busy")
    return name


def die(name: str) -> None:
    say("died", name)
    os.kill(os.getpid(), signal.SIGKILL)


@durable.workflow(name="noted")
def noted(name: str) -> str:
    return durable.step(note, name)


@durable.workflow(name="refused")
def refused(name: str) -> None:
    try:
        durable.step(refuse, name)
    except durable.Refused as fault:
        say("refused", fault.family, fault)


@durable.workflow(name="stumbled")
def stumbled(name: str) -> None:
    say("stumbled", durable.step(stumble, name), tried[name])


@durable.workflow(name="tripped")
def tripped(name: str) -> None:
    try:
        durable.step(trip, name)
    except ValueError:
        say("tripped", name)


@durable.workflow(name="poison", crashes=3)
def poison(name: str) -> None:
    durable.step(die, name)


@durable.workflow(name="asker")
def asker(name: str) -> None:
    try:
        durable.result_of(durable.Job("poison", "one", f"poison:{name}", (name,), 100))
    except Exception as fault:  # noqa: BLE001 - whatever tells that it was given up
        say("given-up", type(fault).__name__)


set_up_logs(Log(format="json"), "test")
with durable.executor(f"sqlite:///{STATE / 'engine.sqlite'}", STATE, "test", QUEUES, QUEUES):
    for line in sys.stdin.read().split():
        workflow, queue, name, priority = line.split(":")
        durable.enqueue(durable.Job(workflow, queue, f"{workflow}:{name}", (name,), int(priority)))
    time.sleep(float(sys.argv[3]))
