"""The hippocampus crops as a site would have them: a base trained on few, and corrected segmentations of others."""

import csv
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import nibabel
import numpy as np
from pydicom import Dataset
from pydicom.sr.coding import Code

from dicomnode.bench.loop.reader import corrected_segmentation
from dicomnode.bench.loop.site import REPO
from dicomnode.demo.msd import msd_series
from dicomnode.errors import ConfigFault

MODEL = "hippocampus_mr"
SEGMENTS = (
    (1, "Anterior hippocampus", Code("HIPPOCAMPUS-ANTERIOR", "99DICOMNODE", "Anterior hippocampus")),
    (2, "Posterior hippocampus", Code("HIPPOCAMPUS-POSTERIOR", "99DICOMNODE", "Posterior hippocampus")),
)
BASE_TRAIN, BASE_VALIDATION, BASE_EPOCHS = 16, 4, 60
LEARNING = f"""[learn]
enabled = true
sources = ["READER"]
recipe = "lpft"
trials = 0
window = ""
idle = false
shadow_studies = 5
[[learn.map]]
model = "{MODEL}"
output = 1
codes = ["HIPPOCAMPUS-ANTERIOR/99DICOMNODE"]
[[learn.map]]
model = "{MODEL}"
output = 2
codes = ["HIPPOCAMPUS-POSTERIOR/99DICOMNODE"]
"""


@dataclass(frozen=True)
class Crop:
    """One patient's crop and its drawn mask."""

    name: str
    image: Path
    mask: Path

    def series(self, description: str, again: str = "") -> list[Dataset]:
        """As single-frame MR images; `again` makes another study of the same patient."""
        image = nibabel.load(self.image)
        made = msd_series(np.asarray(image.dataobj), image.affine, self.name + again)
        for one in made:
            one.StudyDescription = description
            one.PatientID, one.PatientName = f"BENCH-{self.name}", f"Bench^{self.name}"
        return made

    def corrected(self, images: Sequence[Dataset]) -> Dataset:
        """The drawn mask as the segmentation that a reader saved of these images."""
        mask = np.asarray(nibabel.load(self.mask).dataobj).astype(np.uint8)
        return corrected_segmentation(images, mask.transpose(2, 1, 0), SEGMENTS)


def read_crops(data: Path) -> list[Crop]:
    """The crops of the public set, by its index.csv."""
    with (data / "index.csv").open(newline="", encoding="utf-8") as file:
        return [Crop(row["group"], data / row["path"], data / row["mask"]) for row in csv.DictReader(file)]


def base_bundle(data: Path, models: Path, threads: int) -> tuple[Path, frozenset[str]]:
    """The shipped bundle, trained anew on twenty patients alone; its folder, and their names.

    Raises:
        ConfigFault: the training failed; with what it said.
    """
    folder = models / MODEL
    used = sorted(crop.name for crop in read_crops(data))[: BASE_TRAIN + BASE_VALIDATION]
    if not (folder / "base.json").exists():
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(REPO / "models" / MODEL, folder, ignore=shutil.ignore_patterns("__pycache__", "selftest"))
        (folder / "models" / "model.pt").unlink()
        _write_split(folder, used)
        _train(folder, data, threads)
        (folder / "base.json").write_text(json.dumps(used))
    return folder, frozenset(used)


def _write_split(folder: Path, used: Sequence[str]) -> None:
    path = folder / "configs" / "split.csv"
    with path.open(newline="", encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if row["group"] in used]
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, ["path", "mask", "group", "split"])
        writer.writeheader()
        for row in rows:
            split = "train" if used.index(row["group"]) < BASE_TRAIN else "validation"
            writer.writerow(row | {"split": split})


def _train(folder: Path, data: Path, threads: int) -> None:
    command = [sys.executable, "-m", "monai.bundle", "run", "--config_file", "configs/train.json"]
    command += ["--dataset_dir", str(data), "--threads", str(threads), "--recipe::epochs", str(BASE_EPOCHS)]
    environment = os.environ | {"OMP_NUM_THREADS": str(threads)}
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, env=environment)
    for left in ("checkpoint.pt", "progress.csv"):
        (folder / "models" / left).unlink(missing_ok=True)
    if done.returncode or not (folder / "models" / "model.pt").exists():
        raise ConfigFault(f"the base could not be trained: {done.stderr[-2000:]}")
