"""A process with a few durable workflows, for tests that kill it: `durable_made.py STATE LOG`."""

import os
import signal
import sys
import time
from pathlib import Path

from sqlalchemy.exc import OperationalError

from dicomnode import durable, journey
from dicomnode.config.tables import Log
from dicomnode.errors import Permanent, Transient
from dicomnode.logs import set_up_logs

STATE, LOG = Path(sys.argv[1]), Path(sys.argv[2])
LONGEST_S = 60.0
QUEUES = (durable.Queue("several", 4), durable.Queue("one", 1), journey.send_queue("pacs"), journey.CHORES)
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


def fail_once(name: str, fault: Exception) -> str:
    tried[name] = tried.get(name, 0) + 1
    if tried[name] < 2:
        raise fault
    return name


def lock(name: str) -> str:
    return fail_once(name, OperationalError("UPDATE", {}, Exception("database is locked")))


def stumble(name: str) -> str:
    return fail_once(name, Transient("busy"))


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


@durable.workflow(name="locked")
def locked(name: str) -> None:
    say("locked", durable.step(lock, name), tried[name])


@durable.workflow(name="poison", crashes=3)
def poison(name: str) -> None:
    durable.step(die, name)


@durable.workflow(name="asker")
def asker(name: str) -> None:
    try:
        durable.result_of(durable.Job("poison", "one", f"poison:{name}", (name,), 100))
    except Exception as fault:  # noqa: BLE001 - whatever tells that it was given up
        say("given-up", type(fault).__name__)


class Stages:
    """A destination and a duty that fail once, as nobody foresaw."""

    def send(self, result_uid: str, destination: str, since_ms: int) -> str:
        fail_once(result_uid, KeyError(result_uid))
        return "sent"

    def chore(self, name: str, moment: str) -> None:
        fail_once(moment, KeyError(moment))
        say("chore", name, moment)

    def ask_commitment(self, destination: str) -> None:
        say("sent", destination)

    def note_unsent(self, result_uid: str, destination: str, reason: str) -> None:
        say("unsent", result_uid, reason)

    def in_words(self, fault: Exception) -> str:
        return type(fault).__name__

    def back_off_s(self, attempt: int) -> float:
        return 0.5


journey.register_delivery(Stages())
journey.register_chore(Stages())
set_up_logs(Log(format="json"), "test")
with durable.executor(f"sqlite:///{STATE / 'engine.sqlite'}", STATE, "test", QUEUES, QUEUES):
    for line in sys.stdin.read().split():
        workflow, queue, name, priority = line.split(":")
        if workflow == "deliver":
            durable.enqueue(journey.delivery_job(name, "pacs", 0, rank=int(priority)))
            continue
        if workflow == "chore":
            durable.enqueue(journey.chore_job("withdraw", name))
            continue
        durable.enqueue(durable.Job(workflow, queue, f"{workflow}:{name}", (name,), int(priority)))
    ends_s = time.monotonic() + LONGEST_S
    while durable.is_unfinished("") and time.monotonic() < ends_s:
        time.sleep(0.1)
