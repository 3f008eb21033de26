"""Whom a version may answer for."""

from dataclasses import replace
from pathlib import Path

import pytest

from dicomnode.bundles.dicom_toml import load_dicom_toml
from dicomnode.infer.evaluated import reasons_outside
from dicomnode.learn.values import Source, Split, TrainingSet
from dicomnode.learn.versions.domain import band_years, covered
from dicomnode.learn.versions.make import Fit
from dicomnode.values import Header
from tests.versions_made import CHILDREN, Shelf, patients, shelf_made

ADULTS = (
    *patients(12, age_band="18-39", view="PA", scanner="ACME One"),
    *patients(11, age_band="40-59", view="PA", scanner="ACME One"),
)


def outside(shelf: Shelf, age: str, view: str = "PA", scanner: str = "One", **told: object) -> tuple[str, ...]:
    row = shelf.made(items=told.pop("items", ADULTS), **told)  # type: ignore[arg-type]
    values = {"PatientAge": age, "ViewPosition": view, "Manufacturer": "ACME", "ManufacturerModelName": scanner}
    return reasons_outside(load_dicom_toml(shelf.config.node.state / row.folder).domain, Header(values))


def test_a_model_for_children_tuned_on_local_adults_answers_for_local_adults_and_only_then(tmp_path: Path) -> None:
    shelf = shelf_made(tmp_path)

    assert outside(shelf, "045Y") == ()
    assert "evaluated on 18 to 59 years" in outside(shelf, "003Y")[0]
    assert "evaluated on 18 to 59 years" in outside(shelf, "070Y")[0]
    assert "view position is AP" in outside(shelf, "045Y", view="AP")[0]
    assert "the scanner is ACME Two" in outside(shelf, "045Y", scanner="Two")[0]


def test_too_few_patients_of_a_kind_widen_nothing(tmp_path: Path) -> None:
    shelf = shelf_made(tmp_path)
    few = patients(9, age_band="18-39", view="PA")

    assert outside(shelf, "003Y", view="AP", items=few) == ()
    assert "evaluated on 1 to 5 years" in outside(shelf, "025Y", view="AP", items=few)[0]


def test_patients_who_were_trained_on_say_nothing_of_whom_it_was_evaluated_on(tmp_path: Path) -> None:
    shelf = shelf_made(tmp_path)

    assert outside(shelf, "025Y", view="AP", items=patients(50, Split.TRAIN, age_band="18-39"))


def test_a_gap_between_age_bands_is_not_bridged(tmp_path: Path) -> None:
    shelf = shelf_made(tmp_path)
    items = (*patients(10, age_band="0-17"), *patients(30, age_band="60-79"), *patients(12, age_band="80+"))

    assert "evaluated on 60 years and older" in outside(shelf, "030Y", view="AP", items=items)[0]
    assert outside(shelf, "095Y", view="AP", items=items) == ()


def test_reports_say_whom_a_version_was_evaluated_on(tmp_path: Path) -> None:
    shelf = shelf_made(tmp_path)
    row = shelf.made(items=ADULTS)

    about = load_dicom_toml(shelf.config.node.state / row.folder).model

    assert about.title == "Bright (tuned here)"
    assert "23 patients of this site, aged 18 to 59 years, views PA" in about.intended_use
    assert about.statements[0].startswith("Tuned on this site's own patients.")


@pytest.mark.parametrize(("recipe", "kept"), [("norm", False), ("adapter", False), ("recalibrate", True)])
def test_the_learnt_check_of_the_base_stays_only_where_it_still_measures_the_same(
    tmp_path: Path, recipe: str, kept: bool
) -> None:
    shelf = shelf_made(tmp_path, domain=CHILDREN + 'check = "models/domain.npz"\n')
    row = shelf.made(recipe=recipe)

    dicom = load_dicom_toml(shelf.config.node.state / row.folder)

    assert (dicom.domain.check == "models/domain.npz") is kept
    assert any("learnt check" in words for words in dicom.model.statements) is not kept


def test_a_learnt_check_that_was_fitted_with_the_candidate_is_its_own(tmp_path: Path) -> None:
    shelf = shelf_made(tmp_path)
    (shelf.fitted() / "domain.npz").write_bytes(b"refitted")

    row = shelf.made()

    folder = shelf.config.node.state / row.folder
    assert load_dicom_toml(folder).domain.check == "models/domain.npz"
    assert (folder / "models" / "domain.npz").read_bytes() == b"refitted"


@pytest.mark.parametrize(
    ("band", "years"),
    [("40-59", (40.0, 59.0)), ("80+", (80.0, None)), ("under 18", (0.0, 17.0)), ("", None), ("unknown", None)],
)
def test_age_bands_are_read_as_a_person_writes_them(band: str, years: tuple[float, float | None] | None) -> None:
    assert band_years(band) == years


def test_labels_read_out_of_reports_and_patients_outside_the_sealed_set_cover_nobody(tmp_path: Path) -> None:
    mined = tuple(replace(item, source=Source.REPORT) for item in ADULTS)
    training = TrainingSet("", "chest", "", "", (*mined, *ADULTS[:3]), tmp_path)

    assert covered(Fit(tmp_path, {}, training).tested).patients == 3
    assert covered(Fit(tmp_path, {}, training, ADULTS[:2]).tested).patients == 2
