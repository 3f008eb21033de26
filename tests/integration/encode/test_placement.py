"""Other people's software finds our maps where they were predicted."""

import gzip
import subprocess
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from dicomnode.values import Role
from tests.unit.encode.examples import voxel_places
from tests.unit.encode.placed import PLACED, SALIENT, placed, probability_of, projection


def read_map(path: Path, folder: Path) -> tuple[NDArray[np.float32], NDArray[np.float64]]:
    """Values (slice, row, column) and affine to LPS mm of a Parametric Map, as dcmqi writes them to NRRD."""
    command = ["paramap2itkimage", "--inputDICOM", path, "--outputDirectory", folder, "--outputType", "nrrd"]
    subprocess.run(command, check=True, capture_output=True, timeout=60)
    head, _, data = next(folder.glob("*.nrrd")).read_bytes().partition(b"\n\n")
    fields = dict(line.split(": ", 1) for line in head.decode().splitlines() if ": " in line)
    assert (fields["space"], fields["type"]) == ("left-posterior-superior", "float")
    raw = gzip.decompress(data) if fields["encoding"] == "gzip" else data
    affine = np.eye(4)
    vectors = [*fields["space directions"].split(), fields["space origin"]]
    affine[:3] = np.array([[float(number) for number in vector.strip("()").split(",")] for vector in vectors]).T
    return np.frombuffer(raw, "<f4").reshape([int(size) for size in fields["sizes"].split()][::-1]), affine


@pytest.mark.peers("paramap2itkimage")
@pytest.mark.parametrize("name", PLACED)
def test_dcmqi_finds_every_probability_where_it_was_predicted(name: str, tmp_path: Path) -> None:
    example = placed(name, tmp_path / "study", (Role.PMAP,))
    (tmp_path / "map.dcm").write_bytes(example.made[0].content)

    values, affine = read_map(tmp_path / "map.dcm", tmp_path)

    for value in (1.0, 0.75):
        predicted = probability_of(example.labels) == value
        assert voxel_places(values == value, affine) == voxel_places(predicted, example.volume.affine_lps)


@pytest.mark.peers("paramap2itkimage")
def test_dcmqi_finds_the_saliency_of_a_radiograph_at_its_pixel(tmp_path: Path) -> None:
    example = projection(tmp_path / "study", (Role.PMAP,))
    (tmp_path / "map.dcm").write_bytes(example.made[0].content)

    values, affine = read_map(tmp_path / "map.dcm", tmp_path)

    assert SALIENT == (0, 2, 3)
    # rows 0.2 mm apart from head to foot, columns 0.3 mm apart from right to left
    assert voxel_places(values == 1.0, affine) == {(0.9, 0.0, -0.4)}
