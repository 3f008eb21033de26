"""Bytes under a result UID are written once."""

from pathlib import Path

import pytest
from sqlalchemy import select

from dicomnode.archive.files import UnsafeUid
from dicomnode.deliver.outbox import OutboxDamaged, OutboxObject, load_result, post, quarantine, read_unchanged
from dicomnode.index.database import Index
from dicomnode.index.schema import DeliveryRow, ResultRow
from dicomnode.values import DeliveryStatus, Role
from tests.phantom import uid
from tests.results_made import RUN, mask, outbox_object, report


def rows(index: Index) -> list[tuple[str, str, str]]:
    with index.snapshot() as session:
        query = select(DeliveryRow.sop_instance_uid, DeliveryRow.destination, DeliveryRow.status)
        return sorted(session.execute(query).all())


def test_posted_results_are_on_disk_and_queued_for_every_destination(tmp_path: Path, index: Index) -> None:
    objects = [outbox_object(mask(), Role.SEG), outbox_object(report())]

    posted = post(index, tmp_path, RUN, ["pacs", "archive"], objects)

    assert [result.role for result in posted] == [Role.SEG, Role.SR]
    assert posted[0].path == tmp_path / "outbox" / RUN[:2] / RUN / f"{uid('SEG 1')}.dcm"
    assert [read_unchanged(result) for result in posted] == [item.content for item in objects]
    assert rows(index) == sorted(
        (uid(name), destination, DeliveryStatus.QUEUED)
        for name in ("SEG 1", "SR 1")
        for destination in ("pacs", "archive")
    )


def test_posting_again_adds_nothing_and_keeps_the_first_bytes(tmp_path: Path, index: Index) -> None:
    first = outbox_object(report())
    other = OutboxObject(**{**vars(first), "content": first.content + b"\0\0"})

    (posted,) = post(index, tmp_path, RUN, ["pacs"], [first])
    (again,) = post(index, tmp_path, RUN, ["pacs"], [other])

    assert again == posted
    assert read_unchanged(again) == first.content
    assert len(rows(index)) == 1


def test_bytes_written_before_a_crash_are_the_ones_that_are_sent(tmp_path: Path, index: Index) -> None:
    first = outbox_object(report())
    folder = tmp_path / "outbox" / RUN[:2] / RUN
    folder.mkdir(parents=True)
    (folder / f"{uid('SR 1')}.dcm").write_bytes(b"written before the crash")

    (posted,) = post(index, tmp_path, RUN, ["pacs"], [first])

    assert read_unchanged(posted) == b"written before the crash"


def test_a_result_is_found_again_by_its_uid(tmp_path: Path, index: Index) -> None:
    (posted,) = post(index, tmp_path, RUN, ["pacs"], [outbox_object(report())])

    with index.snapshot() as session:
        assert load_result(session, tmp_path, uid("SR 1")) == posted
        with pytest.raises(OutboxDamaged):
            load_result(session, tmp_path, uid("SR 2"))


def test_a_changed_or_lost_file_is_named_and_not_read(tmp_path: Path, index: Index) -> None:
    changed, lost = post(index, tmp_path, RUN, ["pacs"], [outbox_object(report()), outbox_object(mask(), Role.SEG)])
    changed.path.write_bytes(changed.path.read_bytes() + b"x")
    lost.path.unlink()

    for result in (changed, lost):
        with pytest.raises(OutboxDamaged) as caught:
            read_unchanged(result)
        assert caught.value.path == result.path


def test_a_changed_file_is_not_posted_again(tmp_path: Path, index: Index) -> None:
    (posted,) = post(index, tmp_path, RUN, ["pacs"], [outbox_object(report())])
    posted.path.write_bytes(b"something else")

    with pytest.raises(OutboxDamaged):
        post(index, tmp_path, RUN, ["pacs"], [outbox_object(report())])


def test_a_uid_that_is_a_path_writes_nothing(tmp_path: Path, index: Index) -> None:
    evil = OutboxObject(**{**vars(outbox_object(report())), "sop_instance_uid": "../../evil"})

    with pytest.raises(UnsafeUid):
        post(index, tmp_path, RUN, ["pacs"], [evil])

    assert not (tmp_path / "outbox").exists()
    with index.snapshot() as session:
        assert session.scalars(select(ResultRow)).all() == []


def test_what_the_door_rejects_is_kept_apart_with_the_reason(tmp_path: Path, index: Index) -> None:
    folder = quarantine(tmp_path, RUN, [outbox_object(report())], "no Procedure Reported")
    quarantine(tmp_path, RUN, [outbox_object(report())], "no tracking UID")

    assert folder == tmp_path / "quarantine" / RUN[:2] / RUN
    assert sorted(path.name for path in folder.iterdir()) == sorted([f"{uid('SR 1')}.dcm", "reason.txt"])
    assert (folder / "reason.txt").read_text() == "no tracking UID\n"
    assert rows(index) == []
