"""The index on PostgreSQL: several receivers write into one, and nothing is lost or doubled."""

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import delete, func, select
from sqlalchemy.exc import DBAPIError

from dicomnode.archive.retention import retire
from dicomnode.index.schema import StudyRow
from tests.phantom import Subject, ct_series, mr_series
from tests.postgresql import is_possible, postgresql
from tests.unit.archive.archived import Archive

pytestmark = pytest.mark.skipif(not is_possible(), reason="PostgreSQL is not installed")


@pytest.fixture(scope="module")
def database() -> Iterator[str]:
    """URL of a server for this module alone."""
    with postgresql() as url:
        yield url


def test_several_receivers_enter_the_same_new_study_once(database: str, tmp_path: Path) -> None:
    archives = [Archive(tmp_path / "state", url=database) for _ in range(3)]
    images, statuses = [*ct_series(slices=5), *mr_series(slices=5)], []
    threads = [
        threading.Thread(target=lambda archive=archive: statuses.extend(archive.receive(images)))
        for archive in archives
    ]

    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert statuses == [0] * 30
    assert len(archives[0].studies()) == 1
    assert len(archives[0].instances()) == len(archives[0].files()) == 10
    for archive in archives:
        archive.index.close()


def test_a_snapshot_is_one_state_whatever_is_written_meanwhile(database: str, tmp_path: Path) -> None:
    archive = Archive(tmp_path / "state", url=database)
    first, second = (ct_series(slices=1, subject=Subject(study=name)) for name in ("before", "meanwhile"))
    archive.receive(first)
    count = select(func.count()).select_from(StudyRow)
    with archive.index.snapshot() as session:
        before = session.scalar(count)
        archive.receive(second)

        assert session.scalar(count) == before
    with archive.index.snapshot() as session:
        assert session.scalar(count) == (before or 0) + 1
    archive.index.close()


def test_nothing_is_written_in_a_snapshot(database: str, tmp_path: Path) -> None:
    archive = Archive(tmp_path / "state", url=database)
    with pytest.raises(DBAPIError, match="read-only"), archive.index.snapshot() as session:
        session.execute(delete(StudyRow))
    archive.index.close()


def test_a_study_is_retired_and_received_again(database: str, tmp_path: Path) -> None:
    archive = Archive(tmp_path / "state", url=database)
    images = ct_series(slices=2, subject=Subject(study="retired"))
    archive.receive(images)
    (study,) = [row for row in archive.studies() if row.study_uid == images[0].StudyInstanceUID]
    archive.age(study.study_key, 5.0)

    assert images[0].StudyInstanceUID in [one.study_uid for one in retire(archive.index, archive.config, 1e9)]
    assert archive.files() == []
    assert archive.receive(images) == [0, 0]
    assert len(archive.files()) == 2
    archive.index.close()
