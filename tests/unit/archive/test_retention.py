"""Studies go when they are old or in the way, and never while anyone needs them."""

import shutil
from pathlib import Path

import pytest

from dicomnode.archive import retention
from dicomnode.archive.retention import recover, retire
from dicomnode.index.schema import InstanceRow, TrainingMemberRow
from tests.phantom import Subject, ct_series
from tests.unit.archive.archived import Archive

DAY_S = 86400.0
NOW = 100 * DAY_S


def filled(archive: Archive, *ages_days: float) -> list[str]:
    """One study of two instances for each age; their UIDs."""
    for number, days in enumerate(ages_days, 1):
        archive.receive(ct_series(slices=2, subject=Subject(study=f"study {number}")))
        archive.age(number, NOW - days * DAY_S)
    return [row.study_uid for row in archive.studies()]


def test_a_study_goes_when_it_is_old_and_its_row_stays(archive: Archive) -> None:
    old, young = filled(archive, 11, 9)

    assert [one.study_uid for one in retire(archive.index, archive.config, NOW)] == [old]

    assert [row.state for row in archive.studies()] == ["retired", "decided"]
    assert {file.parts[-3] for file in archive.files()} == {young}
    assert len(archive.instances()) == 2
    assert retire(archive.index, archive.config, NOW) == []


@pytest.mark.parametrize("status", ["queued", "running", "delivering"])
def test_a_study_stays_while_a_run_is_under_way(archive: Archive, status: str) -> None:
    filled(archive, 50)
    archive.run(1, status)

    assert retire(archive.index, archive.config, NOW) == []


@pytest.mark.parametrize(
    ("delivery", "goes"), [("queued", 0), ("sent", 0), ("parked", 0), ("committed", 1), ("stored", 1)]
)
def test_a_study_stays_until_its_results_are_stored_and_committed(archive: Archive, delivery: str, goes: int) -> None:
    filled(archive, 50)
    archive.run(1, "done")
    archive.result("1.2.3", delivery)

    assert len(retire(archive.index, archive.config, NOW)) == goes
    assert len(archive.files()) == 2 * (1 - goes)


def test_a_study_stays_while_a_training_set_uses_one_of_its_instances(archive: Archive) -> None:
    filled(archive, 50)
    with archive.index.transaction() as session:
        key = session.query(InstanceRow.instance_key).limit(1).scalar()
        session.add(TrainingMemberRow(training_set="set 1", instance_key=key))

    assert retire(archive.index, archive.config, NOW) == []


def test_the_oldest_goes_first_when_the_disk_is_short(tmp_path: Path) -> None:
    archive = Archive(tmp_path / "state", keep_free_bytes=1 << 62)
    first, second = filled(archive, 2, 3)
    archive.receive(ct_series(slices=1, subject=Subject(study="arriving")))

    assert [one.study_uid for one in retire(archive.index, archive.config, NOW)] == [second, first]
    assert archive.studies()[2].state == "receiving"
    archive.index.close()


def test_what_waits_for_a_person_makes_no_room(tmp_path: Path) -> None:
    archive = Archive(tmp_path / "state", keep_free_bytes=1 << 62)
    filled(archive, 2, 3)
    archive.age(1, NOW - 2 * DAY_S, state="held")
    archive.run(2, "parked")

    assert retire(archive.index, archive.config, NOW) == []
    assert len(retire(archive.index, archive.config, NOW + 20 * DAY_S)) == 2
    archive.index.close()


def test_a_crash_between_rename_and_commit_loses_nothing(archive: Archive) -> None:
    (uid,) = filled(archive, 50)
    folder = archive.state / "studies" / uid
    folder.rename(folder.with_name(f".retired-{uid}"))

    recover(archive.index, archive.state)

    assert all((archive.state / row.file).exists() for row in archive.instances())
    assert list((archive.state / "studies").iterdir()) == [folder]


def test_a_crash_between_commit_and_removal_is_finished(archive: Archive) -> None:
    (uid,) = filled(archive, 50)
    retire(archive.index, archive.config, NOW)
    left = archive.state / "studies" / f".retired-{uid}"
    left.mkdir()
    (left / "left.dcm").write_bytes(b"x")

    recover(archive.index, archive.state)

    assert not left.exists()


def test_a_retired_study_that_comes_again_is_received_again(archive: Archive) -> None:
    filled(archive, 50)
    retire(archive.index, archive.config, NOW)

    assert archive.receive(ct_series(slices=2, subject=Subject(study="study 1"))) == [0, 0]

    assert archive.study().state == "receiving"
    assert len(archive.instances()) == len(archive.files()) == 2


def test_a_removal_is_in_the_audit_trail(archive: Archive) -> None:
    (uid,) = filled(archive, 50)
    retire(archive.index, archive.config, NOW)

    told = "".join(file.read_text() for file in (archive.state / "audit").glob("*"))
    assert "DICOM Study Deleted" in told
    assert uid in told


@pytest.mark.parametrize("storage", [{}, {"keep_free_bytes": 1 << 62}], ids=["by age", "to make room"])
def test_a_study_that_images_arrive_for_while_others_are_removed_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, storage: dict[str, object]
) -> None:
    archive = Archive(tmp_path / "state", **storage)
    first, _ = filled(archive, 51, 50)
    remove = shutil.rmtree

    def while_removing(folder: Path, **options: object) -> None:
        monkeypatch.setattr(retention.shutil, "rmtree", remove)
        remove(folder, **options)
        assert archive.receive(ct_series(slices=3, subject=Subject(study="study 2"))) == [0, 0, 0]

    monkeypatch.setattr(retention.shutil, "rmtree", while_removing)

    assert [one.study_uid for one in retire(archive.index, archive.config, NOW)] == [first]
    assert archive.studies()[1].state == "receiving"
    assert len(archive.instances()) == len(archive.files()) == 3
    archive.index.close()
