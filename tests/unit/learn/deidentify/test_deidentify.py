"""An exported image names nobody, and pixels that may show text are cleaned or stay here."""

from pathlib import Path

import numpy as np
import pytest
from pydicom import Dataset, dcmread

from dicomnode.learn.deidentify.dataset import NotAnImage, deidentify, new_uid
from dicomnode.learn.deidentify.pixels import MayShowText, PixelRule
from dicomnode.learn.deidentify.table import Options, basic_profile
from tests.phantom import Subject, ct_series, encoded, us_image

SECRET = bytes(range(32))
TABLE = basic_profile()
PLANTED = "PLANTED"
DOCS = Path(__file__).parents[4] / "deploy" / "docs" / "deidentification.md"


def planted(image: Dataset) -> Dataset:
    """An image with the planted word wherever text goes: every text attribute of the profile, privately, in items."""
    from pydicom.datadict import dictionary_VR

    from dicomnode.learn.deidentify.table import is_known

    for tag in TABLE.rules:
        if is_known(tag) and dictionary_VR(tag) in {"LO", "SH", "PN", "ST", "LT", "UT", "UC"} and tag != 0x00100020:
            image.add_new(tag, dictionary_VR(tag), PLANTED)
    image.PatientID = f"{PLANTED}-1"
    block = image.private_block(0x0011, f"{PLANTED} MAKER", create=True)
    block.add_new(1, "LO", PLANTED)
    item = Dataset()
    item.PersonName, item.ReferencedSOPInstanceUID = PLANTED, "1.2.3.4"
    item.ReferencedSOPClassUID = "1.2.840.10008.5.1.4.1.1.2"
    item.PatientID = PLANTED
    image.ReferencedImageSequence = [item]
    image.SourceImageSequence = [item]
    image.add_new(0x60003000, "OW", b"\1\1")
    image.add_new(0x60004000, "LT", PLANTED)
    image.OperatorsName = PLANTED
    return image


def ct() -> Dataset:
    return ct_series(slices=1, subject=Subject(study_date="20260304", age="093Y"))[0]


def test_no_planted_word_is_left_and_the_picture_is(tmp_path: Path) -> None:
    image = planted(ct())

    made = deidentify(image, TABLE, SECRET)

    content = encoded(made)
    assert PLANTED.encode() not in content
    assert b"ACC-1" not in content
    assert str(image.StudyInstanceUID).encode() not in content
    assert made.PixelData == image.PixelData
    assert (made.Rows, made.ImagePositionPatient, made.RescaleSlope) == (
        image.Rows,
        image.ImagePositionPatient,
        image.RescaleSlope,
    )
    assert 0x60003000 not in made
    assert not [element for element in made if element.tag.is_private]
    assert made.PatientIdentityRemoved == "YES"
    assert [item.CodeValue for item in made.DeidentificationMethodCodeSequence] == ["113100"]
    assert image.PatientID == f"{PLANTED}-1"


def test_uids_are_replaced_alike_wherever_they_stand_and_the_standards_stay() -> None:
    one, other = ct_series(slices=2)
    other.ReferencedImageSequence = [Dataset()]
    other.ReferencedImageSequence[0].ReferencedSOPInstanceUID = one.SOPInstanceUID

    made, next_made = (deidentify(image, TABLE, SECRET) for image in (one, other))

    assert made.SOPInstanceUID == new_uid(SECRET, one.SOPInstanceUID) != one.SOPInstanceUID
    assert next_made.ReferencedImageSequence[0].ReferencedSOPInstanceUID == made.SOPInstanceUID
    assert made.SeriesInstanceUID == next_made.SeriesInstanceUID
    assert (made.SOPClassUID, made.file_meta.MediaStorageSOPInstanceUID) == (one.SOPClassUID, made.SOPInstanceUID)
    assert new_uid(bytes(32), one.SOPInstanceUID) != made.SOPInstanceUID


def test_dates_are_removed_or_move_together() -> None:
    first, later = (ct_series(slices=1, subject=Subject(study_date=day))[0] for day in ("20260304", "20260311"))
    first.AcquisitionDateTime = "20260304101112.5+0900"

    plain = deidentify(first, TABLE, SECRET)
    moved, next_moved = (deidentify(image, TABLE, SECRET, Options(shift_dates=True)) for image in (first, later))

    assert not plain.StudyDate
    assert plain.LongitudinalTemporalInformationModified == "REMOVED"
    assert "1970" not in str(moved.get("PatientBirthDate", "") or "")
    days = [np.datetime64(f"{d[:4]}-{d[4:6]}-{d[6:]}") for d in (moved.StudyDate, next_moved.StudyDate)]
    assert (days[1] - days[0]).astype(int) == 7
    assert 365 <= (np.datetime64("2026-03-04") - days[0]).astype(int) < 3650
    assert str(moved.AcquisitionDateTime)[8:] == "101112.5+0900"
    assert moved.LongitudinalTemporalInformationModified == "MODIFIED"


