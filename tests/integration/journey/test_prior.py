"""A study whose route asks for its prior waits for it, and tells what has changed."""

from dataclasses import replace
from pathlib import Path

import pytest

from dicomnode.complete.ready import Ready
from dicomnode.encode.door.items import tree
from dicomnode.encode.prior import read_prior
from dicomnode.index.priors import FAILED, FETCHED, NONE, linked_findings, note_prior, priors_to_seek
from dicomnode.index.schema import (
    DeliveryRow,
    InstanceRow,
    PriorRow,
    ReaderFindingRow,
    ReaderReportRow,
    ResultRow,
    RunRow,
    StudyRow,
)
from dicomnode.values import EarlierReport
from tests.phantom import Subject, ct_series, uid
from tests.site_made import CONFIG, Site, site_made

ASKS = CONFIG.replace("[[routes]]", "query = true\n[[routes]]") + 'source = "pacs"\nprior = true\n'
NOW = Subject(study="now", study_date="20260304", accession="2")
THEN = Subject(study="then", study_date="20250301", accession="1")


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return site_made(tmp_path, ASKS)


def key_of(site: Site, name: str) -> int:
    return next(row.study_key for row in site.rows(StudyRow) if row.study_uid == uid(name))


def sought(site: Site, state: str, **facts: str) -> None:
    """As if the engine had looked for the prior of the study `now`."""
    with site.index.transaction() as session:
        note_prior(session, key_of(site, "now"), state, **facts)


def summary(site: Site, name: str) -> str:
    """Every sentence of a study's SR."""
    run = next(row for row in site.rows(RunRow) if row.study_key == key_of(site, name))
    report = site.results(run.run_key)["SR"]
    return " ".join(str(item.TextValue) for _, item in tree(report) if item.ValueType == "TEXT")


def numbers(site: Site, name: str) -> set[tuple[str, float, str]]:
    """Code, value and unit of every number in a study's SR."""
    run = next(row for row in site.rows(RunRow) if row.study_key == key_of(site, name))
    return {
        (
            item.ConceptNameCodeSequence[0].CodeValue,
            float(value.NumericValue),
            value.MeasurementUnitsCodeSequence[0].CodeValue,
        )
        for _, item in tree(site.results(run.run_key)["SR"])
        for value in item.get("MeasuredValueSequence", ())
    }


def test_a_study_waits_while_its_prior_is_sought_and_goes_on_where_there_is_none(site: Site) -> None:
    site.receive(ct_series(subject=NOW))

    assert site.decide() == [False]
    with site.index.snapshot() as session:
        assert priors_to_seek(session) == [key_of(site, "now")]
    sought(site, NONE)

    assert site.decide() == [True]


def test_a_fetched_prior_is_analysed_for_us_alone_and_the_report_tells_the_change(site: Site) -> None:
    site.receive(ct_series(subject=NOW))
    site.decide()
    sought(site, FETCHED, prior_study_uid=uid("then"))
    assert site.decide() == [False]  # it has not come yet
    site.receive(ct_series(slices=4, subject=THEN))

    site.decide()
    site.work()
    assert not site.rows(DeliveryRow)
    site.decide()
    site.work()

    # slices 2-4 of 5, and 2-3 of 4, are at least 2000: 3 and 2 slices of 6 x 8 voxels of 1 x 1 x 2 mm
    said = summary(site, "now")
    assert "Bright: 0.29 ml, in the study of 2025-03-01 0.19 ml (+0.10 ml, +50.0 %)." in said
    assert numbers(site, "now") >= {
        ("PRIOR_VOLUME", 0.192, "ml"),
        ("VOLUME_CHANGE", 0.096, "ml"),
        ("VOLUME_CHANGE_PC", 50.0, "%"),
    }
    runs = {row.study_key: (row.profile, row.destinations) for row in site.rows(RunRow)}
    assert runs[key_of(site, "then")] == ("prior", [])
    assert runs[key_of(site, "now")] == ("standard", ["pacs"])


