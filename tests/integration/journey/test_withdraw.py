"""Images that the PACS takes back or corrects after results were sent: the results are withdrawn."""

from collections.abc import Sequence
from pathlib import Path

import pytest
from highdicom.ko import KeyObjectSelection, KeyObjectSelectionDocument
from highdicom.sr import CodedConcept
from pydicom import Dataset, dcmread

from dicomnode.complete.ready import Ready
from dicomnode.complete.rejections import read_key_objects
from dicomnode.encode.context import Encoded
from dicomnode.encode.door.dciodvfy import findings, validator_path
from dicomnode.index.schema import DeliveryRow, InstanceRow, RejectionRow, ResultRow, RunRow, StudyRow
from dicomnode.index.withdrawals import runs_to_withdraw
from dicomnode.index.work import dismiss_deliveries
from dicomnode.values import DeliveryStatus, Role
from dicomnode.withdraw import withdraw
from tests.phantom import Subject, ct_series, uid
from tests.site_made import CONFIG, Site, site_made

QUALITY = ("113001", "Rejected for Quality Reasons")


@pytest.fixture
def site(tmp_path: Path) -> Site:
    """A node that has sent SEG and SR of one study."""
    made = site_made(tmp_path)
    made.receive(ct_series())
    made.decide()
    made.work()
    delivered(made)
    return made


def delivered(site: Site) -> None:
    """As if the PACS had committed everything."""
    with site.index.transaction() as session:
        for row in session.query(DeliveryRow).filter_by(status=DeliveryStatus.QUEUED):
            row.status, row.attempts = DeliveryStatus.COMMITTED, 1


def rejection(images: Sequence[Dataset], code: tuple[str, str] = QUALITY, name: str = "note") -> Dataset:
    """A PACS's Key Object Selection about some images."""
    content = KeyObjectSelection(CodedConcept(code[0], "DCM", code[1]), list(images))
    note: Dataset = KeyObjectSelectionDocument(
        list(images), content, uid(f"series of {name}"), 99, uid(name), 1, manufacturer="PACS"
    )
    return note


def work_off(site: Site) -> None:
    """What the engine does at a slow tick."""
    read_key_objects(site.index, site.config.node.state)
    with site.index.snapshot() as session:
        keys = runs_to_withdraw(session, 0.0)
    for key in keys:
        withdraw(site.index, site.config, key)


def note_of(site: Site) -> Dataset:
    (row,) = [row for row in site.rows(ResultRow) if row.role == Role.REJECTION]
    return dcmread(site.config.node.state / row.file)


def test_results_of_rejected_images_are_withdrawn_by_a_note_that_names_each(site: Site) -> None:
    sent = {row.sop_instance_uid for row in site.rows(ResultRow)}
    site.receive([rejection(ct_series())])

    work_off(site)

    note = note_of(site)
    (listed,) = note.CurrentRequestedProcedureEvidenceSequence
    named = {i.ReferencedSOPInstanceUID for s in listed.ReferencedSeriesSequence for i in s.ReferencedSOPSequence}
    assert named == sent
    assert note.ConceptNameCodeSequence[0].CodeValue == "113001"
    assert (note.StudyInstanceUID, note.PatientID, str(note.PatientName)) == (
        uid("study 1"),
        "PHANTOM-1",
        "Phantom^One",
    )
    (run,) = site.rows(RunRow)
    assert run.withdrawn_s is not None
    assert "rejected or corrected" in run.reason


def test_a_note_gives_the_reason_that_the_pacs_gave(site: Site) -> None:
    site.receive([rejection(ct_series(), ("113037", "Rejected for Patient Safety Reasons"))])

    work_off(site)

    assert note_of(site).ConceptNameCodeSequence[0].CodeValue == "113037"


