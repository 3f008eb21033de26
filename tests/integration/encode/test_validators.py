"""What we encode passes the field's validators and is read by other software as we meant it."""

import gzip
import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from dicomnode.encode.door.dciodvfy import findings, validator_path
from dicomnode.encode.known_findings import is_known
from dicomnode.values import DomainAnswer, Role
from tests.phantom import OBLIQUE, ct_series, mr_series
from tests.unit.encode.examples import (
    Example,
    classification_results,
    classified,
    could_not_results,
    figures_of,
    nothing_found_results,
    segmentation_results,
    voxel_places,
)

OUTSIDE = DomainAnswer(inside=False, reasons=("age unknown",))
RESEARCH = DomainAnswer(inside=False, reasons=("age unknown",), overridden=True)
ANSWERS: dict[str, Callable[[Path], Example]] = {
    "segmentation of MR": lambda folder: segmentation_results(mr_series(), folder),
    "segmentation of CT": lambda folder: segmentation_results(ct_series(), folder),
    "nothing found": nothing_found_results,
    "classification": lambda folder: classification_results(folder, classified(0.91)),
    "outside the domain": lambda folder: classification_results(folder, classified(0.91, OUTSIDE)),
    "research use": lambda folder: classification_results(folder, classified(0.2, RESEARCH)),
    "could not analyse": could_not_results,
}
ORIGIN = (-31.5, 12.25, 40.0)
SERIES = {
    "axial": mr_series(origin=ORIGIN),
    "oblique": mr_series(orientation=OBLIQUE, origin=ORIGIN, spacing_mm=1.5),
    "reversed": mr_series(orientation=(-1, 0, 0, 0, -1, 0), origin=ORIGIN)[::-1],
    "anisotropic": ct_series(pixel_mm=(0.5, 0.75), spacing_mm=5.0, origin=ORIGIN),
}


def said(program: str, *arguments: str | Path) -> list[str]:
    """What a program prints, a line each; it must end well."""
    done = subprocess.run([program, *arguments], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return (done.stdout + done.stderr).splitlines()


def written(example: Example, role: Role, folder: Path) -> Path:
    (one,) = [one for one in example.made if one.role is role]
    path = folder / f"{role}.dcm"
    path.write_bytes(one.content)
    return path


@pytest.mark.peers("dciodvfy")
@pytest.mark.parametrize("answer", ANSWERS)
def test_dciodvfy_finds_nothing_new(answer: str, tmp_path: Path) -> None:
    program = validator_path()
    assert program is not None

    for one in ANSWERS[answer](tmp_path).made:
        assert findings(one.content, program) == []


@pytest.mark.peers("dsrdump")
@pytest.mark.parametrize("answer", ANSWERS)
def test_dsrdump_reads_every_report_without_new_findings(answer: str, tmp_path: Path) -> None:
    lines = said("dsrdump", "-v", written(ANSWERS[answer](tmp_path), Role.SR, tmp_path))

    new = [line for line in lines if line.startswith(("W:", "E:", "F:")) and not is_known("dsrdump", line)]
    assert new == []
    assert any("AI result, not verified" in line for line in lines)


@pytest.mark.peers("tid1500reader")
@pytest.mark.parametrize("answer", ANSWERS)
def test_dcmqi_reads_every_report_as_tid_1500(answer: str, tmp_path: Path) -> None:
    example = ANSWERS[answer](tmp_path)
    out = tmp_path / "read.json"

    said("tid1500reader", "--inputDICOM", written(example, Role.SR, tmp_path), "--outputMetadata", out)

    groups = json.loads(out.read_text(encoding="utf-8"))["Measurements"]
    assert [group["TrackingIdentifier"] for group in groups] != []


@pytest.mark.peers("tid1500reader")
def test_dcmqi_reads_the_volumes_that_we_wrote(tmp_path: Path) -> None:
    example = segmentation_results(mr_series(), tmp_path)
    out = tmp_path / "read.json"

    said("tid1500reader", "--inputDICOM", written(example, Role.SR, tmp_path), "--outputMetadata", out)

    items = [i for g in json.loads(out.read_text(encoding="utf-8"))["Measurements"] for i in g["measurementItems"]]
    volumes = [float(i["value"]) for i in items if i["quantity"]["CodeMeaning"] == "Volume"]
    assert volumes == figures_of(example.report, "Volume") == [0.012, 0.009]


@pytest.mark.peers("segimage2itkimage")
@pytest.mark.parametrize("name", SERIES)
def test_dcmqi_finds_every_voxel_where_it_was_predicted(name: str, tmp_path: Path) -> None:
    example = segmentation_results(SERIES[name], tmp_path)
    seg = written(example, Role.SEG, tmp_path)

    said("segimage2itkimage", "--inputDICOM", seg, "--outputDirectory", tmp_path, "--outputType", "nrrd")

    for number in (1, 2):
        mask, affine = nrrd(tmp_path / f"{number}.nrrd")
        assert voxel_places(mask != 0, affine) == voxel_places(example.labels == number, example.volume.affine_lps)


def nrrd(path: Path) -> tuple[NDArray[np.int16], NDArray[np.float64]]:
    """Voxels (slice, row, column) and affine to LPS mm of an NRRD file as dcmqi writes it."""
    head, _, data = path.read_bytes().partition(b"\n\n")
    fields = dict(line.split(": ", 1) for line in head.decode().splitlines() if ": " in line)
    assert fields["space"] == "left-posterior-superior"
    assert fields["type"] in ("short", "int16")
    raw = gzip.decompress(data) if fields["encoding"] == "gzip" else data
    voxels = np.frombuffer(raw, "<i2").reshape([int(size) for size in fields["sizes"].split()][::-1])
    affine = np.eye(4)
    for axis, vector in enumerate(fields["space directions"].split()):
        affine[:3, axis] = numbers_of(vector)
    affine[:3, 3] = numbers_of(fields["space origin"])
    return voxels, affine


def numbers_of(vector: str) -> list[float]:
    """The numbers of "(1,2,3)"."""
    return [float(number) for number in vector.strip("()").split(",")]
