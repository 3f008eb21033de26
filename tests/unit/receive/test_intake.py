"""An instance is on disk as sent, and in the index, before anyone is told so."""

import zlib
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import pytest
from pydicom import Dataset, dcmread, dcmwrite
from pydicom.uid import DeflatedExplicitVRLittleEndian, ExplicitVRLittleEndian, JPEGBaseline8Bit
from sqlalchemy import select

from dicomnode.index.database import Index
from dicomnode.index.schema import InstanceRow, RefusalRow, StudyRow
from dicomnode.receive.intake import Arrival, Intake, Limits
from dicomnode.receive.refusals import Refusals
from tests.index_made import index_made
from tests.phantom import SUBJECT, ct_series

SUCCESS, FULL, MISMATCH, BROKEN = 0x0000, 0xA700, 0xA900, 0xC000
ROOMY = Limits(reserve_bytes=0, instance_bytes=1 << 20)


@pytest.fixture
def index(tmp_path: Path) -> Iterator[Index]:
    opened = index_made(tmp_path / "state" / "index.sqlite")
    yield opened
    opened.close()


@pytest.fixture
def intake(tmp_path: Path, index: Index) -> Intake:
    return Intake(tmp_path / "state", index, Refusals(index), ROOMY)


def encoded(image: Dataset) -> bytes:
    """The data set alone, explicit VR little endian."""
    buffer = BytesIO()
    plain = Dataset(image)
    dcmwrite(buffer, plain, implicit_vr=False, little_endian=True)
    return buffer.getvalue()


def arrival(image: Dataset, **changed: str) -> Arrival:
    said = {
        "sop_class_uid": image.SOPClassUID,
        "sop_instance_uid": image.SOPInstanceUID,
        "transfer_syntax_uid": ExplicitVRLittleEndian,
    }
    return Arrival(**{**said, **changed}, calling_ae="PACS", address="127.0.0.1")


def keep(intake: Intake, said: Arrival, data: bytes) -> int:
    incoming = intake.begin(said)
    for start in range(0, len(data), 100):
        incoming.write(memoryview(data)[start : start + 100])
    return incoming.keep()


def files(intake: Intake) -> list[Path]:
    return sorted(path for path in intake.state.rglob("*") if path.suffix in {".dcm", ".part"})


def refusals(index: Index) -> list[RefusalRow]:
    with index.transaction() as session:
        return list(session.scalars(select(RefusalRow)).all())


def test_the_data_set_is_stored_byte_by_byte_as_it_was_sent(intake: Intake) -> None:
    image = ct_series(slices=1)[0]
    data = encoded(image)

    assert keep(intake, arrival(image), data) == SUCCESS

    (file,) = files(intake)
    assert file.read_bytes().endswith(data)
    stored = dcmread(file)
    assert stored.pixel_array.tolist() == image.pixel_array.tolist()
    assert stored.file_meta.SourceApplicationEntityTitle == "PACS"
    assert str(file.relative_to(intake.state)).startswith(
        f"studies/{image.StudyInstanceUID}/{image.SeriesInstanceUID}/"
    )


def test_success_means_that_the_index_knows_the_instance(intake: Intake, index: Index) -> None:
    image = ct_series(slices=1)[0]

    keep(intake, arrival(image), encoded(image))

    with index.transaction() as session:
        row = session.scalars(select(InstanceRow)).one()
        assert (intake.state / row.file) == files(intake)[0]
        assert row.size_bytes == files(intake)[0].stat().st_size
        assert session.scalars(select(StudyRow)).one().patient_id == SUBJECT.patient_id


def test_the_same_instance_twice_is_stored_once(intake: Intake, index: Index) -> None:
    image = ct_series(slices=1)[0]

    assert [keep(intake, arrival(image), encoded(image)) for _ in range(2)] == [SUCCESS, SUCCESS]

    assert len(files(intake)) == 1
    with index.transaction() as session:
        assert len(session.scalars(select(InstanceRow)).all()) == 1


