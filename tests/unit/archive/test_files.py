"""How a file gets its name, and what becomes of one that is there already."""

import errno
import os
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from dicomnode.archive.files import digest_of, place, write_once
from tests.phantom import ct_series, encoded


@pytest.fixture
def incoming(tmp_path: Path) -> Path:
    file = tmp_path / "a.part"
    file.write_bytes(encoded(ct_series(slices=1)[0]))
    return file


def placed(incoming: Path, target: Path) -> None:
    handle = os.open(incoming, os.O_RDWR)
    try:
        place(incoming, handle, target, digest_of(incoming))
    finally:
        os.close(handle)


def test_a_file_gets_its_name(incoming: Path, tmp_path: Path) -> None:
    target = tmp_path / "studies" / "1" / "2" / "3.dcm"

    placed(incoming, target)

    assert digest_of(target) == digest_of(incoming)


def test_a_whole_file_of_the_same_content_is_left_alone(incoming: Path, tmp_path: Path) -> None:
    target = tmp_path / "3.dcm"
    target.write_bytes(incoming.read_bytes())
    before = target.stat().st_ino

    placed(incoming, target)

    assert target.stat().st_ino == before


def test_a_file_that_a_power_cut_left_half_written_is_replaced(incoming: Path, tmp_path: Path) -> None:
    target, whole = tmp_path / "3.dcm", incoming.read_bytes()
    target.write_bytes(whole[:-20])

    placed(incoming, target)

    assert target.read_bytes() == whole


def test_a_file_that_cannot_be_made_durable_has_no_name(incoming: Path, tmp_path: Path) -> None:
    target = tmp_path / "3.dcm"
    reader, writer = os.pipe()  # what cannot be synced

    with pytest.raises(OSError, match="Invalid argument"):
        place(incoming, writer, target, digest_of(incoming))

    os.close(reader)
    os.close(writer)
    assert not target.exists()


def no_hard_links(_: Path, __: Path) -> None:
    """As exFAT and many network shares answer, which takes a moment."""
    time.sleep(0.001)
    raise OSError(errno.EPERM, "Operation not permitted")


@pytest.mark.parametrize("links", [True, False])
def test_of_many_writers_at_once_one_wins_and_every_one_reads_its_bytes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, links: bool
) -> None:
    if not links:
        monkeypatch.setattr(Path, "hardlink_to", no_hard_links)

    def written(number: int, target: Path) -> bytes:
        write_once(target, b"%d" % number)
        return target.read_bytes()

    with ThreadPoolExecutor(8) as threads:
        for turn in range(50):
            target = tmp_path / str(turn) / "patient.key"
            read = set(threads.map(lambda number: written(number, target), range(8)))  # noqa: B023 - done before the next
            assert len(read) == 1
            assert [file.name for file in target.parent.iterdir()] == ["patient.key"]


def test_without_hard_links_a_whole_file_is_left_alone_and_a_damaged_one_is_replaced(
    incoming: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Path, "hardlink_to", no_hard_links)
    target, whole = tmp_path / "3.dcm", incoming.read_bytes()
    target.write_bytes(whole)
    before = target.stat().st_ino

    placed(incoming, target)

    assert target.stat().st_ino == before
    target.write_bytes(whole[:-20])
    placed(incoming, target)
    assert target.read_bytes() == whole
