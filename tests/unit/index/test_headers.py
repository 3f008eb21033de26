"""The header kept of an instance is what the sender said, in any character set, and never an exception."""

from io import BytesIO

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom import Dataset, dcmread
from pydicom.datadict import tag_for_keyword
from pydicom.sequence import Sequence

from dicomnode.index.element_text import MALFORMED
from dicomnode.index.headers import KEYWORDS, header_of
from dicomnode.values import Header
from dicomnode.volume.read import quiet
from tests.phantom import OBLIQUE, ct_series, dx_image, encoded, enhanced

WHOLE = encoded(enhanced(ct_series(slices=2)))


def read(data: bytes) -> Header:
    with quiet():
        return header_of(dcmread(BytesIO(data), stop_before_pixels=True, force=True))


def described(character_set: str, raw: bytes) -> str:
    """Series Description of an image whose bytes are these, under this Specific Character Set."""
    image = ct_series(slices=1)[0]
    image.SpecificCharacterSet = "ISO_IR 100"
    image.SeriesDescription = "X" * (len(raw) + len(raw) % 2)
    data = encoded(image).replace(b"X" * (len(raw) + len(raw) % 2), raw + b" " * (len(raw) % 2))
    sets = character_set.encode() + b" " * (len(character_set) % 2)
    plain = b"\x08\x00\x05\x00CS" + len(b"ISO_IR 100").to_bytes(2, "little") + b"ISO_IR 100"
    assert plain in data
    return read(data.replace(plain, b"\x08\x00\x05\x00CS" + len(sets).to_bytes(2, "little") + sets)).text(
        "SeriesDescription"
    )


@pytest.mark.parametrize(
    ("character_set", "text", "raw"),
    [
        ("ISO_IR 100", "Schädel", "Schädel".encode("latin-1")),
        ("ISO_IR 144", "Голова", "Голова".encode("iso8859-5")),
        ("ISO_IR 192", "頭部 Голова 머리", "頭部 Голова 머리".encode()),
        ("GB18030", "头部", "头部".encode("gb18030")),
        ("GBK", "头部", "头部".encode("gbk")),
        (r"\ISO 2022 IR 87", "頭部", "頭部".encode("iso2022_jp")),
        (r"ISO 2022 IR 13\ISO 2022 IR 87", "頭部", "頭部".encode("iso2022_jp")),
        (r"\ISO 2022 IR 149", "머리", b"\x1b$)C" + "머리".encode("euc_kr")),
    ],
)
def test_text_is_decoded_under_its_character_set(character_set: str, text: str, raw: bytes) -> None:
    assert described(character_set, raw) == text


def test_bytes_that_break_their_character_set_are_replaced_and_an_unknown_one_is_latin() -> None:
    assert described("ISO_IR 192", b"head\xff\xfe") == "head\ufffd\ufffd"
    assert described("ISO_IR 999", b"Sch\xe4del") == "Schädel"


def test_values_keep_dicom_notation() -> None:
    header = header_of(ct_series(slices=1, orientation=OBLIQUE)[0])

    assert header.text("ImageType") == r"ORIGINAL\PRIMARY\AXIAL"
    assert header.numbers("ImageOrientationPatient") == OBLIQUE
    assert header.numbers("Rows") == (6.0,)


def test_data_sets_in_memory_and_in_files_have_the_same_header() -> None:
    image = ct_series(slices=1)[0]
    image.KVP = "120"

    assert header_of(image).values == read(encoded(image)).values


def test_absent_and_empty_attributes_are_absent() -> None:
    image = dx_image()
    image.Laterality, image.BodyPartExamined = "", None

    assert not {"Laterality", "BodyPartExamined", "ConvolutionKernel"} & set(header_of(image).values)


def test_values_that_break_their_rules_are_kept_as_written() -> None:
    image = ct_series(slices=1)[0]
    data = encoded(image).replace(b"DS\x02\x002 ", b"DS\x02\x00x ")

    assert read(data).text("SliceThickness") == "x"
    assert read(data).numbers("SliceThickness") == ()


def test_an_enhanced_multi_frame_gives_the_geometry_of_its_functional_groups() -> None:
    header = header_of(enhanced(ct_series(slices=3, spacing_mm=2.0, pixel_mm=(0.5, 0.75), origin=(1.0, 2.0, 3.0))))

    assert header.text("PixelSpacing") == r"0.5\0.75"
    assert header.text("ImageOrientationPatient") == r"1\0\0\0\1\0"
    assert header.text("ImagePositionPatient") == r"1\2\3\1\2\5\1\2\7"
    assert header.text("SliceThickness") == "2"


def test_what_the_request_says_is_found_and_the_data_set_goes_before_it() -> None:
    image = dx_image()
    request = Dataset()
    request.RequestedProcedurePriority, request.RequestedProcedureDescription = "STAT", "Thorax"
    image.RequestAttributesSequence = Sequence([request])
    image.RequestedProcedureDescription = "Chest"

    header = header_of(image)

    assert header.text("RequestedProcedurePriority") == "STAT"
    assert header.text("RequestedProcedureDescription") == "Chest"


@pytest.mark.parametrize(("code", "view"), [("399348003", "AP"), ("272479007", "PA"), ("R-10214", "PA")])
def test_a_view_code_stands_in_for_a_missing_view_position(code: str, view: str) -> None:
    image = dx_image()
    del image.ViewPosition
    item = Dataset()
    item.CodeValue = code
    image.ViewCodeSequence = Sequence([item])

    assert header_of(image).text("ViewPosition") == view


def test_the_sending_application_is_kept_where_the_file_names_it() -> None:
    image = dx_image()
    image.file_meta.SourceApplicationEntityTitle = "MODALITY1"

    assert header_of(image).text("SourceApplicationEntityTitle") == "MODALITY1"


def test_no_keyword_names_a_patient_and_every_one_is_dicoms() -> None:
    names = {"PatientName", "PatientID", "AccessionNumber", "ReferringPhysicianName", "InstitutionName", "StudyID"}

    assert not names & set(KEYWORDS)
    assert all(tag_for_keyword(keyword) for keyword in KEYWORDS)
    assert len(set(KEYWORDS)) == len(KEYWORDS)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.integers(132, len(WHOLE) - 1), st.integers(0, 255)), min_size=1, max_size=12))
def test_whatever_bytes_come_the_header_is_made(changes: list[tuple[int, int]]) -> None:
    data = bytearray(WHOLE)
    for at, byte in changes:
        data[at] = byte
    try:
        with quiet():
            dataset = dcmread(BytesIO(bytes(data)), stop_before_pixels=True, force=True)
    except MALFORMED:
        return  # no data set at all: refused where it is received

    assert all(isinstance(text, str) and text for text in header_of(dataset).values.values())
