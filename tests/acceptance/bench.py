"""A PACS, a node beside it, and what the acceptance tests ask of both."""

import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from dicomnode.index.schema import RunRow
from dicomnode.values import RunStatus
from tests.acceptance.config_made import config_text
from tests.acceptance.node import NodeUnderTest, node, wait_for
from tests.orthanc import Orthanc, free_port, orthanc, require_program

WORK_S = 240.0


@dataclass(frozen=True)
class Bench:
    """A running Orthanc that routes to a node; the test starts the node's processes."""

    pacs: Orthanc
    node: NodeUnderTest

    def send(self, *folders: Path) -> None:
        """Send studies to the PACS as a modality does."""
        program, pacs = require_program("storescu"), self.pacs
        for folder in folders:
            where = ["127.0.0.1", str(pacs.dicom_port), str(folder)]
            command = [program, "+sd", "-aet", "MODALITY", "-aec", pacs.ae_title, *where]
            subprocess.run(command, check=True, capture_output=True)

    def send_again(self) -> bool:
        """Send every image in the PACS to the node, as a person does: Orthanc does not repeat a transfer that broke."""
        series = [one for one in self.pacs.get("/series?expand") if one["MainDicomTags"]["Modality"] == "MR"]
        try:
            self.pacs.post("/modalities/node/store", {"Resources": [one["ID"] for one in series]})
        except AssertionError:  # the receiver is not back yet
            return False
        return True

    def wait(self, condition: Callable[[], bool], what: str, timeout_s: float = WORK_S) -> None:
        """Wait until a condition holds, or fail with every log."""
        wait_for(condition, what, timeout_s, self.node)

    def runs(self) -> list[RunRow]:
        """Every run."""
        return self.node.rows(RunRow)

    def wait_until_done(self, runs: int = 1, timeout_s: float = WORK_S) -> None:
        """Wait until so many runs are done; a parked one fails at once."""

        def done() -> bool:
            rows = self.runs()
            parked = [row.reason for row in rows if row.status == RunStatus.PARKED]
            assert not parked, f"{parked}\n{self.node.logs()}"
            return sum(row.status == RunStatus.DONE for row in rows) >= runs

        self.wait(done, f"{runs} run(s) to be done", timeout_s)

    def results(self) -> dict[tuple[str, str], int]:
        """Instances in the PACS that are no images: (Study Instance UID, modality) to their number."""
        found: dict[tuple[str, str], int] = {}
        for facts in self.pacs.instances().values():
            if facts["Modality"] != "MR":
                key = (facts["StudyInstanceUID"], facts["Modality"])
                found[key] = found.get(key, 0) + 1
        return found


@contextmanager
def bench(folder: Path, second_port: int = 0, *, prior: bool = False, objects: str = "") -> Iterator[Bench]:
    """A bench in an empty folder."""
    port = free_port()
    for part in ("pacs", "node"):
        (folder / part).mkdir()
    with orthanc(folder / "pacs", node_port=port) as pacs:
        text = config_text(port, pacs.dicom_port, second_port, prior=prior, objects=objects)
        with node(folder / "node", port, text, ("hippocampus_mr",)) as under_test:
            yield Bench(pacs, under_test)
