"""Studies leave image by image; what may not leave is counted with its reason."""

from pathlib import Path

import pytest
from pydicom import dcmread

from dicomnode.index.learning import PatientRow
from dicomnode.learn.deidentify.export import export_studies
from dicomnode.learn.harvest.patients import opt_out
from tests.phantom import Subject, ct_series, us_image
from tests.site_made import Site, site_made


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return site_made(tmp_path)


def test_images_leave_under_a_pseudonym_and_refusals_are_counted(site: Site, tmp_path: Path) -> None:
    images = [*ct_series(slices=2), us_image()]
    site.receive(images)

    done = export_studies(site.index, site.config, [images[0].StudyInstanceUID, "1.2.3"], tmp_path / "out")

    files = sorted((tmp_path / "out").rglob("*.dcm"))
    assert (done.images, sum(done.refused.values()), len(files)) == (2, 2, 2)
    assert "PHANTOM" not in "".join(map(str, files))
    assert {dcmread(file).PatientID for file in files} == {files[0].parts[-3]}
    with site.index.snapshot() as session:
        (row,) = session.query(PatientRow).all()
        assert row.looked_at
        assert not row.patient.startswith(files[0].parts[-3])


def test_a_patient_who_opted_out_does_not_leave(site: Site, tmp_path: Path) -> None:
    images = ct_series(slices=1, subject=Subject(patient_id="NO"))
    site.receive(images)
    with site.index.transaction() as session:
        opt_out(session, site.config.node.state, patient_id="NO")

    done = export_studies(site.index, site.config, [images[0].StudyInstanceUID], tmp_path / "out")

    assert (done.images, done.refused) == (0, {"the patient opted out": 1})
