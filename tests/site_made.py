"""A node in this process: real index, files, rules, encoding and outbox; the model is a threshold."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from typing import TypeVar

from pydicom import Dataset, dcmread

from dicomnode.bundles.approval import approve
from dicomnode.complete.ready import Ready
from dicomnode.config.load import load
from dicomnode.config.tables import Config
from dicomnode.decide import decide
from dicomnode.index.database import Index
from dicomnode.index.schema import ResultRow, RunRow, StudyRow
from dicomnode.receive.faults import SUCCESS
from dicomnode.receive.intake import Arrival, Intake, Limits
from dicomnode.receive.refusals import Refusals
from dicomnode.serve.gpu import build
from dicomnode.stages import Device, Stages
from tests.bundles_made import bundle_made, segmentation_toml
from tests.index_made import index_made
from tests.phantom import encoded
from tests.threshold import Thresholds

T = TypeVar("T")
MODEL = "bright"
CONFIG = """
[node]
state = "state"
[receive]
reserve_bytes = 0
[infer]
folder = "models"
[peers.pacs]
ae_title = "PACS"
host = "127.0.0.1"
port = 104
[[routes]]
name = "ct"
when = { all = [{ tag = "Modality", equals = "CT" }] }
models = ["bright"]
destinations = ["pacs"]
"""


@dataclass
class Site:
    """One node, driven step by step."""

    config: Config
    index: Index
    stages: Stages
    intake: Intake = field(init=False)

    def __post_init__(self) -> None:
        limits = Limits(reserve_bytes=0, instance_bytes=1 << 30)
        self.intake = Intake(self.config.node.state, self.index, Refusals(self.index), limits)

    def receive(self, images: Iterable[Dataset]) -> None:
        """Take images in as the receiver does; each must be answered Success."""
        for image in images:
            syntax = str(image.file_meta.TransferSyntaxUID)
            incoming = self.intake.begin(
                Arrival(str(image.SOPClassUID), str(image.SOPInstanceUID), syntax, "PACS", "127.0.0.1")
            )
            incoming.write(data_set_of(image))
            assert incoming.keep() == SUCCESS, incoming.comment

    def decide(self, ready: Ready = Ready.QUIET) -> list[bool]:
        """Decide on every study that waits; whether each was decided."""
        with self.index.snapshot() as session:
            keys = [row.study_key for row in session.query(StudyRow).filter_by(state="receiving")]
        return [decide(self.index, self.config, key, ready) for key in keys]

    def work(self) -> list[RunRow]:
        """Take every queued run through its stages, as the journey does; all runs after that."""
        for row in [row for row in self.rows(RunRow) if row.status == "queued"]:
            if self.stages.begin(row.run_key) is None:
                continue
            self.stages.analyse(row.run_key)
            self.stages.report(row.run_key, row.attempt, {})
        return self.rows(RunRow)

    def rows(self, kind: type[T]) -> list[T]:
        """Every row of one table."""
        with self.index.snapshot() as session:
            return list(session.query(kind).all())

    def results(self, run_key: str) -> dict[str, Dataset]:
        """What a run put into the outbox, by role."""
        return {
            row.role: dcmread(self.config.node.state / row.file)
            for row in self.rows(ResultRow)
            if row.run_key == run_key
        }


def site_made(folder: Path, text: str = CONFIG) -> Site:
    """A node with one approved model that marks bright voxels of CT, and one route to one PACS."""
    (folder / "config.toml").write_text(text)
    config = load(folder / "config.toml")
    config.node.state.mkdir(exist_ok=True)
    index = index_made(config.index_url)
    bundle_made(folder / "models", MODEL, "Threshold", dicom=segmentation_toml(MODEL))
    approve(index, folder / "models" / MODEL, "a test")
    return Site(config, index, Stages(config, index, Device(build, Thresholds())))


def data_set_of(image: Dataset) -> bytes:
    """The encoded data set without preamble and group 0002, as it travels."""
    whole = encoded(image)
    start = 132 + 12 + int(dcmread(BytesIO(whole)).file_meta.FileMetaInformationGroupLength)
    return whole[start:]
