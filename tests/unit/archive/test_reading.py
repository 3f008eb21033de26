"""Whatever the bytes are, reading them ends in a header or in a named fault."""

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydicom import Dataset
from pydicom.sequence import Sequence
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEGBaseline8Bit,
)

from dicomnode.archive.reading import Truncated, Unreadable, data_set_start, read_header
from dicomnode.errors import NotDicom
from dicomnode.index.arrivals import Stored, received
from tests.phantom import ct_series, encoded, enhanced

SYNTAXES = (
    ExplicitVRLittleEndian, ImplicitVRLittleEndian, ExplicitVRBigEndian, JPEGBaseline8Bit,
    DeflatedExplicitVRLittleEndian,
)  # fmt: skip
IMAGES = [encoded(ct_series(slices=1)[0]), encoded(enhanced(ct_series(slices=3)))]
STORED = Stored("", 0, "", "", "", 0.0)


@pytest.mark.filterwarnings("ignore::UserWarning")
@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    image=st.sampled_from(IMAGES),
    syntax=st.sampled_from(SYNTAXES),
    cut=st.integers(0, 4000),
    changes=st.lists(st.tuples(st.integers(0, 4000), st.integers(0, 255)), max_size=12),
)
def test_broken_bytes_end_in_a_named_fault(
    tmp_path: Path, image: bytes, syntax: str, cut: int, changes: list[tuple[int, int]]
) -> None:
    data = bytearray(image[144 + int.from_bytes(image[140:144], "little") :])
    for place, value in changes:
        data[place % len(data)] = value
    file = tmp_path / "broken"
    file.write_bytes(data[: len(data) - cut % len(data)])

    try:
        received(read_header(file, 0, str(syntax), 1 << 20), STORED)
    except NotDicom:
        return


def test_a_header_is_read_without_its_pixels(tmp_path: Path) -> None:
    file = tmp_path / "image"
    file.write_bytes(IMAGES[0])

    header = read_header(file, data_set_start(file), str(ExplicitVRLittleEndian), 1 << 20)

    assert header.PatientID == "PHANTOM-1"
    assert "PixelData" not in header


def test_a_value_longer_than_the_file_is_a_truncation(tmp_path: Path) -> None:
    file = tmp_path / "image"
    file.write_bytes(IMAGES[0][:-1])

    with pytest.raises(Truncated, match="pixel data ends 1 bytes early"):
        read_header(file, data_set_start(file), str(ExplicitVRLittleEndian), 1 << 20)


def test_what_is_no_part_10_file_is_said_so(tmp_path: Path) -> None:
    file = tmp_path / "image"
    for raw in (b"", b"DICM", IMAGES[0][128:], b"\0" * 200):
        file.write_bytes(raw)
        with pytest.raises(Unreadable):
            data_set_start(file)


def test_a_data_set_that_ends_within_a_sequence_is_no_fault_of_the_disk(tmp_path: Path) -> None:
    image, file = ct_series(slices=1)[0], tmp_path / "cut"
    item = Dataset()
    item.CodeValue = "399348003"
    image.ViewCodeSequence = Sequence([item])
    image["ViewCodeSequence"].is_undefined_length = True
    data = encoded(image)
    file.write_bytes(data[: data.index(b"399348003") + 10])

    with pytest.raises(NotDicom):
        read_header(file, data_set_start(file), str(ExplicitVRLittleEndian), 1 << 20)
