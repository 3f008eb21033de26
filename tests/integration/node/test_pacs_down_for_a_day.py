"""A PACS that refuses every connection for a day. The node's clock is moved two hours at a time; all else is real."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from dicomnode import durable
from dicomnode.values import DeliveryStatus, RunStatus
from tests.integration.node.running import RunningNode, config_text, running_node
from tests.orthanc import free_port
from tests.peers_made import Pacs, peer

HOUR_S = 3600.0
DAY_HOURS = 24
pytestmark = pytest.mark.timeout(300)


@pytest.fixture
def ports() -> tuple[int, int]:
    return free_port(), free_port()


@pytest.fixture
def node(tmp_path: Path, ports: tuple[int, int]) -> Iterator[RunningNode]:
    text = config_text({"pacs": (ports[0], True), "second": (ports[1], False)})
    with running_node(tmp_path, text) as made:
        made.let_go()
        yield made


def attempts(node: RunningNode) -> dict[str, int]:
    return {row.sop_instance_uid: row.attempts for row in node.deliveries("pacs")}


def are_more(now: dict[str, int], before: dict[str, int]) -> bool:
    return all(count > before.get(uid, 0) for uid, count in now.items())


def purge(node: RunningNode) -> None:
    """Take away the records of what has ended, as the engine does after three days."""
    with closing(sqlite3.connect(node.site.config.node.state / "engine.sqlite")) as records, records:
        records.execute("PRAGMA foreign_keys=ON")
        records.execute("DELETE FROM workflow_status WHERE status = 'SUCCESS'")


def is_waiting(node: RunningNode) -> bool:
    """Whether the next attempt of each result is a row with a time."""
    waits = durable.waiting(node.site.config.engine_url)
    delayed = [one.count for one in waits if (one.queue, one.status) == ("send.pacs", "DELAYED")]
    return delayed == [len(node.deliveries("pacs"))]


def test_after_a_day_of_refused_connections_everything_goes_out_once_and_is_committed(
    node: RunningNode, ports: tuple[int, int]
) -> None:
    second = Pacs()
    with peer(second, at_port=ports[1]):
        node.processes.start("receive", "engine", "gpu")
        node.receive("in the morning")
        node.wait(lambda: len(second.stored) == 2, "the other destination to have its results")
        for hour in range(2, DAY_HOURS + 1, 2):
            node.wait(lambda: is_waiting(node), f"the attempts before hour {hour} to have ended")
            before = attempts(node)
            node.move_clock(hour * HOUR_S)
            if hour == DAY_HOURS // 2:
                node.processes.kill("engine")
                purge(node)
                node.processes.start("engine")
                node.receive("at noon")
                node.wait(lambda: len(second.stored) == 4, "the other destination to have the results of noon")
            node.wait(lambda before=before: are_more(attempts(node), before), f"another attempt in hour {hour}")
        told = node.command("status")
        rows = node.deliveries("pacs")

        assert {row.status for row in rows} == {DeliveryStatus.QUEUED}
        assert max(row.attempts for row in rows) >= DAY_HOURS / 2
        assert node.runs() == {RunStatus.DELIVERING: 2}
        assert "4 result(s) wait for pacs, the oldest for 24 hours: pacs (PACS at 127.0.0.1" in told
        assert second.store_count == 4

        pacs = Pacs(report_port=node.site.config.receive.port)
        with peer(pacs, at_port=ports[0]):
            node.wait(lambda: node.runs() == {RunStatus.DONE: 2}, "all to be stored and committed")

    assert pacs.store_count == len(pacs.stored) == 4
    assert {row.status for row in node.deliveries("pacs")} == {DeliveryStatus.COMMITTED}
    assert set(pacs.report_answers) == {0x0000}
    assert second.store_count == 4
