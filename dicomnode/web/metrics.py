"""Metrics for Prometheus, read from the index at each scrape: no label holds anything about a patient."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from dicomnode import __version__
from dicomnode.web.snapshot import Snapshot


class NodeCollector(Collector):
    """Turns a snapshot into metric families."""

    def __init__(self, look: Callable[[], Snapshot]) -> None:
        self._look = look

    def describe(self) -> list[Metric]:
        """Nothing: the index is not read when the registry is set up."""
        return []

    def collect(self) -> Iterator[Metric]:
        """Look, and tell."""
        now = self._look()
        yield _gauge("info", "Version of the program", ("version",), {(__version__,): 1})
        yield _gauge("studies", "Studies held, by state", ("state",), {(k,): v for k, v in now.studies.items()})
        yield _gauge("runs", "Runs, by model and status", ("model", "status"), now.runs)
        ages = {(status,): age_s for status, age_s in now.oldest_run_s.items()}
        yield _gauge("run_oldest_seconds", "Age of the oldest unfinished run, by status", ("status",), ages)
        where = ("destination", "status")
        yield _gauge("deliveries", "Result objects, by destination and status", where, now.deliveries)
        about = "Age of the oldest unfinished delivery"
        yield _gauge("delivery_oldest_seconds", about, where, now.oldest_delivery_s)
        yield _gauge("alarms", "Alarms about models that nobody has cleared", ("model", "kind"), now.alarms)
        about = "p-value of each drift figure at the last look, corrected for their number"
        yield _gauge("drift_p", about, ("model", "figure"), now.drift_p)
        yield from _of_receiving(now)
        yield from _of_versions(now)
        yield from _of_learning(now)
        yield from _of_the_machine(now)


def registry(look: Callable[[], Snapshot]) -> CollectorRegistry:
    """A registry that holds the node's metrics alone."""
    own = CollectorRegistry(auto_describe=False)
    own.register(NodeCollector(look))
    return own


def _of_receiving(now: Snapshot) -> Iterator[Metric]:
    yield CounterMetricFamily("dicomnode_instances_received", "Instances ever received and kept", now.received)
    yield CounterMetricFamily("dicomnode_refusals", "Instances and associations ever refused", now.refused)
    yield _gauge("instances_held", "Instances on disk", (), {(): now.held_instances})
    yield _gauge("instances_held_bytes", "Bytes of instances on disk", (), {(): now.held_bytes})
    yield _gauge("commitments_owed", "Commitment reports that we owe a peer", (), {(): now.commitments_owed})


def _of_versions(now: Snapshot) -> Iterator[Metric]:
    found = now.versions
    about = "1 where a model's last self-test was passed"
    passed = {(test.model,): int(test.passed) for test in found.self_tests}
    yield _gauge("self_test_passed", about, ("model",), passed)
    ages = {(test.model,): test.age_s for test in found.self_tests}
    yield _gauge("self_test_age_seconds", "Seconds since a model's last self-test", ("model",), ages)
    answers = {(one.model, one.scope, one.version, str(one.research).lower()): 1 for one in found.in_use}
    where = ("model", "scope", "version", "research")
    yield _gauge("version_in_use", "Versions made here that answer", where, answers)
    shadows = {(one.model, one.version): one.compared for one in found.shadows}
    yield _gauge(
        "shadow_studies", "Studies that a candidate in the shadow was compared on", ("model", "version"), shadows
    )


def _of_learning(now: Snapshot) -> Iterator[Metric]:
    counted = Counter((one.model, one.state) for one in now.learning)
    yield _gauge("learning", "Candidates that are being made, or wait for it", ("model", "state"), counted)
    running = [one for one in now.learning if one.state == "running"]
    shares = {(one.model,): one.ratio for one in running if one.ratio is not None}
    yield _gauge("learning_progress", "How much of what a learning does now is done, 0 to 1", ("model",), shares)
    paused = {(one.model,): int(one.is_paused) for one in running}
    yield _gauge("learning_paused", "1 where a learning is paused", ("model",), paused)


def _of_the_machine(now: Snapshot) -> Iterator[Metric]:
    yield _gauge("disk_free_bytes", "Free bytes where the state is", (), {(): now.disk_free_bytes})
    yield _gauge("disk_reserve_bytes", "Below this nothing is accepted", (), {(): now.reserve_bytes})
    yield _gauge("paused", "What a person has paused", ("scope",), {(scope,): 1 for scope in now.paused})
    ages = {(process,): age_s for process, age_s in now.beat_age_s.items()}
    yield _gauge("beat_age_seconds", "Seconds since a process last said that it lives", ("process",), ages)
    yield _gauge("ready", "1 where the node can receive, analyse and send", (), {(): 0 if now.faults() else 1})


def _gauge(name: str, about: str, labels: tuple[str, ...], values: Mapping[Any, int | float]) -> Metric:
    family = GaugeMetricFamily(f"dicomnode_{name}", about, labels=labels)
    for label_values, value in values.items():
        family.add_metric(label_values, value)
    return family
