"""What is on disk can be copied out, and is enough to rebuild the index."""

import os
import shutil
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import pytest
from pydicom import dcmread
from pydicom.uid import DeflatedExplicitVRLittleEndian, ImplicitVRLittleEndian
from sqlalchemy import delete

from dicomnode.archive.export import NoSuchStudy, export
from dicomnode.archive.files import instance_file
from dicomnode.archive.reindex import reindex
from dicomnode.errors import IdentityFault
from dicomnode.index.schema import InstanceRow, SeriesRow, StudyRow
from tests.phantom import SUBJECT, Subject, ct_series, mr_series
from tests.unit.archive.archived import Archive

LIMIT = 1 << 24


def test_an_export_is_the_study_as_received(archive: Archive, tmp_path: Path) -> None:
    images = ct_series(slices=3)
    archive.receive(images)

    assert export(archive.index, archive.state, SUBJECT.study_uid, tmp_path / "out") == 3

    copies = sorted((tmp_path / "out").rglob("*.dcm"))
    assert sorted(copy.read_bytes() for copy in copies) == sorted(file.read_bytes() for file in archive.files())
    assert {dcmread(copy).SOPInstanceUID for copy in copies} == {image.SOPInstanceUID for image in images}


def test_an_export_of_an_unknown_study_says_so(archive: Archive, tmp_path: Path) -> None:
    with pytest.raises(NoSuchStudy, match=r"no instance of study 1\.2\.3"):
        export(archive.index, archive.state, "1.2.3", tmp_path)


@pytest.fixture
def beside_copy(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[], object]], None]:
    """What is to happen each time a file is copied and has not got its name yet."""
    copy2 = shutil.copy2

    def happens(then: Callable[[], object]) -> None:
        def copied(source: Path, target: Path) -> None:
            copy2(source, target)
            then()

        monkeypatch.setattr(shutil, "copy2", copied)

    return happens


def test_two_exports_of_a_study_to_one_folder_at_once_are_both_whole(
    archive: Archive, tmp_path: Path, beside_copy: Callable[[Callable[[], object]], None]
) -> None:
    archive.receive(ct_series(slices=2))
    beside_copy(Barrier(2, timeout=10).wait)

    with ThreadPoolExecutor(2) as threads:
        counts = threads.map(lambda folder: export(archive.index, archive.state, SUBJECT.study_uid, folder),
                             [tmp_path / "out"] * 2)  # fmt: skip
        assert list(counts) == [2, 2]

    copies = [path for path in (tmp_path / "out").rglob("*") if path.is_file()]
    assert sorted(copy.read_bytes() for copy in copies) == sorted(file.read_bytes() for file in archive.files())
    assert len(list((tmp_path / "out").iterdir())) == 1


def test_an_export_of_a_study_that_is_removed_meanwhile_says_what_to_do(
    archive: Archive, tmp_path: Path, beside_copy: Callable[[Callable[[], object]], None]
) -> None:
    archive.receive(ct_series(slices=3))
    beside_copy(lambda: shutil.rmtree(archive.state / "studies", ignore_errors=True))

    with pytest.raises(IdentityFault, match=r"removed while it was copied.*have the PACS send it again"):
        export(archive.index, archive.state, SUBJECT.study_uid, tmp_path / "out")

    assert len([path for path in (tmp_path / "out").rglob("*") if path.is_file()]) == 1


def emptied(archive: Archive) -> None:
    with archive.index.transaction() as session:
        for table in (InstanceRow, SeriesRow, StudyRow):
            session.execute(delete(table))


def seen(archive: Archive) -> list[tuple[object, ...]]:
    return [
        (row.sop_instance_uid, row.file, row.content_digest, row.current, row.calling_ae, row.header, row.size_bytes)
        for row in sorted(archive.instances(), key=lambda row: row.file)
    ]


def test_an_index_that_is_lost_is_rebuilt_from_the_files(archive: Archive) -> None:
    ct, (mr,) = ct_series(slices=3), mr_series(slices=1, subject=Subject(study="other", patient_name="日本^太郎"))
    ct[1].file_meta.TransferSyntaxUID = ImplicitVRLittleEndian
    ct[2].file_meta.TransferSyntaxUID = DeflatedExplicitVRLittleEndian
    archive.receive([*ct, mr])
    mr.SeriesDescription = "corrected"
    archive.receive([mr])
    older, newer = sorted(file for file in archive.files() if mr.SOPInstanceUID in file.name)
    before = seen(archive)
    newest = next(row.file for row in archive.instances() if row.current and row.sop_instance_uid == mr.SOPInstanceUID)
    for file in (older, newer):
        os.utime(file, (2000.0, 2000.0) if str(file).endswith(newest) else (1000.0, 1000.0))
    emptied(archive)

    found = reindex(archive.index, archive.state, LIMIT)

    assert (found.files, found.entered, found.damaged, found.missing) == (5, 5, [], [])
    assert seen(archive) == before
    assert {row.patient_name for row in archive.studies()} == {"Phantom^One", "日本^太郎"}


def test_what_the_index_knows_already_stays_as_it_is(archive: Archive) -> None:
    archive.receive(ct_series(slices=2))
    archive.age(1, 5.0)

    assert reindex(archive.index, archive.state, LIMIT).entered == 0
    assert (archive.study().state, archive.study().last_received_s) == ("decided", 5.0)


def test_missing_and_damaged_files_are_named(archive: Archive) -> None:
    archive.receive(ct_series(slices=3))
    gone, cut, changed = archive.files()
    gone.unlink()
    cut.write_bytes(cut.read_bytes()[:-8])
    raw = bytearray(changed.read_bytes())
    raw[-1] ^= 1
    changed.write_bytes(raw)

    found = reindex(archive.index, archive.state, LIMIT)

    assert found.missing == [str(gone.relative_to(archive.state))]
    assert found.damaged == sorted(str(file.relative_to(archive.state)) for file in (cut, changed))


@pytest.mark.parametrize("evil", ["", "..", "../1", "1/2", "1.2.", ".1", "1..2", "1" * 65, "a", "1\n", "1\0", "٣.١"])
def test_no_path_is_made_of_what_is_no_uid(evil: str) -> None:
    for uids in ((evil, "1", "1"), ("1", evil, "1"), ("1", "1", evil)):
        with pytest.raises(IdentityFault):
            instance_file(*uids, "0" * 64)
