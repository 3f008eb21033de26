"""Index and workflow engine on PostgreSQL, by two URLs: the same journey."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from dicomnode.values import DeliveryStatus, RunStatus
from tests.integration.node.running import config_text, running_node
from tests.peers_made import Pacs, peer
from tests.postgresql import is_possible, postgresql

pytestmark = [
    pytest.mark.skipif(not is_possible(), reason="PostgreSQL is not installed"),
    pytest.mark.timeout(300),
]


@pytest.fixture
def database() -> Iterator[str]:
    with postgresql() as url:
        yield url


def test_a_study_comes_back_committed_though_engine_and_gpu_process_are_killed(tmp_path: Path, database: str) -> None:
    pacs = Pacs()
    with peer(pacs) as remote:
        text = config_text({"pacs": (remote.peer.port, True)})
        urls = f'[index]\nurl = "{database}"\nengine_url = "{database}"\n'
        with running_node(tmp_path, text + urls) as node, node.processes.kept_running("engine", "gpu"):
            node.receive("on PostgreSQL")
            node.wait(lambda: len(node.analysed) == 1, "the analysis to begin")
            node.processes.kill("gpu")
            node.processes.kill("engine")
            node.let_go()
            node.wait(lambda: node.runs() == {RunStatus.DONE: 1}, "the run to be done", 150.0)

            assert {row.status for row in node.deliveries("pacs")} == {DeliveryStatus.COMMITTED}
    assert pacs.store_count == len(pacs.stored) == 2
    assert not (tmp_path / "state" / "engine.sqlite").exists()
