"""A disk that is full at each write in turn: nothing half-written is kept, and the same work succeeds afterwards."""

import json
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy import select
from sqlalchemy.exc import DBAPIError

from dicomnode.archive.export import export
from dicomnode.audit import AuditTrail
from dicomnode.backup.save import save
from dicomnode.check.disk import disk as check_disk
from dicomnode.deliver.ledger import delivery, note_failure
from dicomnode.deliver.outbox import OutboxObject, post, quarantine
from dicomnode.errors import DiskReserve
from dicomnode.full_disk import is_full
from dicomnode.handover import handed_over
from dicomnode.index.schema import DeliveryRow, ResultRow, RunRow
from dicomnode.values import Role
from dicomnode.web.snapshot import snapshot
from tests.full_disk import empty, fill, small_disk
from tests.phantom import ct_series
from tests.site_made import Site, site_made

PAGE = 4096
MOST_PAGES = 400
DISK_MB = 16


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    with small_disk(tmp_path / "disk", DISK_MB) as folder:
        yield folder


@pytest.fixture
def site(disk: Path) -> Iterator[Site]:
    made = site_made(disk)
    made.receive(ct_series())
    made.decide()
    yield made
    made.index.close()


def run_of(site: Site) -> RunRow:
    (row,) = site.rows(RunRow)
    return row


def half_written(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.name.endswith((".tmp", ".part", ".partial"))]


def at_every_page(disk: Path, work: Callable[[], object], look: Callable[[], object]) -> int:
    """Do work with ever more room, until it succeeds; look after each time it did not. How often it did not."""
    for pages in range(MOST_PAGES):
        fill(disk, pages * PAGE)
        try:
            work()
        except (OSError, DBAPIError, DiskReserve) as fault:
            if not isinstance(fault, DiskReserve) and not is_full(fault):
                raise
            empty(disk)
            look()
        else:
            empty(disk)
            return pages
    raise AssertionError(f"it fails with {MOST_PAGES} free pages too")


def test_an_answer_that_finds_no_room_is_not_handed_over_in_part(site: Site, disk: Path) -> None:
    run_key, work = run_of(site).run_key, site.config.node.state / "work"
    site.stages.begin(run_key)

    def nothing_half() -> None:
        assert half_written(disk) == []
        if (work / run_key).exists():  # it was whole; a row behind it found no room
            handed_over(site.config.node.state, run_key)

    assert at_every_page(disk, lambda: site.stages.analyse(run_key), nothing_half) > 3
    assert site.stages.report(run_key, 0, {}) == 2


def test_results_that_find_no_room_are_not_queued_and_are_the_same_ones_afterwards(site: Site, disk: Path) -> None:
    run_key, outbox = run_of(site).run_key, site.config.node.state / "outbox"
    site.stages.begin(run_key)
    site.stages.analyse(run_key)

    def nothing_queued() -> None:
        assert half_written(outbox) == []
        assert len(site.rows(DeliveryRow)) in (0, 2)
        whole = {row.sop_instance_uid for row in site.rows(ResultRow)}
        assert len(whole) in (0, 2)

    assert at_every_page(disk, lambda: site.stages.report(run_key, 0, {}), nothing_queued) > 3
    assert set(site.results(run_key)) == {Role.SEG, Role.SR}
    assert len(list(outbox.rglob("*.dcm"))) == 2


def test_a_quarantine_that_finds_no_room_is_whole_afterwards(site: Site, disk: Path) -> None:
    content = bytes(5 * PAGE)
    rejected = [
        OutboxObject(Role.SR, "1.2.3", f"1.2.3.{n}", "1.2", "1.1", "1.2.840.10008.1.2.1", content) for n in (1, 2)
    ]
    state = site.config.node.state

    at_every_page(
        disk, lambda: quarantine(state, "ab" * 32, rejected, "a reason"), lambda: assert_none(half_written(disk))
    )

    folder = state / "quarantine" / "ab" / ("ab" * 32)
    assert sorted(path.stat().st_size for path in folder.iterdir()) == [9, 5 * PAGE, 5 * PAGE]


def test_a_row_that_finds_no_room_is_not_there_in_part(site: Site, disk: Path) -> None:
    run_key = run_of(site).run_key
    item = OutboxObject(Role.SR, "1.2.3", "1.2.3.1", "1.2", "1.1", "1.2.840.10008.1.2.1", b"x")
    post(site.index, site.config.node.state, run_key, ["pacs"], [item])

    def noted() -> tuple[int, str]:
        with site.index.snapshot() as session:
            row = delivery(session, "1.2.3.1", "pacs")
            assert row is not None
            return row.attempts, row.reason

    long = "refused " * PAGE

    def unchanged() -> None:
        assert noted() == (0, "")

    at_every_page(disk, lambda: note_failure(site.index, "1.2.3.1", "pacs", long), unchanged)

    assert noted() == (0, long)


def test_an_export_that_finds_no_room_says_so_and_leaves_no_broken_file(site: Site, disk: Path) -> None:
    (study_uid,) = {image.StudyInstanceUID for image in ct_series()}
    target = disk / "export"

    def whole() -> None:
        assert half_written(target) == []
        assert len({path.stat().st_size for path in target.rglob("*.dcm")}) <= 1

    assert at_every_page(disk, lambda: export(site.index, site.config.node.state, study_uid, target), whole) > 1
    assert len(list(target.rglob("*.dcm"))) == 5


def test_a_backup_that_finds_no_room_says_so_and_leaves_nothing(site: Site, disk: Path) -> None:
    target = disk / "backup.tar"
    sqlite3.connect(site.config.node.state / "engine.sqlite").close()

    for pages in (0, 1, 10, 60, 120):
        fill(disk, pages * PAGE)
        with pytest.raises(DiskReserve, match="no room for the backup"):
            save(site.config, disk / "config.toml", site.index, target, with_studies=True)
        assert [path.name for path in disk.iterdir() if "backup" in path.name] == []
    empty(disk)
    assert save(site.config, disk / "config.toml", site.index, target, with_studies=True).files > 5


def test_an_audit_line_that_finds_no_room_leaves_no_half_of_itself(disk: Path) -> None:
    trail = AuditTrail(disk / "audit", "DICOMNODE")
    trail.started("engine")
    for pages in (0, 1, 0, 1, 0):
        fill(disk, pages * PAGE)
        for n in range(12):
            trail.commanded(by="a person", command=f"retry {'x' * 700} {n}")
    empty(disk)
    trail.stopped("engine")

    (file,) = (disk / "audit").iterdir()
    lines = [json.loads(line) for line in file.read_text().splitlines()]
    assert lines[-1]["EventIdentification"]["EventTypeCode"]["originalText"] == "Application Stop"


def test_a_full_disk_is_named_by_check_and_by_status(site: Site, disk: Path) -> None:
    with site.index.snapshot() as session:
        session.scalar(select(RunRow))
    fill(disk)

    (found,) = check_disk(site.config)
    assert "is full" in found.says
    assert found.fix.startswith("make room")
    assert snapshot(site.config, site.index).faults()[0].startswith("the disk is FULL")


def assert_none(found: list[Path]) -> None:
    assert found == []