def test_rejected_images_are_no_longer_part_of_the_study(site: Site) -> None:
    images = ct_series()
    site.receive([rejection(images[3:])])

    work_off(site)

    current = {row.sop_instance_uid for row in site.rows(InstanceRow) if row.current}
    assert {image.SOPInstanceUID for image in images[:3]} <= current
    assert not {image.SOPInstanceUID for image in images[3:]} & current
    (study,) = site.rows(StudyRow)
    assert study.state == "receiving"  # decided again, without them


def test_an_instance_corrected_later_withdraws_the_results_made_of_it_and_a_revision_follows(site: Site) -> None:
    corrected = ct_series(subject=Subject(patient_name="Phantom^Corrected"))
    site.receive(corrected)

    work_off(site)
    site.decide(Ready.QUIET)
    site.work()

    assert str(note_of(site).PatientName) == "Phantom^Corrected"
    assert sorted((row.revision, row.withdrawn_s is not None) for row in site.rows(RunRow)) == [(1, True), (2, False)]


def test_a_note_about_expired_retention_withdraws_nothing(site: Site) -> None:
    site.receive([rejection(ct_series(), ("113039", "Data Retention Policy Expired"))])

    work_off(site)

    assert {row.role for row in site.rows(ResultRow)} == {Role.SEG, Role.SR}
    assert [(row.code, row.instances) for row in site.rows(RejectionRow)] == [("", 0)]


def test_a_key_object_selection_of_a_reader_rejects_nothing(site: Site) -> None:
    site.receive([rejection(ct_series(), ("113000", "Of Interest"))])

    work_off(site)

    assert all(row.withdrawn_s is None for row in site.rows(RunRow))


def test_a_note_rejects_no_image_of_another_study(site: Site) -> None:
    other = ct_series(subject=Subject(study="study 2"), name="CT 2")
    site.receive(other)
    note = rejection(ct_series())
    evidence = note.CurrentRequestedProcedureEvidenceSequence[0].ReferencedSeriesSequence[0].ReferencedSOPSequence
    for item, image in zip(evidence, other, strict=True):
        item.ReferencedSOPInstanceUID = image.SOPInstanceUID
    site.receive([note])

    work_off(site)

    assert all(row.current for row in site.rows(InstanceRow))


def test_what_was_not_sent_yet_is_not_sent_any_more(tmp_path: Path) -> None:
    site = site_made(tmp_path)
    site.receive(ct_series())
    site.decide()
    site.work()
    site.receive([rejection(ct_series())])

    work_off(site)

    assert {row.status for row in site.rows(DeliveryRow)} == {DeliveryStatus.WITHDRAWN}
    assert Role.REJECTION not in {row.role for row in site.rows(ResultRow)}


def test_a_destination_without_notes_is_left_to_a_person_who_says_when_it_is_done(tmp_path: Path) -> None:
    site = site_made(tmp_path, CONFIG.replace("port = 104\n", "port = 104\nrejection_notes = false\n"))
    site.receive(ct_series())
    site.decide()
    site.work()
    delivered(site)
    site.receive([rejection(ct_series())])

    work_off(site)

    (parked,) = [row for row in site.rows(DeliveryRow) if row.status == DeliveryStatus.PARKED]
    assert parked.reason == f"remove the AI results of study {uid('study 1')} there, then `dicomnode dismiss`"
    with site.index.transaction() as session:
        assert dismiss_deliveries(session, session.query(RunRow).one()) == 1


def test_a_withdrawal_done_twice_is_done_once(site: Site) -> None:
    site.receive([rejection(ct_series())])
    work_off(site)
    before = note_of(site)

    withdraw(site.index, site.config, site.rows(RunRow)[0].run_key)
    work_off(site)

    assert note_of(site) == before


@pytest.mark.skipif(validator_path() is None, reason="dciodvfy is not installed")
def test_a_note_passes_dciodvfy(site: Site, tmp_path: Path) -> None:
    site.receive([rejection(ct_series())])
    work_off(site)

    assert findings(Encoded(Role.REJECTION, note_of(site)).content, validator_path() or Path()) == []
