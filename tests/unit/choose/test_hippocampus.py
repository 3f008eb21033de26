"""Of a real study of five series the hippocampus model takes the crop, whatever it is called."""

import os
from pathlib import Path

import pytest
from pydicom import Dataset, dcmread

from dicomnode.bundles.dicom_toml import load_dicom_toml
from dicomnode.choose.series import choose_series
from dicomnode.values import Verdict
from dicomnode.volume.build import build_volume
from tests.phantom import mr_series, study_of

BUNDLE = Path(__file__).parents[3] / "models" / "hippocampus_mr"
DATA = Path(os.environ.get("DICOMNODE_DATA", "absent")) / "dicom" / "series_mr_hippovolume_study1"
needs_data = pytest.mark.skipif(
    not DATA.is_dir(), reason="DICOMNODE_DATA/dicom/series_mr_hippovolume_study1 is not on this machine"
)


def verdicts(images: list[Dataset] | list[Path]) -> dict[str, Verdict]:
    choice = choose_series(study_of(images), load_dicom_toml(BUNDLE))
    return {verdict.description.split()[-1]: verdict for verdict in choice.verdicts}


def crop(**settings: object) -> list[Dataset]:
    images = mr_series(**{"slices": 32, "rows": 51, "columns": 35, **settings})  # type: ignore[arg-type]
    for image in images:
        image.ImageType = ["DERIVED", "SECONDARY", "AXIAL"]
    return images


def test_a_derived_crop_is_admitted_by_the_explicit_exception() -> None:
    assert verdicts(crop(name="crop"))["crop"].taken


def test_a_whole_head_is_refused_because_of_its_size() -> None:
    head = mr_series(name="head", slices=40, spacing_mm=4.0, rows=64, columns=64, pixel_mm=(3.6, 3.6))

    # 64 × 3.6 mm = 230 mm; 40 × 4 mm = 160 mm
    assert verdicts([*head, *crop(name="crop")])["head"].reasons == (
        "160 mm from the first to the last slice, the model takes at most 80 mm",
        "230 mm down the rows, the model takes at most 80 mm",
        "230 mm across the columns, the model takes at most 80 mm",
        "4.00 mm between voxels from the first to the last slice, the model takes at most 3 mm",
        "3.60 mm between voxels down the rows, the model takes at most 3 mm",
        "3.60 mm between voxels across the columns, the model takes at most 3 mm",
    )


@needs_data
@pytest.mark.parametrize("crop_name", ["HippoCrop", "T1post", ""])
def test_of_the_five_series_the_crop_is_taken_with_a_reason_for_each(crop_name: str) -> None:
    images = [dcmread(path) for path in sorted(DATA.glob("*.dcm"))]
    for image in images:
        if image.SeriesDescription == "HippoCrop":
            image.SeriesDescription = crop_name

    choice = choose_series(study_of(images), load_dicom_toml(BUNDLE))

    assert choice.series is not None
    assert len(choice.series.instances) == 32
    assert choice.series.first.text("Columns") == "35"
    assert len(choice.verdicts) == 5
    assert sum(verdict.taken for verdict in choice.verdicts) == 1
    for verdict in choice.verdicts:
        if not verdict.taken:
            assert "220 mm across the columns, the model takes at most 80 mm" in verdict.reasons  # 512 × 0.4297


@needs_data
def test_the_real_crop_becomes_a_volume() -> None:
    paths = sorted(DATA.glob("*.dcm"))
    toml = load_dicom_toml(BUNDLE)
    choice = choose_series(study_of(paths), toml)
    assert choice.series is not None

    volume = build_volume(choice.series, toml.series)

    assert volume.voxels.shape == (32, 51, 35)
