"""The record of decisions is one chain, whichever of several nodes on one index decide at the same time."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from dicomnode.index.database import Index
from dicomnode.learn.versions.record import Checked, checked, record
from tests.integration.learn.conftest import NODES

EACH = 5


def decided_by(index: Index, node: int) -> None:
    for number in range(EACH):
        with index.transaction() as session:
            record(session, "made", model="lung", digest="d" * 64, details={"node": node, "number": number})


def test_what_several_nodes_decide_at_once_becomes_one_whole_chain(nodes: list[Index], tmp_path: Path) -> None:
    with ThreadPoolExecutor(NODES) as pool:
        list(pool.map(decided_by, nodes, range(NODES)))

    with nodes[0].snapshot() as session:
        assert checked(session, tmp_path) == Checked(entries=NODES * EACH, faults=())
