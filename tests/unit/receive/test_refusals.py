"""Refusals are kept for a person, and a sender in a loop cannot fill the index with them."""

from pathlib import Path

from sqlalchemy import select

from dicomnode.audit import AuditTrail
from dicomnode.index.schema import RefusalRow
from dicomnode.receive.refusals import Refusals
from tests.index_made import index_made


def test_the_same_refusal_again_and_again_is_kept_once(tmp_path: Path) -> None:
    index = index_made(tmp_path / "index.sqlite")
    refusals = Refusals(index, AuditTrail(tmp_path / "audit", "DICOMNODE"))

    for _ in range(50):
        refusals.record("PACS", "10.0.0.1", status="C000", reason="broken", sop_instance_uid="1.2.3")
        refusals.record("STRANGER", "10.0.0.2", status="reject", reason="unknown caller")
    refusals.record("PACS", "10.0.0.1", status="C000", reason="broken", sop_instance_uid="1.2.4")

    with index.snapshot() as session:
        rows = session.scalars(select(RefusalRow).order_by(RefusalRow.refusal_key)).all()
    assert [(row.calling_ae, row.sop_instance_uid) for row in rows] == [
        ("PACS", "1.2.3"), ("STRANGER", ""), ("PACS", "1.2.4"),
    ]  # fmt: skip
    told = "".join(file.read_text() for file in (tmp_path / "audit").glob("*"))
    assert told.count("unknown caller") == 1
    assert "broken" not in told
    index.close()
