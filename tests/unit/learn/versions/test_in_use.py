"""Which version answers for a series."""

from pathlib import Path

import pytest

from dicomnode.bundles.approval import NotApproved, approve, revoke
from dicomnode.index.learning import LearnedVersionRow
from dicomnode.learn.versions.folders import Tampered
from dicomnode.learn.versions.in_use import in_use, learned_version, version_of_run
from dicomnode.values import Header, ModelVersion
from tests.versions_made import MODEL, Shelf, patients, shelf_made

HERE = Header({"StationName": "ct01", "Manufacturer": "ACME", "ManufacturerModelName": "One"})


def answering(shelf: Shelf, header: Header | None = None) -> ModelVersion:
    with shelf.index.snapshot() as session:
        return in_use(session, shelf.config, MODEL, header)


def test_the_installed_bundle_answers_where_nothing_was_promoted(tmp_path: Path) -> None:
    shelf = shelf_made(tmp_path, domain="")
    shelf.made()

    assert answering(shelf, HERE) == shelf.base


def test_a_site_goes_before_a_scanner_and_both_before_everybody(tmp_path: Path) -> None:
    shelf = shelf_made(tmp_path, domain="")
    for_all = shelf.put_in_use(shelf.made(b"all"))
    for_scanner = shelf.put_in_use(shelf.made(b"scanner", scope="scanner:ACME One"))
    for_site = shelf.put_in_use(shelf.made(b"site", scope="site:North"))

    assert answering(shelf, HERE) == for_site
    assert answering(shelf, Header(HERE.values | {"StationName": "CT09"})) == for_scanner
    assert answering(shelf, Header({"Modality": "DX"})) == for_all
    assert answering(shelf) == for_all


def test_whom_a_version_does_not_cover_the_installed_bundle_answers_if_it_does(tmp_path: Path) -> None:
    shelf = shelf_made(tmp_path)
    tuned = shelf.put_in_use(shelf.made(items=patients(20, age_band="18-59", view="PA")))

    assert answering(shelf, Header({"PatientAge": "030Y", "ViewPosition": "PA"})) == tuned
    assert answering(shelf, Header({"PatientAge": "003Y", "ViewPosition": "AP"})) == shelf.base
    assert answering(shelf, Header({"PatientAge": "090Y", "ViewPosition": "PA"})) == tuned  # which says why it cannot


def test_a_version_of_another_installed_bundle_is_passed_over(tmp_path: Path) -> None:
    shelf = shelf_made(tmp_path, domain="")
    shelf.put_in_use(shelf.made())
    (shelf.base.folder / "configs" / "metadata.json").write_text('{"version": "2.0.0"}')

    with pytest.raises(NotApproved):
        answering(shelf)
    newer = approve(shelf.index, shelf.base.folder, "a person")
    assert answering(shelf) == newer


def test_revoking_a_model_revokes_its_versions(tmp_path: Path) -> None:
    shelf = shelf_made(tmp_path, domain="")
    shelf.put_in_use(shelf.made())

    revoke(shelf.index, MODEL)

    with pytest.raises(NotApproved):
        answering(shelf)


def test_a_poisoned_version_is_refused(tmp_path: Path) -> None:
    shelf = shelf_made(tmp_path, domain="")
    version = shelf.put_in_use(shelf.made())
    (version.folder / "scripts" / "networks.py").unlink()

    with pytest.raises(Tampered, match="rollback"):
        answering(shelf)


def test_a_candidate_runs_as_a_shadow_alone(tmp_path: Path) -> None:
    shelf = shelf_made(tmp_path, domain="")
    row = shelf.made()

    with shelf.index.snapshot() as session:
        assert learned_version(session, shelf.config, row, shadow=True).digest == row.digest
        with pytest.raises(NotApproved):
            learned_version(session, shelf.config, row)


def test_a_run_in_flight_keeps_its_version(tmp_path: Path) -> None:
    shelf = shelf_made(tmp_path, domain="")
    first, second = shelf.made(b"one"), shelf.made(b"two")
    shelf.put_in_use(first)
    shelf.put_in_use(second)
    with shelf.index.transaction() as session:
        session.get_one(LearnedVersionRow, first.digest).state = "former"

    with shelf.index.snapshot() as session:
        for digest in (first.digest, second.digest, shelf.base.digest):
            assert version_of_run(session, shelf.config, MODEL, digest, shadow=False).digest == digest
