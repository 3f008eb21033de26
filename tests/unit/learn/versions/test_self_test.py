"""A few fixed images whose answers are known."""

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest

from dicomnode.bundles.digest import digest
from dicomnode.config.tables import Config, ModelSetting, Route
from dicomnode.errors import DeviceBusy, ModelFault, NodeError
from dicomnode.index.learning import AlarmRow, DecisionRow, SelfTestRow
from dicomnode.index.runs import paused_scopes
from dicomnode.learn.versions.in_use import in_use
from dicomnode.learn.versions.promote import Asked, promote
from dicomnode.learn.versions.self_test import cases_of, due, run_self_test, self_test_all
from dicomnode.learn.versions.self_test_set import add_case
from dicomnode.values import (
    Classification,
    DomainAnswer,
    FindingScore,
    Header,
    ModelVersion,
    Prediction,
    Volume,
)
from tests.versions_made import MODEL, Shelf, judged, shadowed, shelf_made

SHIPPED = Path(__file__).parents[4] / "models"
IMAGE = Volume(np.full((1, 4, 4), 7.0, np.float32), np.eye(4), (), "1.2", None, has_geometry=False)
HEADER = Header({"Modality": "DX", "PatientAge": "003Y", "PatientBirthDate": "20200101", "StudyDate": "20230101"})


@dataclass
class Says:
    """Stands in for the model's process: one probability, whatever the image."""

    probability: float
    fault: NodeError | None = None
    asked: list[Volume] = field(default_factory=list)

    def predict(self, model: ModelVersion, volume: Volume, header: Header, setting: ModelSetting) -> Prediction:
        assert setting.research_outside_domain
        if self.fault:
            raise self.fault
        self.asked.append(volume)
        score = FindingScore(0, self.probability, None, self.probability >= 0.5)
        return Prediction(Classification((score,)), DomainAnswer(True), "cpu")


@pytest.fixture
def shelf(tmp_path: Path) -> Shelf:
    """A bundle whose set has one image, of which 0.8 is expected."""
    shelf = shelf_made(tmp_path)
    add_case(shelf.base.folder, "child", IMAGE, HEADER, {"finding 0": 0.8})
    return shelf


def in_use_made(shelf: Shelf) -> ModelVersion:
    row = shelf.made()
    judged(shelf, row)
    shadowed(shelf, row)
    promote(shelf.index, shelf.config, MODEL, row.version, Asked("Dr. Who", "a test"))
    return answering(shelf)


def answering(shelf: Shelf) -> ModelVersion:
    with shelf.index.snapshot() as session:
        return in_use(session, shelf.config, MODEL)


def kept(shelf: Shelf) -> list[bool]:
    with shelf.index.snapshot() as session:
        return [row.passed for row in session.query(SelfTestRow)]


def test_a_set_can_be_added_to_a_bundle_that_is_approved_and_names_nobody(shelf: Shelf) -> None:
    (case,) = cases_of(shelf.base.folder)

    assert digest(shelf.base.folder) == shelf.base.digest
    assert case.header == Header({"Modality": "DX", "PatientAge": "003Y"})
    np.testing.assert_array_equal(case.volume.voxels, IMAGE.voxels)


@pytest.mark.parametrize(("said", "passed"), [(0.8, True), (0.81, True), (0.75, False), (float("nan"), False)])
def test_an_answer_within_the_tolerance_passes(shelf: Shelf, said: float, passed: bool) -> None:
    tested = run_self_test(shelf.index, shelf.config, Says(said), shelf.base)

    assert tested is not None
    assert (tested.passed, kept(shelf)) == (passed, [passed])


def test_an_installed_bundle_that_fails_is_paused_and_a_person_alarmed(shelf: Shelf) -> None:
    run_self_test(shelf.index, shelf.config, Says(0.1), shelf.base)

    with shelf.index.snapshot() as session:
        assert paused_scopes(session) == {f"model:{MODEL}"}
        assert "finding 0 is 0.1, expected 0.8" in session.query(AlarmRow).one().words


def test_a_version_made_here_keeps_what_it_first_said_and_is_rolled_back_when_it_says_otherwise(shelf: Shelf) -> None:
    version = in_use_made(shelf)

    for said in (0.3, 0.31):
        tested = run_self_test(shelf.index, shelf.config, Says(said), version)
        assert tested is not None
        assert tested.passed
    run_self_test(shelf.index, shelf.config, Says(0.8), version)

    assert answering(shelf).digest == shelf.base.digest
    with shelf.index.snapshot() as session:
        assert session.query(AlarmRow).one().kind == "self-test"
        assert paused_scopes(session) == frozenset()
        assert session.query(DecisionRow).filter_by(what="self-test kept").one().details == {
            "child": {"finding 0": 0.3}
        }


def test_code_that_fails_is_a_failure_and_a_busy_device_is_none(shelf: Shelf) -> None:
    run_self_test(shelf.index, shelf.config, Says(0.8, DeviceBusy("no memory")), shelf.base)
    assert kept(shelf) == []

    run_self_test(shelf.index, shelf.config, Says(0.8, ModelFault("its code raised")), shelf.base)
    assert kept(shelf) == [False]


def test_a_version_is_tested_at_every_start_and_then_when_a_week_has_gone_by(shelf: Shelf) -> None:
    routes = (Route(name="all", models=(MODEL,), destinations=()),)
    config: Config = shelf.config.model_copy(update={"routes": routes})
    in_use_made(shelf)

    self_test_all(shelf.index, config, Says(0.8), only_due=False)
    self_test_all(shelf.index, config, Says(0.8), only_due=True)

    assert kept(shelf) == [True, True]  # the installed bundle, and the version in use
    with shelf.index.snapshot() as session:
        last_s = max(row.at_s for row in session.query(SelfTestRow))
        later_s = (last_s + 6 * 86400, last_s + 8 * 86400, last_s - 86400)
        assert [due(session, shelf.base, now_s) for now_s in later_s] == [False, True, True]


@pytest.mark.parametrize("name", ["chest_xray_pneumonia", "hippocampus_mr"])
def test_the_bundles_that_ship_have_a_set_that_names_nobody(name: str) -> None:
    cases = cases_of(SHIPPED / name)

    assert cases
    assert all(case.expected and not case.header.text("PatientBirthDate") for case in cases)
