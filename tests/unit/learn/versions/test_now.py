"""What `status` and the metrics tell of versions."""

import time
from pathlib import Path

import pytest
from prometheus_client import generate_latest

from dicomnode.index.learning import SelfTestRow
from dicomnode.learn.values import Verdict
from dicomnode.learn.versions.promote import Asked, promote
from dicomnode.learn.versions.rollback import automatic_rollback
from dicomnode.learn.versions.shadow import start_shadow
from dicomnode.web.metrics import registry
from dicomnode.web.snapshot import Snapshot, snapshot
from tests.versions_made import MODEL, Shelf, judged, shadowed, shelf_made


@pytest.fixture
def shelf(tmp_path: Path) -> Shelf:
    """A version in use for research, a candidate in the shadow, and a self-test of the installed bundle that failed."""
    shelf = shelf_made(tmp_path, domain="")
    row = shelf.made()
    judged(shelf, row, Verdict.UNDERPOWERED)
    shadowed(shelf, row)
    promote(shelf.index, shelf.config, MODEL, row.version, Asked("Dr. Who", "a study", research=True))
    now_s = time.time()
    with shelf.index.transaction() as session:
        session.add(
            SelfTestRow(model=MODEL, digest=shelf.base.digest, at_s=now_s - 60, passed=False, words="0.1, not 0.8")
        )
        session.add(SelfTestRow(model=MODEL, digest=row.digest, at_s=now_s, passed=True, words="as expected"))
    candidate = shelf.made(b"other", parent=row.digest)
    with shelf.index.transaction() as session:
        start_shadow(session, shelf.config, candidate.digest)
    return shelf


def seen(shelf: Shelf) -> Snapshot:
    return snapshot(shelf.config, shelf.index)


def test_status_tells_who_answers_what_runs_in_the_shadow_and_what_failed(shelf: Shelf) -> None:
    rows = dict(seen(shelf).versions.rows())

    assert rows["versions"] == "bright 1.2.3+learned.1 answers, for RESEARCH"
    assert "learned.2: shadow period runs: 0 of 200 studies" in rows["shadow"]
    assert "bright FAILED" in rows["self-tests"]
    assert seen(shelf).versions.attention() == [
        "the self-test of bright FAILED: 0.1, not 0.8",
        "bright 1.2.3+learned.1 answers, for RESEARCH, put in use by Dr. Who",
    ]


def test_the_metrics_tell_it_too(shelf: Shelf) -> None:
    text = generate_latest(registry(lambda: seen(shelf))).decode()

    version = '{model="bright",research="true",scope="",version="1.2.3+learned.1"}'
    assert f"dicomnode_version_in_use{version} 1.0" in text
    assert 'dicomnode_self_test_passed{model="bright"} 0.0' in text
    assert 'dicomnode_shadow_studies{model="bright",version="1.2.3+learned.2"} 0.0' in text


def test_an_alarm_stands_until_a_person_clears_it(shelf: Shelf) -> None:
    with shelf.index.snapshot() as session:
        digest = session.query(SelfTestRow).filter_by(passed=True).one().digest

    automatic_rollback(shelf.index, shelf.config, digest, "error rate", "3 of 10 runs failed")

    found = seen(shelf).versions
    assert len(found.alarms) == 1
    assert "alarm (error rate) of bright: rolled back: 3 of 10 runs failed" in found.attention()[-1]
    assert found.in_use == ()
