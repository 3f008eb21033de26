"""A STAT study that arrives last, behind routine ones, in a node of real processes."""

from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from dicomnode.check.bundles import stat_wait
from dicomnode.values import RunStatus
from tests.integration.node.running import RunningNode, config_text, running_node
from tests.peers_made import Pacs, peer

ROUTINE = ("routine 1", "routine 2", "routine 3", "routine 4")
pytestmark = pytest.mark.timeout(200)


@pytest.fixture
def pacs() -> Iterator[tuple[Pacs, int]]:
    made = Pacs(commitment=False)
    with peer(made) as remote:
        yield made, remote.peer.port


def node_with(folder: Path, port: int, more: str = "") -> AbstractContextManager[RunningNode]:
    return running_node(folder, config_text({"pacs": (port, False)}, more))


def routine_ones_queue(node: RunningNode) -> None:
    """One is being analysed, and the others wait for the device."""
    for name in ROUTINE:
        node.receive(name)
    node.wait(lambda: node.runs() == {RunStatus.RUNNING: 4}, "every routine run to wait for the device")
    node.wait(lambda: len(node.analysed) == 1, "the first analysis to begin")


def test_it_is_analysed_next_after_the_one_under_way(tmp_path: Path, pacs: tuple[Pacs, int]) -> None:
    with node_with(tmp_path, pacs[1]) as node:
        node.processes.start("engine", "gpu")
        routine_ones_queue(node)
        node.receive("urgent", stat=True)
        node.wait(lambda: node.runs() == {RunStatus.RUNNING: 5}, "the STAT run to wait for the device")
        assert len(node.analysed) == 1
        node.let_go()
        node.wait(lambda: node.runs() == {RunStatus.DONE: 5}, "all to be done")

    assert node.analysed[1] == "gpu urgent"
    assert sorted(node.analysed) == sorted(["gpu urgent", *(f"gpu {name}" for name in ROUTINE)])
    (told,) = stat_wait(node.site.config, ["bright"])
    assert told.says.startswith("a STAT study waits for one attempt at the study before it, at most")


def test_with_a_process_of_its_own_it_waits_for_no_routine_one(tmp_path: Path, pacs: tuple[Pacs, int]) -> None:
    with node_with(tmp_path, pacs[1], "stat_process = true") as node:
        node.processes.start("engine", "gpu", "gpu --stat")
        routine_ones_queue(node)
        node.receive("urgent", stat=True)
        node.wait(lambda: node.runs() == {RunStatus.RUNNING: 4, RunStatus.DONE: 1}, "the STAT run to be done")

        assert len(pacs[0].stored) == 2
        assert node.analysed[1:] == ["stat urgent"]
        (told,) = stat_wait(node.site.config, ["bright"])
        assert told.says.startswith("a STAT study waits for other STAT studies alone")
        node.let_go()
        node.wait(lambda: node.runs() == {RunStatus.DONE: 5}, "all to be done")


def test_status_says_when_the_process_for_stat_studies_is_missing(tmp_path: Path, pacs: tuple[Pacs, int]) -> None:
    with node_with(tmp_path, pacs[1], "stat_process = true") as node:
        node.processes.start("receive", "engine", "gpu")

        assert "no gpu-stat process has beaten" in node.command("status")


def test_it_waits_for_one_attempt_at_a_study_that_fails_and_not_for_all(tmp_path: Path, pacs: tuple[Pacs, int]) -> None:
    with node_with(tmp_path, pacs[1]) as node:
        node.processes.start("engine", "gpu")
        node.receive("hangs")
        node.wait(lambda: len(node.analysed) == 1, "the study that hangs to be analysed")
        node.receive("urgent", stat=True)
        node.wait(lambda: node.runs() == {RunStatus.RUNNING: 2}, "the STAT run to wait for the device")
        node.let_go()
        node.wait(lambda: node.runs() == {RunStatus.DONE: 2}, "both to be done")

    assert node.analysed == ["gpu hangs", "gpu urgent", "gpu hangs"]