def test_age_and_sex_stay_where_that_is_asked_for_and_the_very_old_are_ninety() -> None:
    plain, kept = (deidentify(ct(), TABLE, SECRET, Options(characteristics=asked)) for asked in (False, True))

    assert "PatientAge" not in plain
    assert not plain.PatientSex
    assert (kept.PatientAge, kept.PatientSex) == ("090Y", "O")


def test_one_patient_has_one_pseudonym() -> None:
    images = [ct_series(slices=1, subject=Subject(patient_id=name))[0] for name in ("7", " 7 ", "8")]

    names = [deidentify(image, TABLE, SECRET).PatientID for image in images]

    assert names[0] == names[1] != names[2]
    assert len(names[0]) == 16


def test_what_has_no_pixels_is_not_exported() -> None:
    image = ct()
    del image.PixelData

    with pytest.raises(NotAnImage):
        deidentify(image, TABLE, SECRET)


def region(left: int, top: int, right: int, bottom: int, kind: int = 1) -> Dataset:
    item = Dataset()
    item.RegionSpatialFormat = kind
    item.RegionLocationMinX0, item.RegionLocationMinY0 = left, top
    item.RegionLocationMaxX1, item.RegionLocationMaxY1 = right, bottom
    return item


@pytest.mark.parametrize("planes", [0, 1])
def test_outside_its_regions_an_ultrasound_image_is_black(planes: int) -> None:
    image = us_image(rows=6, columns=8)
    image.SequenceOfUltrasoundRegions = [region(2, 3, 5, 5), region(0, 0, 7, 0, kind=5)]
    pixels = np.full((6, 8, 3), 200, np.uint8)
    image.PlanarConfiguration = planes
    image.PixelData = (pixels.transpose(2, 0, 1) if planes else pixels).tobytes()

    made = deidentify(image, TABLE, SECRET)

    shape = (3, 6, 8) if planes else (6, 8, 3)
    found = np.frombuffer(made.PixelData, np.uint8).reshape(shape)
    found = found.transpose(1, 2, 0) if planes else found
    assert (found[3:6, 2:6] == 200).all()
    assert found.sum() == 200 * 3 * 3 * 4
    assert made.BurnedInAnnotation == "NO"
    assert [item.CodeValue for item in made.DeidentificationMethodCodeSequence] == ["113100", "113101"]


def test_an_image_that_may_show_text_stays_here() -> None:
    silent, secondary, said = us_image(), ct(), ct()
    secondary.SOPClassUID = "1.2.840.10008.5.1.4.1.1.7"
    said.BurnedInAnnotation = "YES"
    whole = us_image()
    whole.SequenceOfUltrasoundRegions = [region(0, 0, 7, 5)]

    for image in (silent, secondary, said, whole):
        with pytest.raises(MayShowText):
            deidentify(image, TABLE, SECRET)
    secondary.BurnedInAnnotation = "NO"
    assert "BurnedInAnnotation" in deidentify(secondary, TABLE, SECRET)


def test_a_rule_of_the_site_covers_a_make_of_device_of_one_size() -> None:
    image = ct()
    image.Manufacturer, image.ManufacturerModelName, image.BurnedInAnnotation = "Maker ", "X1", "YES"
    rule = PixelRule("maker", "x1", image.Rows, image.Columns, ((0, 0, 7, 1),))

    made = deidentify(image, TABLE, SECRET, pixel_rules=[rule])

    before, after = (np.frombuffer(one.PixelData, "<u2").reshape(6, 8) for one in (image, made))
    assert not after[:2].any()
    assert (after[2:] == before[2:]).all()
    with pytest.raises(MayShowText):
        deidentify(image, TABLE, SECRET, pixel_rules=[PixelRule("maker", "x1", 99, 99, ())])


def test_black_is_what_the_image_stores_as_black() -> None:
    image = ct()
    image.BurnedInAnnotation, image.PhotometricInterpretation = "YES", "MONOCHROME1"
    image.Manufacturer, image.ManufacturerModelName = "m", "x"

    made = deidentify(image, TABLE, SECRET, pixel_rules=[PixelRule("m", "x", 6, 8, ((0, 0, 0, 0),))])

    assert np.frombuffer(made.PixelData, "<u2")[0] == (1 << image.BitsStored) - 1


def test_the_table_prints_itself_as_the_documentation_has_it() -> None:
    assert str(TABLE) in DOCS.read_text(encoding="utf-8")
    assert "| (0010,0010) | Patient's Name | Z | Z |" in str(TABLE)
    assert len(TABLE.rules) > 600


def test_what_was_written_can_be_read_again(tmp_path: Path) -> None:
    made = deidentify(ct(), TABLE, SECRET)
    made.save_as(tmp_path / "one.dcm", enforce_file_format=True)

    assert dcmread(tmp_path / "one.dcm").PatientID == made.PatientID
