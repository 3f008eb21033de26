"""The disk fills to its last byte while a node of real processes works: nothing is lost, and it goes on by itself."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from dicomnode.index.schema import ResultRow
from dicomnode.values import RunStatus
from tests.full_disk import empty, fill, small_disk
from tests.integration.node.running import RunningNode, config_text, running_node
from tests.peers_made import Pacs, peer

PARTS = ("receive", "engine", "gpu")
pytestmark = pytest.mark.timeout(300)


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    with small_disk(tmp_path / "disk") as folder:
        yield folder


def has_said(node: RunningNode, part: str, event: str) -> bool:
    return event in (node.site.config.node.state.parents[1] / f"{part}.log").read_text()


def test_work_waits_while_the_disk_is_full_and_goes_on_by_itself(tmp_path: Path, disk: Path) -> None:
    pacs = Pacs(commitment=False)
    with peer(pacs) as remote:
        text = config_text({"pacs": (remote.peer.port, False)}, state=str(disk / "state"))
        with running_node(tmp_path, text) as node, node.processes.kept_running(*PARTS):
            node.receive("in hand")
            node.wait(lambda: len(node.analysed) == 1, "the analysis to begin")
            fill(disk)
            node.let_go()
            node.wait(lambda: has_said(node, "gpu", "disk.full"), "the gpu process to find no room")
            node.processes.kill("engine")
            status = node.command("status")

            assert node.runs() == {RunStatus.RUNNING: 1}
            assert (pacs.stored, node.site.rows(ResultRow)) == ({}, [])
            assert "the disk is FULL" in status

            empty(disk)
            node.wait(lambda: node.runs() == {RunStatus.DONE: 1}, "the run to go on", 150.0)

    assert pacs.store_count == len(pacs.stored) == 2
    assert [path for path in disk.rglob("*") if path.suffix in (".tmp", ".part")] == []


def test_a_result_that_was_sent_while_the_disk_filled_is_noted_later(tmp_path: Path, disk: Path) -> None:
    pacs = Pacs(commitment=False, answers_after_s=1.0)
    with peer(pacs) as remote:
        text = config_text({"pacs": (remote.peer.port, False)}, state=str(disk / "state"))
        with running_node(tmp_path, text) as node, node.processes.kept_running(*PARTS):
            node.let_go()
            node.receive("on its way")
            node.wait(lambda: pacs.store_count > 0, "the first result to be on its way")
            fill(disk)
            node.wait(lambda: has_said(node, "engine", "disk.full"), "the engine to find no room")
            first = dict(pacs.stored)
            empty(disk)
            node.wait(lambda: node.runs() == {RunStatus.DONE: 1}, "the run to end", 150.0)

    assert len(pacs.stored) == 2
    assert {uid: pacs.stored[uid] for uid in first} == first
