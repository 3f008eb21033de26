"""The audit of completeness queries."""

from pathlib import Path

from dicomnode.audit import AuditTrail
from dicomnode.serve.queries import Queries
from tests.peers_made import remote_at


def test_a_study_that_is_asked_for_every_second_is_one_query_an_hour_in_the_audit_trail(tmp_path: Path) -> None:
    queries, there = Queries(AuditTrail(tmp_path, "DICOMNODE")), remote_at(104)

    for second in range(3700):
        queries.tell(there, "1.2.3", 1000.0 + second)
    queries.tell(there, "1.2.4", 1000.0)

    (file,) = tmp_path.iterdir()
    lines = file.read_text().splitlines()
    assert [sum(uid in line for line in lines) for uid in ("1.2.3", "1.2.4")] == [2, 1]
    assert all('"110112"' in line and '"PACS"' in line for line in lines)
