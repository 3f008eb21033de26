"""Whatever the transfer syntax, the values are the same; what cannot be read is refused by name."""

import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from pydicom import Dataset, dcmread
from pydicom.data import DATA_ROOT
from pydicom.pixels.utils import compress
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGLSLossless,
    RLELossless,
)

from dicomnode.bundles.dicom_toml import SeriesRules
from dicomnode.errors import SeriesRefused
from dicomnode.index.headers import header_of
from dicomnode.values import Instance, Series, Volume
from dicomnode.volume.build import build_volume
from dicomnode.volume.decoder import Decoder
from dicomnode.volume.read import quiet
from tests.phantom import ct_series, enhanced, numbers, series_of, write

STACK = SeriesRules(modalities=("CT",))
IMAGE = SeriesRules(modalities=("CT",), dimensions=2)
BUNDLED = sorted(path for path in Path(DATA_ROOT, "test_files").rglob("*") if path.suffix == ".dcm")
ODD = Path(os.environ.get("DICOMNODE_DATA", "absent")) / "dicom" / "odd"
READABLE = [  # pydicom's own files of one CT and one MR image in several transfer syntaxes
    "MR_small.dcm",
    "MR_small_RLE.dcm",
    "MR_small_bigendian.dcm",
    "MR_small_implicit.dcm",
    "MR_small_jp2klossless.dcm",
    "MR_small_jpeg_ls_lossless.dcm",
]


def instance_at(path: Path) -> Instance:
    """A file as the index would give it, however broken it is."""
    with quiet():
        dataset = dcmread(path, stop_before_pixels=True, force=True)
    meta = getattr(dataset, "file_meta", Dataset())
    return Instance(
        1, str(dataset.get("SOPInstanceUID", "")), str(dataset.get("SOPClassUID", "")), "1.2", "1.3",
        str(meta.get("TransferSyntaxUID", "")), "", path, header_of(dataset),
    )  # fmt: skip


@pytest.fixture(scope="module")
def decoder() -> Iterator[Decoder]:
    with Decoder() as one:
        yield one


def volume_at(path: Path, rules: SeriesRules, decoder: Decoder) -> Volume:
    return build_volume(Series("1.2", (instance_at(path),)), rules, decoder=decoder)


@pytest.mark.parametrize("multi_frame", [False, True], ids=["single-frame", "multi-frame"])
@pytest.mark.parametrize("syntax", [JPEG2000Lossless, JPEGLSLossless, RLELossless], ids=lambda uid: uid.keyword)
def test_compressed_without_loss_the_volume_is_the_same(
    tmp_path: Path, decoder: Decoder, syntax: str, multi_frame: bool
) -> None:
    images = ct_series(slices=3, rows=40, columns=35)
    images = [enhanced(images)] if multi_frame else images
    for image in images:
        compress(image, syntax, generate_instance_uid=False)

    volume = build_volume(series_of(write(images, tmp_path)), STACK, decoder=decoder)

    assert np.array_equal(volume.voxels, numbers(3, 40, 35))


@pytest.mark.parametrize(
    "syntax", [ImplicitVRLittleEndian, DeflatedExplicitVRLittleEndian, ExplicitVRBigEndian], ids=lambda uid: uid.keyword
)
def test_uncompressed_in_any_byte_order_the_volume_is_the_same(tmp_path: Path, syntax: str) -> None:
    images = ct_series(slices=2)
    for k, image in enumerate(images):
        image.file_meta.TransferSyntaxUID = syntax
        order = ">" if syntax == ExplicitVRBigEndian else "<"
        image.PixelData = (numbers(2, 6, 8)[k] + 1024).astype(f"{order}u2").tobytes()
        image["PixelData"].VR = "OW"

    assert np.array_equal(build_volume(series_of(write(images, tmp_path)), STACK).voxels, numbers(2, 6, 8))


@pytest.mark.parametrize("name", READABLE)
def test_the_same_mr_image_has_the_same_values_in_each_transfer_syntax(decoder: Decoder, name: str) -> None:
    voxels = volume_at(Path(DATA_ROOT, "test_files", name), STACK, decoder).voxels

    assert voxels.shape == (1, 64, 64)
    assert np.array_equal(voxels, volume_at(Path(DATA_ROOT, "test_files", READABLE[0]), STACK, decoder).voxels)


def test_a_12_bit_jpeg_whose_scan_header_is_wrong_is_read_as_the_one_whose_header_is_right(decoder: Decoder) -> None:
    wrong, right = Path(DATA_ROOT, "test_files", "JPEG-lossy.dcm"), Path(DATA_ROOT, "test_files", "JPGExtended.dcm")

    volume = volume_at(wrong, IMAGE, decoder)

    assert volume.voxels.max() > 255
    assert np.array_equal(volume.voxels, volume_at(right, IMAGE, decoder).voxels)


@pytest.mark.parametrize("path", BUNDLED, ids=lambda path: path.name)
@pytest.mark.parametrize("rules", [IMAGE, STACK], ids=["2D", "3D"])
def test_every_file_that_comes_with_pydicom_is_a_volume_or_a_named_refusal(
    path: Path, decoder: Decoder, rules: SeriesRules
) -> None:
    require_volume_or_refusal(path, rules, decoder)


@pytest.mark.skipif(not ODD.is_dir(), reason="DICOMNODE_DATA/dicom/odd is not on this machine")
@pytest.mark.parametrize("rules", [IMAGE, STACK], ids=["2D", "3D"])
def test_every_odd_file_is_a_volume_or_a_named_refusal(decoder: Decoder, rules: SeriesRules) -> None:
    paths = sorted(ODD.glob("*.dcm"))
    assert paths
    for path in paths:
        require_volume_or_refusal(path, rules, decoder)


def require_volume_or_refusal(path: Path, rules: SeriesRules, decoder: Decoder) -> None:
    outcome = volume_or_refusal(path, rules, decoder)
    if isinstance(outcome, SeriesRefused):
        assert type(outcome) is not SeriesRefused
        assert str(outcome)
    else:
        assert outcome.voxels.ndim == 3
        assert len(outcome.frames) == len(outcome.voxels)
        assert np.isfinite(outcome.voxels).all()


def volume_or_refusal(path: Path, rules: SeriesRules, decoder: Decoder) -> Volume | SeriesRefused:
    try:
        return volume_at(path, rules, decoder)
    except SeriesRefused as refusal:
        return refusal
