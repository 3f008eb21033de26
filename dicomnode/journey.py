"""The path of a study. Read this first.

         receive ─► archive ─► complete ─► choose ─► volume ─► infer ─► encode ─► deliver ─► PACS
         └── receiver process ─┘└─── engine ───┘└── gpu process ──┘└───── engine ─────┘

`receive` and `archive` write files and index rows. `decide` (complete ─► choose) turns a complete
study into runs: one study × one model version each. From there on, what travels is a run, and
each line below is a durable step: done once, whatever crashes.
"""

from contextlib import suppress
from typing import Any

from dicomnode import durable
from dicomnode.durable import POLL_S, Job, Queue, Refused
from dicomnode.stages import Stages, Start
from dicomnode.values import QUEUE_PRIORITY, SHADOW_RANK, Priority

AT_ONCE = 8
"""Runs of one model under way at once, unless [models.NAME] at_once says otherwise; most wait for the device."""
STAT_AT_ONCE = 4
GPU = Queue("gpu", 1)
GPU_STAT = Queue("gpu.stat", 1)
"""Served by a process of its own where [infer] stat_process is set."""
SELDOM_S = 1.0
"""Between two looks at a queue where nobody waits for an answer."""
CHORES = Queue("chores", 2, SELDOM_S)
SENDING_AT_ONCE = 2
SHADOW = Queue("shadow", 1, SELDOM_S)
"""Candidates beside the versions in use: they take no place from runs that somebody waits for."""
CRASHES = 3
"""A run that kills its process so often is parked, alone."""

ASKED_ONCE = ("withdraw", "prior", "drawing")
"""Duties that no clock asks for again."""
TOLD_TO_THE_READER = ("SeriesRefused", "ModelFault", "Transient")
"""What kept a study from being analysed is reported to the radiologist; a matter of IT's alone is not."""


def model_queue(model: str, at_once: int = AT_ONCE, poll_s: float = POLL_S) -> Queue:
    """The queue of one model's runs: how many are under way at once."""
    return Queue(f"model.{model}", at_once, poll_s)


def stat_queue(model: str, poll_s: float = POLL_S) -> Queue:
    """The queue of one model's STAT runs: they never wait for a place among runs that wait for the device."""
    return Queue(f"model.{model}.stat", STAT_AT_ONCE, poll_s)


def send_queue(destination: str) -> Queue:
    """The queue of one destination: a dead one holds up no other."""
    return Queue(f"send.{destination}", SENDING_AT_ONCE)


def register(stages: Stages) -> None:
    """Register the workflows of the journey, before the executor starts."""
    register_run(stages)
    register_delivery(stages)
    register_chore(stages)


def register_run(stages: Stages) -> None:
    """A run, from its images to results in the outbox."""

    @durable.workflow(name="journey")
    def journey(run_key: str, attempt: int) -> None:
        """Take one run (study × model version) from its images to results in the outbox."""
        try:
            start = durable.step(stages.begin, run_key)
            if start is None:
                return  # cancelled, or already at its end
            analysed = analysed_in_turn(run_key, attempt, start)
            if analysed and analysed["family"] not in TOLD_TO_THE_READER:
                raise Refused(analysed["family"], analysed["reason"])
            durable.step(stages.report, run_key, attempt, analysed)
        except Refused as refused:
            durable.step(stages.park, run_key, str(refused))
        except Exception as fault:  # noqa: BLE001 - the one place where a run is parked for anything else
            durable.step(stages.park, run_key, stages.in_words(fault))

    @durable.workflow(name="analyse", crashes=CRASHES)
    def analyse(run_key: str) -> dict[str, str]:
        """Volume ─► infer, in the process that owns the device; what cannot be analysed is said, not raised."""
        try:
            durable.attempt(stages.analyse, run_key)
        except Refused as refused:
            return {"family": refused.family, "reason": str(refused)}
        return {}


