"""A node with labelled radiographs, and a child process's work done in this one."""

import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from pydicom import Dataset

from dicomnode.bundles.approval import approve, approved
from dicomnode.config.load import load
from dicomnode.index.learning import LabelRow
from dicomnode.index.schema import SeriesRow, StudyRow
from dicomnode.learn.harvest.patients import key_patients
from dicomnode.learn.job import place_order
from dicomnode.learn.orders import PrepareOrder
from dicomnode.learn.sets.build import build_set
from dicomnode.learn.sets.prepare import prepare
from dicomnode.learn.values import LabelState, Source, TrainingSet, What
from dicomnode.receive.intake import Arrival, Intake, Limits
from dicomnode.receive.refusals import Refusals
from tests.bundles_made import bundle_made, classification_toml
from tests.index_made import index_made
from tests.phantom import Subject, dx_image
from tests.site_made import data_set_of

MODEL = "flat"
CONFIG = """
[node]
state = "state"
[receive]
reserve_bytes = 0
[infer]
folder = "models"
[learn.sites]
North = ["NORTH"]
"""
RESIZED = {"_target_": "Resized", "keys": "image", "spatial_size": [16, 16], "mode": "bilinear"}


class Hospital:
    """Radiographs come in, readers label them, training sets are built."""

    def __init__(self, folder: Path) -> None:
        (folder / "config.toml").write_text(CONFIG)
        self.config = load(folder / "config.toml")
        self.state = self.config.node.state
        self.state.mkdir()
        self.index = index_made(self.config.index_url)
        weights = {"layer.weight": [[[[1.0]]]], "layer.bias": [0.0]}
        dicom = classification_toml(MODEL)
        bundle_made(folder / "models", MODEL, "Mean", dicom=dicom, preprocessing=[RESIZED], weights=weights)
        approve(self.index, folder / "models" / MODEL, "a test")
        self.model = approved(self.index, folder / "models" / MODEL)
        self.jobs: list[PrepareOrder] = []
        limits = Limits(reserve_bytes=0, instance_bytes=1 << 30)
        self.intake = Intake(self.state, self.index, Refusals(self.index), limits)

    def receive(self, image: Dataset) -> None:
        syntax = str(image.file_meta.TransferSyntaxUID)
        arrival = Arrival(str(image.SOPClassUID), str(image.SOPInstanceUID), syntax, "PACS", "127.0.0.1")
        incoming = self.intake.begin(arrival)
        incoming.write(data_set_of(image))
        incoming.keep()

    def label(self, study_uid: str, value: float | None = 1.0, **changes: object) -> None:
        """What a reader says of a study."""
        with self.index.transaction() as session:
            study = session.query(StudyRow).filter_by(study_uid=study_uid).one()
            series = session.query(SeriesRow).filter_by(study_key=study.study_key).first()
            row = LabelRow(
                state=LabelState.ATTACHED, study_key=study.study_key, study_uid=study_uid, model=MODEL, output=0,
                what=What.PRESENCE, value=value, source=Source.SR, made_s=1.0, at_s=1.0, weight=1.0, assisted=False,
                series_uid=series.series_uid if series else "", object_uid=f"{study_uid[:60]}.{len(changes)}",
            )  # fmt: skip
            for name, told in changes.items():
                setattr(row, name, told)
            session.add(row)
            session.flush()
            key_patients(session, self.state, 0.0)

    def child(self, folder: Path, order: PrepareOrder) -> dict[str, object]:
        """Stands in for the child process."""
        self.jobs.append(order)
        place_order(folder, order)
        path = list(sys.path)
        for name in ("scripts", "scripts.networks"):
            sys.modules.pop(name, None)
        try:
            return prepare(order, folder, lambda _: None)
        finally:
            sys.path[:] = path

    def build(self, scope: str = "") -> TrainingSet:
        return build_set(self.index, self.config, self.model, run_child=self.child, scope=scope)

    def lose_items(self) -> None:
        shutil.rmtree(self.state / "training" / "items")


def radiograph(n: int, *, patient: str = "", study: str = "", seed: int | None = None, **changes: object) -> Dataset:
    """A radiograph of noise, of patient n; another seed is another picture."""
    subject = Subject(
        patient_id=patient or f"PLANTED-{n}", patient_name=f"Planted^Name{n}", study=study or f"study {n}"
    )
    values = np.random.default_rng(n if seed is None else seed).integers(0, 4000, (40, 40)).astype(np.float32)
    image = dx_image(view="PA", name=f"DX {n} {study}", subject=subject, values=values)
    image.AccessionNumber = f"PLANTEDACC{n}"
    for keyword, value in changes.items():
        setattr(image, keyword, value)
    return image


@pytest.fixture
def hospital(tmp_path: Path) -> Iterator[Hospital]:
    made = Hospital(tmp_path)
    yield made
    made.index.close()