def test_other_content_under_the_same_uid_is_kept_beside_the_first_and_becomes_current(
    intake: Intake, index: Index
) -> None:
    image = ct_series(slices=1)[0]
    keep(intake, arrival(image), encoded(image))
    image.PatientName = "Corrected^Name"

    assert keep(intake, arrival(image), encoded(image)) == SUCCESS

    assert len(files(intake)) == 2
    with index.transaction() as session:
        assert [row.current for row in session.scalars(select(InstanceRow).order_by(InstanceRow.instance_key))] == [
            False,
            True,
        ]


@pytest.mark.parametrize("name", ["sop_class_uid", "sop_instance_uid"])
def test_a_uid_that_differs_from_the_request_is_answered_a900_and_nothing_is_kept(
    intake: Intake, index: Index, name: str
) -> None:
    image = ct_series(slices=1)[0]

    assert keep(intake, arrival(image, **{name: "1.2.3.4"}), encoded(image)) == MISMATCH

    assert files(intake) == []
    assert [row.status for row in refusals(index)] == ["A900"]


@pytest.mark.parametrize("missing", ["SOPClassUID", "SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID"])
def test_a_missing_uid_is_refused(intake: Intake, missing: str) -> None:
    image = ct_series(slices=1)[0]
    said = arrival(image)
    delattr(image, missing)

    assert keep(intake, said, encoded(image)) == BROKEN
    assert files(intake) == []


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("evil", ["../../../escape", "/absolute", "1.2/../../3", "1..2", "1." + "2" * 70, "1.2\0.3"])
def test_a_uid_that_is_no_uid_never_becomes_a_path(intake: Intake, index: Index, evil: str) -> None:
    image = ct_series(slices=1)[0]
    image.StudyInstanceUID = evil

    assert keep(intake, arrival(image), encoded(image)) == BROKEN
    assert files(intake) == []
    assert "Study Instance UID" in refusals(index)[0].reason


def test_a_command_uid_that_is_no_uid_never_becomes_a_path(intake: Intake) -> None:
    image = ct_series(slices=1)[0]

    assert keep(intake, arrival(image, sop_instance_uid="../../etc"), encoded(image)) == BROKEN
    assert files(intake) == []


def test_a_data_set_cut_anywhere_is_refused(intake: Intake) -> None:
    image = ct_series(slices=1)[0]
    data = encoded(image)

    kept = [cut for cut in range(0, len(data), 31) if keep(intake, arrival(image), data[:cut]) == SUCCESS]

    assert [cut for cut in kept if data[:cut].find(b"\xe0\x7f\x10\x00") >= 0] == []


def test_bytes_that_are_no_data_set_are_refused(intake: Intake) -> None:
    image = ct_series(slices=1)[0]

    for noise in (b"", b"GET / HTTP/1.1\r\n\r\n" * 20, bytes(range(256)) * 40, b"\xff" * 5000):
        assert keep(intake, arrival(image), noise) == BROKEN
    assert files(intake) == []


def test_a_deflate_bomb_is_refused_without_filling_the_memory(intake: Intake, index: Index) -> None:
    image = ct_series(slices=1)[0]
    image.PixelData = bytes(50 << 20)
    said = arrival(image, transfer_syntax_uid=DeflatedExplicitVRLittleEndian)

    assert keep(intake, said, deflated(encoded(image))) == BROKEN
    assert "inflates to more than" in refusals(index)[0].reason


def test_a_deflated_data_set_is_kept_as_sent(intake: Intake) -> None:
    image = ct_series(slices=1)[0]
    data = deflated(encoded(image))

    assert keep(intake, arrival(image, transfer_syntax_uid=DeflatedExplicitVRLittleEndian), data) == SUCCESS
    assert files(intake)[0].read_bytes().endswith(data)