def test_a_prior_that_could_not_be_fetched_holds_nothing_up_and_is_told(site: Site) -> None:
    site.receive(ct_series(subject=NOW))
    site.decide()
    sought(site, FAILED, reason="pacs refused C-MOVE")

    assert site.decide() == [True]
    site.work()

    assert (
        "the prior study could not be fetched, nothing is compared: pacs refused c-move" in summary(site, "now").lower()
    )


def test_a_study_at_its_cap_waits_for_no_prior(site: Site) -> None:
    site.receive(ct_series(subject=NOW))

    assert site.decide(Ready.CAP) == [True]
    assert not site.rows(PriorRow)


def test_a_study_of_another_patient_is_never_compared(site: Site) -> None:
    site.receive(ct_series(subject=Subject(study="then", study_date="20250301", patient_id="PHANTOM-2")))
    site.decide(Ready.CAP)
    site.work()
    site.receive(ct_series(subject=NOW))
    site.decide(Ready.CAP)
    site.work()

    assert "2025-03-01" not in summary(site, "now")


def test_an_earlier_result_is_compared_without_being_fetched(site: Site) -> None:
    site.receive(ct_series(slices=4, subject=THEN))
    site.decide(Ready.CAP)
    site.work()
    site.receive(ct_series(subject=NOW))
    site.decide(Ready.CAP)
    site.work()

    assert "in the study of 2025-03-01" in summary(site, "now")
    assert {row.profile for row in site.rows(RunRow)} == {"standard"}


def test_a_study_under_the_same_id_with_another_birth_date_is_never_compared(site: Site) -> None:
    site.receive(ct_series(slices=4, subject=replace(THEN, birth_date="19800101")))
    site.decide(Ready.CAP)
    site.work()
    site.receive(ct_series(subject=NOW))
    site.decide(Ready.CAP)
    site.work()

    assert "2025-03-01" not in summary(site, "now")
    assert not {code for code, _, _ in numbers(site, "now")} & {"PRIOR_VOLUME", "VOLUME_CHANGE"}


def read_by_a_person(site: Site, name: str, **tracked: str) -> None:
    """A reader's report in a study: tracking UID that the reader used, and that of our finding."""
    images = ct_series(subject=NOW if name == "now" else THEN)
    with site.index.transaction() as session:
        instance = session.query(InstanceRow).filter_by(sop_instance_uid=images[0].SOPInstanceUID).one()
        session.add(ReaderReportRow(instance_key=instance.instance_key, observer="Reader^One", reason="", at_s=1.0))
        session.flush()
        for number, (uid_of_reader, ours) in enumerate(tracked.items(), 1):
            row = ReaderFindingRow(instance_key=instance.instance_key, number=number, tracking_uid=uid_of_reader)
            row.our_tracking_uid = ours
            session.add(row)


def test_findings_that_a_reader_tracks_as_one_are_linked_and_no_others(site: Site) -> None:
    for subject in (THEN, NOW):
        site.receive(ct_series(subject=subject))
    read_by_a_person(site, "then", followed="lesion 1 then", lost="lesion 2 then")
    read_by_a_person(site, "now", followed="lesion 7 now", new="lesion 8 now")

    with site.index.snapshot() as session:
        links = linked_findings(session, key_of(site, "now"), key_of(site, "then"))

    assert links == (("lesion 7 now", "lesion 1 then"),)


def test_a_linked_finding_is_compared_with_the_one_it_was(site: Site) -> None:
    site.receive(ct_series(slices=4, subject=THEN))
    site.decide(Ready.CAP)
    site.work()
    (result,) = [row for row in site.rows(ResultRow) if row.role == "SR"]
    path = site.config.node.state / result.file
    source = ct_series(subject=NOW)[0]
    alone = read_prior(EarlierReport("20250301", "ab", path), source)
    assert alone is not None
    (was,) = alone.measured

    linked = read_prior(EarlierReport("20250301", "ab", path, ((uid("now"), was),)), source)

    assert linked is not None
    assert list(linked.measured) == [uid("now")]
