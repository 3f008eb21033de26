"""Validators that look at one file, and what each says that is a finding."""

import json
import re
import subprocess
import tempfile
import warnings
from collections.abc import Iterable, Sequence
from pathlib import Path

import highdicom
from pydicom import dcmread

from dicomnode.encode.door.dciodvfy import FINDING, normal_form, validator_path

DCMTK_FINDING = re.compile(r"[WEF]: .*")


def said(program: str, *arguments: str | Path) -> list[str]:
    """What a program prints, a line each, and a line more where it ends with a fault."""
    done = subprocess.run(
        [program, *arguments], capture_output=True, text=True, errors="replace", timeout=60, check=False
    )
    lines = (done.stdout + done.stderr).splitlines()
    return [*lines, *([f"{program} ended with {done.returncode}"] if done.returncode else [])]


def dciodvfy(path: Path) -> list[str]:
    """Errors and warnings alike."""
    return [normal_form(line) for line in said(str(validator_path()), "-new", path) if FINDING.match(line)]


def dcentvfy(paths: Sequence[Path]) -> list[str]:
    """What differs between the objects of one patient, study or series that must not; the study's UID as <study>."""
    study_uid = str(dcmread(paths[0], stop_before_pixels=True).StudyInstanceUID)
    findings = (line for line in said("dcentvfy", *paths) if line.startswith(("Error", "Warning")))
    return [re.sub(r" for file .*", "", line).replace(study_uid, "<study>") for line in findings]


def dsrdump(path: Path) -> list[str]:
    return _dcmtk(said("dsrdump", "-v", path))


def dcmpschk(path: Path) -> list[str]:
    """Its findings; it says what it does as if it were a warning, and at last whether the object passed."""
    lines = said("dcmpschk", path)
    faults = [line for line in _dcmtk(lines) if not line.startswith(("W: Testing: ", "W: Test passed."))]
    return faults if "W: Test passed." in lines else [*faults, "dcmpschk did not pass it"]


def tid1500reader(path: Path) -> list[str]:
    """Its complaints, or that it found no measurement group."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "read.json"
        faults = _dcmqi(said("tid1500reader", "--inputDICOM", path, "--outputMetadata", out))
        groups = json.loads(out.read_text(encoding="utf-8")).get("Measurements") if out.exists() else None
    return faults if groups else [*faults, "tid1500reader read no measurement group"]


def segimage2itkimage(path: Path) -> list[str]:
    return _to_images("segimage2itkimage", path)


def paramap2itkimage(path: Path) -> list[str]:
    return _to_images("paramap2itkimage", path)


def read_by_highdicom(path: Path) -> list[str]:
    """Whether highdicom reads the finished file back as what it is; a warning of its is a finding too."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        try:
            _read(path)
        except Exception as fault:  # noqa: BLE001 (whatever it raises is the finding)
            return [f"{type(fault).__name__}: {fault}"]
    return []


def _read(path: Path) -> None:
    dataset = dcmread(path)
    if dataset.Modality == "SR":
        highdicom.sr.srread(path)
    elif dataset.Modality == "KO":
        highdicom.ko.KeyObjectSelectionDocument.from_dataset(dataset)
    elif dataset.Modality == "SEG":
        highdicom.seg.segread(path).get_volume()
    elif "FloatPixelData" in dataset:
        highdicom.imread(path).get_volume()
    elif "Rows" in dataset:
        highdicom.imread(path).get_frame(1)


def _to_images(program: str, path: Path) -> list[str]:
    with tempfile.TemporaryDirectory() as folder:
        faults = _dcmqi(said(program, "--inputDICOM", path, "--outputDirectory", folder, "--outputType", "nrrd"))
        return faults if list(Path(folder).glob("*.nrrd")) else [*faults, f"{program} wrote no image"]


def _dcmqi(lines: Iterable[str]) -> list[str]:
    return [line.strip() for line in lines if re.search(r"(?i)error|fatal|warn|ended with|^[WEF]:", line)]


def _dcmtk(lines: Iterable[str]) -> list[str]:
    return [line for line in lines if DCMTK_FINDING.match(line) or " ended with " in line or "failed" in line]
