"""The short way of reading a header and pydicom's agree about every byte string, or the short way gives up."""

from functools import cache
from io import BytesIO
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydicom import Dataset, dcmwrite
from pydicom.dataset import FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.sequence import Sequence
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEGBaseline8Bit,
)

from dicomnode.archive.reading import read_header, read_wanted
from dicomnode.archive.scanning import Encoding, scan
from dicomnode.errors import NotDicom
from dicomnode.index.arrivals import LOOKED_AT, Received, Stored, received
from tests.phantom import ct_series, dx_image, enhanced

PLAIN = (ExplicitVRLittleEndian, ImplicitVRLittleEndian, ExplicitVRBigEndian, JPEGBaseline8Bit)
STORED = Stored("", 0, "", "", "", 0.0)
HEAD_BYTES = 3000
UNDEFINED = ("RequestAttributesSequence", "ContributingEquipmentSequence", "PerFrameFunctionalGroupsSequence")


def described() -> list[Dataset]:
    """Images with sequences of both kinds of length, long values, private elements and other character sets."""
    plain, asked, large = ct_series(slices=1)[0], dx_image(), ct_series(slices=1)[0]
    frames = enhanced(ct_series(slices=3))
    request, equipment, view = Dataset(), Dataset(), Dataset()
    request.RequestedProcedurePriority, request.RequestedProcedureDescription = "STAT", "Schädel"
    equipment.DeviceUID = "1.2.3"
    view.CodeValue = "399348003"
    asked.SpecificCharacterSet, asked.PatientName = "ISO_IR 192", "Ivanov^Иван"
    asked.RequestAttributesSequence, asked.ViewCodeSequence = Sequence([request]), Sequence([view])
    asked.ContributingEquipmentSequence = Sequence([equipment])
    large.SpecificCharacterSet = ["", "ISO 2022 IR 87"]
    large.PatientName, large.RequestAttributesSequence = "Yamada^Tarou=山田^太郎", Sequence([request])
    large.private_block(0x0009, "TEST", create=True).add_new(1, "OB", bytes(1000))
    for image in (frames, large):
        for keyword in UNDEFINED:
            if keyword in image:
                image[keyword].is_undefined_length = True
    return [plain, asked, frames, large]


@cache
def encoded(number: int, syntax: str) -> bytes:
    """The data set of an image in a transfer syntax."""
    image = described()[number]
    image.file_meta = FileMetaDataset()
    image.file_meta.TransferSyntaxUID = syntax
    if syntax == JPEGBaseline8Bit:
        image.PixelData = encapsulate([b"\xff\xd8" + bytes(20)])
    buffer = BytesIO()
    dcmwrite(buffer, image, enforce_file_format=True)
    raw = buffer.getvalue()
    return raw[144 + int.from_bytes(raw[140:144], "little") :]


def shortly(file: Path, syntax: str, head_bytes: int) -> Received | None:
    found = read_wanted(file.read_bytes()[:head_bytes], file, 0, syntax, LOOKED_AT)
    return None if found is None else received(found, STORED)


@pytest.mark.parametrize("syntax", PLAIN)
@pytest.mark.parametrize("number", range(4))
def test_what_other_programs_write_is_read_the_short_way_and_as_pydicom_reads_it(
    tmp_path: Path, number: int, syntax: str
) -> None:
    file = tmp_path / "image"
    file.write_bytes(encoded(number, syntax))

    found = shortly(file, syntax, 1 << 16)

    assert found is not None
    assert found == received(read_header(file, 0, syntax, 1 << 20), STORED)


@pytest.mark.filterwarnings("ignore::UserWarning")
@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    number=st.integers(0, 3),
    syntax=st.sampled_from(PLAIN),
    cut=st.integers(0, 2000),
    head_bytes=st.integers(0, HEAD_BYTES),
    changes=st.lists(st.tuples(st.integers(0, HEAD_BYTES), st.integers(0, 255)), max_size=4),
)
def test_on_any_bytes_the_short_way_says_what_pydicom_says_or_nothing(
    tmp_path: Path, number: int, syntax: str, cut: int, head_bytes: int, changes: list[tuple[int, int]]
) -> None:
    data, file = bytearray(encoded(number, syntax)), tmp_path / "changed"
    for place, value in changes:
        data[place % len(data)] = value
    file.write_bytes(data[: len(data) - cut % len(data)] if cut < 300 else data)

    try:
        found = shortly(file, syntax, head_bytes if cut % 2 else len(data))
    except NotDicom:
        with pytest.raises(NotDicom):
            read_header(file, 0, syntax, 1 << 20)
        return

    assert found is None or found == received(read_header(file, 0, syntax, 1 << 20), STORED)


def test_a_deflated_data_set_is_left_to_pydicom(tmp_path: Path) -> None:
    file = tmp_path / "deflated"
    file.write_bytes(encoded(0, DeflatedExplicitVRLittleEndian))

    assert shortly(file, DeflatedExplicitVRLittleEndian, 1 << 16) is None


def test_a_header_longer_than_the_bytes_at_hand_is_left_to_pydicom() -> None:
    data = encoded(0, ExplicitVRLittleEndian)
    pixels = data.index(b"\xe0\x7f\x10\x00OW")

    for length in range(pixels):
        found = scan(data[:length], Encoding(implicit=False, little=True), LOOKED_AT)
        assert found is None or found.pixel_bytes is None
    whole = scan(data[: pixels + 12], Encoding(implicit=False, little=True), LOOKED_AT)
    assert whole is not None
    assert whole.end == pixels + 12
