"""The prior study is found at a real archive and sent to us, once, and only if it is the patient's."""

from pathlib import Path

import pytest
from sqlalchemy import select

from dicomnode.choose.prior import fetch_prior
from dicomnode.index.priors import FAILED, FETCHED, NONE, waits_for_prior
from dicomnode.index.schema import PriorRow, StudyRow
from tests.integration.choose.test_catch_up import archive, send_to, stored, tables, uids
from tests.integration.receive.loopback import Node, free_port, node
from tests.phantom import Subject, ct_series, mr_series, uid

__all__ = ["archive"]
ROUTE = {
    "name": "mr",
    "when": {"all": [{"tag": "Modality", "equals": "MR"}]},
    "source": "pacs",
    "prior": True,
}
NOW = Subject(study="now", study_date="20260304", accession="3")
THEN = Subject(study="then", study_date="20250301", accession="2")
LONG_AGO = Subject(study="long ago", study_date="20200301", accession="1")
SOMEBODY_ELSE = Subject(patient_id="PHANTOM-12", study="somebody else", study_date="20251224", accession="9")


def sought(here: Node) -> PriorRow:
    """Look for the prior of the study `now`."""
    with here.index.transaction() as session:
        (key,) = session.scalars(select(StudyRow.study_key).where(StudyRow.study_uid == uid("now")))
        waits_for_prior(session, key, 60.0, 0.0)
    fetch_prior(here.index, here.config, key)
    with here.index.snapshot() as session:
        return session.get_one(PriorRow, key)


@pytest.mark.peers("Orthanc", "dcmqrscp", "cc")
def test_the_newest_earlier_study_of_the_patient_that_the_route_takes_is_sent_to_us(
    tmp_path: Path, archive: tuple[int, str, int]
) -> None:
    port, ae_title, ours = archive
    then = mr_series(slices=2, subject=THEN)
    ct = ct_series(slices=2, subject=Subject(study="a CT", study_date="20251111", accession="4"))
    others = mr_series(slices=2, subject=SOMEBODY_ELSE)
    send_to(port, ae_title, [*then, *mr_series(slices=2, subject=LONG_AGO), *ct, *others])
    now = mr_series(slices=2, subject=NOW)
    with node(tmp_path / "state", {"port": ours}, **tables(port, ae_title, ROUTE)) as here:
        send_to(here.port, "DICOMNODE", now)
        row = sought(here)

        assert (row.state, row.prior_study_uid) == (FETCHED, uid("then"))
        assert stored(here) == uids(now) | uids(then)


@pytest.mark.peers("Orthanc", "dcmqrscp", "cc")
def test_a_patient_without_an_earlier_study_has_no_prior(tmp_path: Path, archive: tuple[int, str, int]) -> None:
    port, ae_title, ours = archive
    send_to(port, ae_title, mr_series(slices=2, subject=SOMEBODY_ELSE))
    with node(tmp_path / "state", {"port": ours}, **tables(port, ae_title, ROUTE)) as here:
        send_to(here.port, "DICOMNODE", mr_series(slices=2, subject=NOW))

        assert sought(here).state == NONE


def test_an_archive_that_is_not_there_is_noted_with_the_reason(tmp_path: Path) -> None:
    with node(tmp_path / "state", {}, **tables(free_port(), "NOBODY", ROUTE)) as here:
        send_to(here.port, "DICOMNODE", mr_series(slices=2, subject=NOW))
        row = sought(here)

    assert row.state == FAILED
    assert "NOBODY" in row.reason
