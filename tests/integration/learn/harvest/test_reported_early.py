"""A report over HL7 comes before its study: at the engine's look the study is compared with whom the report names."""

from pathlib import Path

import pytest

from dicomnode.learn.reports.hl7.answer import Answering
from dicomnode.learn.reports.hl7.frames import Frame
from dicomnode.learn.values import LabelState
from tests.integration.learn.harvest.reader_made import LEARN, labels, learning_site, send
from tests.phantom import SUBJECT, Subject, dx_image
from tests.site_made import Site
from tests.unit.learn.reports.reports_made import oru


@pytest.fixture
def site(tmp_path: Path) -> Site:
    """A node that reads report text for pneumonia."""
    return learning_site(tmp_path, f'{LEARN}finding = "pneumonia"\n')


def report(site: Site, patient: str) -> None:
    """A report on the study's accession number that names this patient."""
    message = oru("No pneumonia.", accession=SUBJECT.accession, patient=patient).encode()
    answer = Answering(site.index, site.config.learn, site.config.node.state).answer(Frame(message))
    assert answer is not None
    assert b"MSA|AA" in answer


@pytest.mark.parametrize(
    ("patient", "state"), [(SUBJECT.patient_id, LabelState.ATTACHED), ("SOMEBODY-ELSE", LabelState.REFUSED)]
)
def test_a_study_that_comes_after_its_report_gets_the_label_of_its_own_patient_alone(
    site: Site, patient: str, state: LabelState, capsys: pytest.CaptureFixture[str]
) -> None:
    report(site, patient)
    assert [row.state for row in labels(site)] == [LabelState.WAITING]

    send(site, [dx_image()], "PACS")

    (row,) = labels(site)
    assert (row.state, len(row.patient)) == (state, 64 if state is LabelState.ATTACHED else 0)
    assert not {"SOMEBODY-ELSE", SUBJECT.patient_id, SUBJECT.accession} & set(capsys.readouterr().out.split())


def test_a_study_that_is_sent_again_as_another_patients_loses_the_label_of_the_report(site: Site) -> None:
    image = dx_image()
    send(site, [image], "PACS")
    report(site, SUBJECT.patient_id)
    assert [row.state for row in labels(site)] == [LabelState.ATTACHED]

    send(site, [dx_image(subject=Subject(patient_id="CORRECTED-9"))], "PACS")

    (row,) = labels(site)
    assert (row.state, row.study_key, row.study_uid) == (LabelState.REFUSED, None, image.StudyInstanceUID)
