"""`dicomnode bench while-training`: seconds of an analysis with a training beside it, and without.

The index says that an analysis waits, as it does in the node; the warm process of the chest X-ray model answers at
once, while the training, which has all cores until then, still has to be stopped. Blocks with and without take turns.
"""

import itertools
import statistics
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from dicomnode.bench.training_made import require_bundle, set_made
from dicomnode.bundles.approval import version_of
from dicomnode.config.tables import Infer, ModelSetting
from dicomnode.errors import ConfigFault
from dicomnode.index.database import Index
from dicomnode.index.schema import RunRow, StudyRow
from dicomnode.infer.predict import Predictor
from dicomnode.learn.apart import Oversight, Stopped, inference_wants, run_apart
from dicomnode.learn.orders import TrainOrder
from dicomnode.learn.values import RecipeName
from dicomnode.scratch import scratch_folder
from dicomnode.values import Header, ModelVersion, RunStatus, Volume

TARGET, PREEMPT_S = 1.2, 5.0
BLOCKS = 2
"""Of each kind."""
GAP_S = 1.0
"""Between two analyses: the training goes on."""
START_S = 300.0
RUN = "bench"
SHOWN = Volume(np.random.default_rng(0).random((1, 1024, 1024), np.float32), np.eye(4), (), "1.2", None, False)
ASKED = ModelSetting(research_outside_domain=True)


@dataclass
class Compared:
    """Seconds of each analysis, and of each stop of the training."""

    without: list[float] = field(default_factory=list)
    beside: list[float] = field(default_factory=list)
    preempted: list[float] = field(default_factory=list)
    """From the word that an analysis waits until every process of the training is stopped."""
    steps: int = 0
    """Words of progress from the training: it did go on between analyses."""

    @property
    def ratio(self) -> float:
        """Of the 95th percentiles."""
        return p95(self.beside) / p95(self.without)

    @property
    def reached(self) -> bool:
        """Both targets."""
        return self.ratio <= TARGET and max(self.preempted, default=0.0) <= PREEMPT_S

    def words(self) -> str:
        """For a person."""
        one, other = (f"p95 {p95(s):.3f} s, median {statistics.median(s):.3f} s" for s in (self.without, self.beside))
        stops = f"{len(self.preempted)} stops, at most {max(self.preempted, default=0.0):.2f} s"
        return (
            f"{len(self.without)} analyses alone: {one}; {len(self.beside)} beside a training: {other}\n"
            f"p95 ratio {self.ratio:.2f}, target ≤ {TARGET:g}; until the training made way: {stops}, target ≤ "
            f"{PREEMPT_S:g} s; words of progress meanwhile: {self.steps}: {'reached' if self.reached else 'MISSED'}"
        )


def p95(seconds: list[float]) -> float:
    """95th percentile."""
    return statistics.quantiles(seconds, n=20, method="inclusive")[-1]


def measure(analyses: int, told: Callable[[str], None]) -> Compared:
    """So many analyses of each kind.

    Raises:
        ConfigFault: this is no clone of the repository, or the training did not begin.
    """
    found, model = Compared(), version_of(require_bundle())
    with scratch_folder() as folder, _index(folder) as index, Predictor(Infer()) as predictor:
        node = _Node(index, predictor, model)
        node.analysed()
        order = _order(folder, model)
        for block in range(2 * BLOCKS):
            told(f"block {block + 1} of {2 * BLOCKS}: {'beside a training' if block % 2 else 'alone'}")
            count = -(-analyses // BLOCKS)
            if block % 2:
                with _training(folder / f"jobs_{block}", order, node, found):
                    found.beside += [node.analysed() for _ in range(count)]
            else:
                found.without += [node.analysed() for _ in range(count)]
    return found


class _Node:
    """What of a node matters here: the index that says who waits, and the process that answers."""

    def __init__(self, index: Index, predictor: Predictor, model: ModelVersion) -> None:
        self.index, self.predictor, self.model = index, predictor, model
        self.waits_since_s = 0.0

    def analysed(self) -> float:
        """Seconds of one analysis, after a gap."""
        time.sleep(GAP_S)
        self._say(RunStatus.QUEUED)
        self.waits_since_s = time.monotonic()
        self.predictor.predict(self.model, SHOWN, Header({}), ASKED)
        seconds = time.monotonic() - self.waits_since_s
        self._say(RunStatus.DONE)
        return seconds

    def _say(self, status: RunStatus) -> None:
        with self.index.transaction() as session:
            session.get_one(RunRow, RUN).status = status


@contextmanager
def _index(folder: Path) -> Iterator[Index]:
    """An index with one run, done."""
    index = Index(f"sqlite:///{folder / 'index.sqlite'}")
    index.migrate()
    with index.transaction() as session:
        session.add(StudyRow(study_key=1, study_uid="1.2.3", first_received_s=0.0, last_received_s=0.0))
        session.flush()
        run = RunRow(run_key=RUN, study_key=1, model="bench", model_digest="", series_uid="", profile="generic")
        run.priority, run.destinations, run.status, run.created_s = "routine", [], RunStatus.DONE, 0.0
        session.add(run)
    try:
        yield index
    finally:
        index.close()


def _order(folder: Path, model: ModelVersion) -> TrainOrder:
    return TrainOrder(
        bundle=model.folder, digest=model.digest, training_set=set_made(folder, 32, 8), recipe=RecipeName.FULL,
        seed=0, learning_rate=1e-4, trials=0, epochs=100_000,
    )  # fmt: skip


@contextmanager
def _training(jobs: Path, order: TrainOrder, node: _Node, found: Compared) -> Iterator[None]:
    """A training that goes on until the block ends; one that learns nothing more is followed by another."""
    began, stop, paused = threading.Event(), threading.Event(), [False]

    def on_progress(told: dict[str, object]) -> None:
        if told.get("stage"):
            began.set()
            found.steps += 1
        if told["paused"] and not paused[0]:
            found.preempted.append(time.monotonic() - node.waits_since_s)
        paused[0] = bool(told["paused"])

    def work() -> None:
        watched = Oversight(on_progress, lambda: inference_wants(node.index), stop.is_set, idle=True)
        try:
            for number in itertools.count():
                run_apart(jobs / str(number), order, watched)
        except Stopped:
            return
        finally:
            began.set()

    thread = threading.Thread(target=work)
    thread.start()
    try:
        if not began.wait(START_S) or not thread.is_alive():
            raise ConfigFault("the training did not begin")
        yield
    finally:
        stop.set()
        thread.join()
