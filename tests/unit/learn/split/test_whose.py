"""Whose a study is."""

import pytest
from pydicom import Dataset

from dicomnode.learn.split.whose import Identity, Unidentified, identity_of
from tests.phantom import ct_series
from tests.site_made import Site, site_made


@pytest.fixture
def site(tmp_path) -> Site:
    return site_made(tmp_path)


def test_the_issuer_and_other_ids_are_read_from_an_image(site: Site) -> None:
    images = ct_series(slices=1)
    other = Dataset()
    other.PatientID, other.IssuerOfPatientID = "OLD-9", "Annex"
    images[0].IssuerOfPatientID, images[0].OtherPatientIDsSequence = "Main ", [other]
    site.receive(images)

    with site.index.snapshot() as session:
        found = identity_of(session, site.config.node.state, 1)

    assert found == (Identity("Main", "PHANTOM-1"), (Identity("Annex", "OLD-9"),))


def test_a_universal_id_stands_in_for_an_issuer_without_a_name(site: Site) -> None:
    images = ct_series(slices=1)
    qualifier = Dataset()
    qualifier.UniversalEntityID, qualifier.UniversalEntityIDType = "1.2.3", "ISO"
    images[0].IssuerOfPatientIDQualifiersSequence = [qualifier]
    site.receive(images)

    with site.index.snapshot() as session:
        assert identity_of(session, site.config.node.state, 1)[0] == Identity("1.2.3", "PHANTOM-1")


def test_a_held_study_is_nobodys(site: Site) -> None:
    images = ct_series(slices=2)
    images[1].PatientID = "SOMEONE ELSE"
    site.receive(images)

    with site.index.snapshot() as session, pytest.raises(Unidentified):
        identity_of(session, site.config.node.state, 1)