def analysed_in_turn(run_key: str, attempt: int, start: Start) -> Any:  # noqa: ANN401 - JSON of `analyse`
    """What came of the analysis of a run; while the device or the model's process fails it, others go first.

    So a STAT study waits for one attempt at the study before it, not for all of them.
    """
    analysed = {}
    for number in range(durable.TRIES):
        analysed = durable.result_of(analyse_job(run_key, attempt, number, **start))
        if not analysed or analysed["family"] != durable.TRANSIENT:
            return analysed
    return analysed | {"reason": f"gave up after {durable.TRIES} tries: {analysed['reason']}"}


def register_delivery(stages: Stages) -> None:
    """A result, from the outbox to one destination."""

    @durable.workflow(name="deliver")
    def deliver(result_uid: str, destination: str, since_ms: int, attempt: int, rank: int) -> None:
        """Send one result to one destination; the next attempt is a row, no slot waits for it."""
        outcome = sent_or_later(stages, result_uid, destination, since_ms)
        if outcome == "sent":
            durable.step(stages.ask_commitment, destination)
        elif outcome == "later":
            delay_s = stages.back_off_s(attempt)
            durable.enqueue(delivery_job(result_uid, destination, since_ms, attempt + 1, rank=rank, delay_s=delay_s))


def sent_or_later(stages: Stages, result_uid: str, destination: str, since_ms: int) -> str:
    """What came of one attempt; where something went wrong that nobody foresaw, there will be another."""
    try:
        return durable.step(stages.send, result_uid, destination, since_ms)
    except Exception as fault:  # noqa: BLE001 - no result is left behind, whatever it was
        words = stages.in_words(fault)
    with suppress(Exception):
        durable.step(stages.note_unsent, result_uid, destination, words)
    return "later"


def register_chore(stages: Stages) -> None:
    """The engine's duties."""

    @durable.workflow(name="chore")
    def chore(name: str, moment: str, tries: int = 0) -> None:
        """Do one of the engine's duties (catch-up, retention, commitment reports we owe)."""
        try:
            durable.step(stages.chore, name, moment)
        except Exception:  # whatever it was: a duty that nobody asks for again is not left behind
            if name not in ASKED_ONCE or tries >= durable.TRIES:
                raise
            durable.enqueue(chore_job(name, moment, tries=tries + 1, delay_s=stages.back_off_s(tries)))


def journey_job(run_key: str, attempt: int, priority: Priority, model: str, *, shadow: bool = False) -> Job:
    """The journey of one run; an attempt is made once."""
    if shadow:
        return Job("journey", SHADOW.name, f"journey:{run_key}:{attempt}", (run_key, attempt), SHADOW_RANK)
    queue = stat_queue(model) if priority is Priority.STAT else model_queue(model)
    return Job("journey", queue.name, f"journey:{run_key}:{attempt}", (run_key, attempt), QUEUE_PRIORITY[priority])


def analyse_job(run_key: str, attempt: int, number: int, *, stat: bool, rank: int) -> Job:
    """One try, counted from 0, at the analysis of one run, on the queue of the process that does it."""
    queue = GPU_STAT if stat else GPU
    job_id = f"analyse:{run_key}:{attempt}" + (f":{number}" if number else "")
    return Job("analyse", queue.name, job_id, (run_key,), rank, 3.0 ** (number - 1) if number else 0.0)


def delivery_job(
    result_uid: str, destination: str, since_ms: int, attempt: int = 0, *, rank: int, delay_s: float = 0.0
) -> Job:
    """One attempt to send one result to one destination, of those since it was last queued."""
    job_id = f"deliver:{destination}:{result_uid}:{since_ms}:{attempt}"
    arguments = (result_uid, destination, since_ms, attempt, rank)
    return Job("deliver", send_queue(destination).name, job_id, arguments, rank, delay_s)


def chore_job(name: str, moment: str, queue: Queue = CHORES, *, tries: int = 0, delay_s: float = 0.0) -> Job:
    """One duty at one moment: a double start does nothing twice. `tries`: how often it came to nothing before."""
    job_id = f"chore:{name}:{moment}" + (f":{tries}" if tries else "")
    return Job("chore", queue.name, job_id, (name, moment, tries), QUEUE_PRIORITY[Priority.ROUTINE], delay_s)