def test_a_deflated_data_set_that_ends_early_is_refused(intake: Intake) -> None:
    image = ct_series(slices=1)[0]
    said = arrival(image, transfer_syntax_uid=DeflatedExplicitVRLittleEndian)

    assert keep(intake, said, deflated(encoded(image))[:-40]) == BROKEN
    assert keep(intake, said, b"\x07nonsense" * 30) == BROKEN


def test_encapsulated_pixel_data_without_its_delimiter_is_refused(intake: Intake) -> None:
    image = ct_series(slices=1)[0]
    del image.PixelData
    head = encoded(image) + b"\xe0\x7f\x10\x00OB\0\0\xff\xff\xff\xff"
    item, end = b"\xfe\xff\x00\xe0", b"\xfe\xff\xdd\xe0\0\0\0\0"
    whole = head + item + b"\0\0\0\0" + item + b"\x04\0\0\0abcd" + end
    said = arrival(image, transfer_syntax_uid=JPEGBaseline8Bit)

    assert keep(intake, said, whole[:-8]) == BROKEN
    assert keep(intake, said, whole[:-10]) == BROKEN
    assert keep(intake, said, whole) == SUCCESS


def test_an_instance_above_the_limit_is_answered_a700(intake: Intake, index: Index) -> None:
    image = ct_series(slices=1)[0]
    image.PixelData = bytes(2 << 20)

    assert keep(intake, arrival(image), encoded(image)) == FULL
    assert files(intake) == []
    assert refusals(index)[0].status == "A700"


def test_less_disk_than_the_reserve_is_answered_a700(tmp_path: Path, index: Index) -> None:
    image = ct_series(slices=1)[0]
    full = Intake(tmp_path / "state", index, Refusals(index), Limits(reserve_bytes=1 << 62, instance_bytes=1 << 20))

    assert keep(full, arrival(image), encoded(image)) == FULL
    assert files(full) == []


@pytest.mark.parametrize(
    "change",
    [
        {"Rows": 0, "Columns": 0, "PixelData": b""},
        {"BitsStored": 99, "BitsAllocated": 16},
        {"NumberOfFrames": 7},
        {"PatientID": ""},
    ],
    ids=["no rows", "absurd Bits Stored", "wrong frame count", "no Patient ID"],
)
def test_an_image_that_later_rooms_may_refuse_is_stored_as_sent(intake: Intake, change: dict[str, object]) -> None:
    image = ct_series(slices=1)[0]
    for keyword, value in change.items():
        setattr(image, keyword, value)

    assert keep(intake, arrival(image), encoded(image)) == SUCCESS


def test_an_association_that_ends_half_way_leaves_nothing(intake: Intake, index: Index) -> None:
    image = ct_series(slices=1)[0]
    incoming = intake.begin(arrival(image))
    incoming.write(encoded(image)[:300])

    incoming.abandon()

    assert files(intake) == []
    with index.transaction() as session:
        assert session.scalars(select(InstanceRow)).all() == []


def test_a_refusal_names_no_patient(intake: Intake, index: Index) -> None:
    image = ct_series(slices=1)[0]
    keep(intake, arrival(image, sop_class_uid="1.2.3"), encoded(image))

    (row,) = refusals(index)
    assert SUBJECT.patient_id not in row.reason
    assert SUBJECT.patient_name not in row.reason


def deflated(data: bytes) -> bytes:
    stream = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return stream.compress(data) + stream.flush()


def test_a_file_that_its_association_ends_with_while_old_ones_are_removed_stops_nothing(
    intake: Intake, monkeypatch: pytest.MonkeyPatch
) -> None:
    (intake.folder / "just.part").write_bytes(b"x")
    is_file = Path.is_file

    def ended_now(self: Path) -> bool:
        found = is_file(self)
        self.unlink(missing_ok=True)
        return found

    monkeypatch.setattr(Path, "is_file", ended_now)

    intake.sweep()
