"""Versions made here on the path of a study: in use, in the shadow, rolled back while studies are in flight."""

from pathlib import Path

import numpy as np
import pytest
from pydicom import Dataset

from dicomnode.config.tables import ModelSetting
from dicomnode.errors import ConfigFault
from dicomnode.handover import forget
from dicomnode.index.learning import LearnedVersionRow, ShadowAnswerRow
from dicomnode.index.runs import may_post
from dicomnode.index.schema import DeliveryRow, ResultRow, RunRow
from dicomnode.index.work import unwell
from dicomnode.learn.values import Verdict
from dicomnode.learn.versions.in_use import installed
from dicomnode.learn.versions.make import make_version
from dicomnode.learn.versions.promote import Asked, promote
from dicomnode.learn.versions.replay import replay
from dicomnode.learn.versions.rollback import rollback
from dicomnode.learn.versions.shadow import COMPARE, compare_waiting, disagreements, period, start_shadow
from dicomnode.serve.gpu import build
from dicomnode.stages import Device, Stages
from dicomnode.values import DomainAnswer, Header, ModelVersion, Prediction, RunStatus, Segmentation, Volume
from tests.phantom import Subject, ct_series
from tests.site_made import CONFIG, MODEL, Site, site_made
from tests.versions_made import Shelf, judged, shadowed

EVERY_KIND = CONFIG.replace("port = 104", 'port = 104\nprofile = "every"') + (
    '[profiles.every]\nobjects = ["SEG", "SR", "KOS", "GSPS", "RTSTRUCT", "PMAP", "SC", "PDF"]\n'
)
LOW, HIGH = 2000.0, 4000.0
"""Levels of the installed bundle and of versions made here."""


class Levels:
    """Stands in for the model's process: a version made here marks less."""

    def predict(self, model: ModelVersion, volume: Volume, header: Header, setting: ModelSetting) -> Prediction:
        labels = (volume.voxels >= (HIGH if "learned" in model.version else LOW)).astype(np.uint8)
        probability = labels.astype(np.float16) if setting.probability else None
        return Prediction(Segmentation(labels, probability=probability), DomainAnswer(True), "cpu")


@pytest.fixture
def site(tmp_path: Path) -> Site:
    site = site_made(tmp_path)
    return Site(site.config, site.index, Stages(site.config, site.index, Device(build, Levels())))


def shelf_of(site: Site) -> Shelf:
    with site.index.snapshot() as session:
        return Shelf(site.config, site.index, installed(session, site.config, MODEL))


def made(site: Site) -> LearnedVersionRow:
    base = shelf_of(site).base
    done = {"recipe": "recalibrate", "calibration": []}
    folder = site.config.node.state / "learning"
    folder.mkdir(exist_ok=True)
    return make_version(site.index, site.config, base, folder, done, training_set=None, scope="", parent=base.digest)


def in_shadow(site: Site) -> LearnedVersionRow:
    row = made(site)
    with site.index.transaction() as session:
        start_shadow(session, site.config, row.digest)
    return row


def promoted(site: Site, verdict: Verdict = Verdict.PROMOTE) -> LearnedVersionRow:
    row = made(site)
    judged(shelf_of(site), row, verdict)
    shadowed(shelf_of(site), row)
    asked = Asked("Dr. Who", "a test", research=verdict is not Verdict.PROMOTE)
    return promote(site.index, site.config, MODEL, row.version, asked)


def split(rows: list[RunRow]) -> tuple[RunRow, RunRow]:
    """The run that is sent, and the shadow."""
    (clinical,) = [row for row in rows if not row.shadow]
    (shadow,) = [row for row in rows if row.shadow]
    return clinical, shadow


def test_a_candidate_runs_beside_the_version_in_use_and_nothing_of_it_is_sent(site: Site) -> None:
    row = in_shadow(site)
    site.receive(ct_series())
    site.decide()

    clinical, shadow = split(site.work())

    assert (clinical.status, shadow.status) == (RunStatus.DELIVERING, RunStatus.DONE)
    assert (shadow.priority, shadow.destinations, shadow.revision, clinical.revision) == ("reprocess", [], 1, 1)
    assert {result.run_key for result in site.rows(ResultRow)} == {clinical.run_key}
    (told,) = site.rows(ShadowAnswerRow)
    assert (told.digest, told.in_use, told.agrees) == (row.digest, clinical.model_digest, False)
    with site.index.snapshot() as session:
        assert [one.run_key for one in disagreements(session, row.digest)] == [shadow.run_key]
        so_far = period(session, row.digest)
        assert so_far is not None
        assert (so_far.compared, so_far.agreed) == (1, 0)


def test_volumes_and_overlap_are_told_of_a_disagreement(site: Site) -> None:
    in_shadow(site)
    site.receive(ct_series(slices=5, spacing_mm=2.0, rows=6, columns=8))  # 1000 k + 10 j + i: 2, 3, 4 against 4 alone
    site.decide()
    site.work()

    (told,) = site.rows(ShadowAnswerRow)

    figures = told.figures["Bright"]
    assert isinstance(figures, dict)
    assert figures == {
        "candidate_ml": pytest.approx(0.096), "in_use_ml": pytest.approx(0.288), "dice": pytest.approx(2 / 4)
    }  # fmt: skip
    assert told.words == "Bright: 0.10 ml instead of 0.29 ml"


def test_a_shadow_that_is_done_first_waits_for_the_version_in_use(site: Site) -> None:
    in_shadow(site)
    site.receive(ct_series())
    site.decide()
    clinical, shadow = split(site.rows(RunRow))

    for row in (shadow, clinical):
        site.stages.begin(row.run_key)
        site.stages.analyse(row.run_key)
        if row is shadow:
            site.stages.report(row.run_key, 0, {})
            waiting = split(site.rows(RunRow))[1]
            assert (waiting.status, waiting.stage) == (RunStatus.RUNNING, COMPARE)
            assert compare_waiting(site.index, site.config, row.created_s) == 0

    assert compare_waiting(site.index, site.config, shadow.created_s) == 1
    assert len(site.rows(ShadowAnswerRow)) == 1


def test_what_is_wrong_with_a_shadow_is_told_beside_it_alone(site: Site) -> None:
    in_shadow(site)
    site.receive(ct_series())
    site.decide()
    _, shadow = split(site.rows(RunRow))

    site.stages.report(shadow.run_key, 0, {"family": "ModelFault", "reason": "its code raised"})
    site.stages.park(shadow.run_key, "killed")

    (told,) = site.rows(ShadowAnswerRow)
    assert (told.agrees, told.words) == (None, "the candidate gave no answer: killed")
    with site.index.snapshot() as session:
        assert unwell(session, 10)[1] == []


def test_a_poisoned_candidate_leaves_the_study_to_the_version_in_use(site: Site) -> None:
    row = in_shadow(site)
    (site.config.node.state / row.folder / "dicom.toml").unlink()
    site.receive(ct_series())

    assert site.decide() == [True]

    assert [run.shadow for run in site.work()] == [False]


def test_what_a_promoted_version_says_is_sent_in_its_name(site: Site) -> None:
    row = promoted(site)
    site.receive(ct_series(slices=5, spacing_mm=2.0, rows=6, columns=8))
    site.decide()

    (run,) = site.work()

    assert (run.model_digest, run.summary) == (row.digest, {"Bright": "0.10 ml"})
    assert "1.2.3+learned.1" in str(site.results(run.run_key)["SR"])


def test_a_rollback_hands_studies_in_flight_to_the_version_before_and_loses_none(site: Site) -> None:
    promoted(site)
    for study in ("one", "two", "three"):
        site.receive(ct_series(subject=Subject(study=study), name=study))
    site.decide()
    sent, analysed, queued = site.rows(RunRow)
    for row in (sent, analysed):
        site.stages.begin(row.run_key)
        site.stages.analyse(row.run_key)
    site.stages.report(sent.run_key, 0, {})

    done = rollback(site.index, site.config, MODEL, by="Dr. Who", reason="a test")
    site.stages.report(analysed.run_key, 0, {})  # it was about to post when the pointer moved
    rows = site.work()

    assert done.redone == 2
    base = shelf_of(site).base.digest
    posted = {row.study_key: row.model_digest for row in rows if row.status == RunStatus.DELIVERING}
    assert posted == {sent.study_key: sent.model_digest, analysed.study_key: base, queued.study_key: base}
    assert len(site.rows(ResultRow)) == 3 * 2
    assert len(site.rows(DeliveryRow)) == 3 * 2
    assert {row.status for row in rows if row.run_key in (analysed.run_key, queued.run_key)} == {RunStatus.CANCELLED}


def test_a_run_that_posts_while_its_version_is_rolled_back_posts_once(site: Site) -> None:
    promoted(site)
    site.receive(ct_series())
    site.decide()
    (row,) = site.rows(RunRow)
    site.stages.begin(row.run_key)
    site.stages.analyse(row.run_key)
    with site.index.transaction() as session:
        assert may_post(session, row.run_key)

    assert rollback(site.index, site.config, MODEL, by="Dr. Who", reason="a test").redone == 0
    site.stages.report(row.run_key, 0, {})

    assert [run.status for run in site.work()] == [RunStatus.DELIVERING]
    assert len(site.rows(ResultRow)) == 2


def test_a_crash_while_posting_and_a_rollback_after_it_leave_one_set_of_results(site: Site) -> None:
    promoted(site)
    site.receive(ct_series())
    site.decide()
    (row,) = site.rows(RunRow)
    site.stages.begin(row.run_key)
    site.stages.analyse(row.run_key)
    with site.index.transaction() as session:
        may_post(session, row.run_key)
    rollback(site.index, site.config, MODEL, by="Dr. Who", reason="a test")

    site.stages.report(row.run_key, 0, {})  # twice: the first was cut off

    site.stages.report(row.run_key, 0, {})
    assert len(site.rows(ResultRow)) == 2
    assert len(site.rows(RunRow)) == 1


def test_what_goes_wrong_with_a_run_that_was_rolled_back_parks_nothing(site: Site) -> None:
    promoted(site)
    site.receive(ct_series())
    site.decide()
    (row,) = site.rows(RunRow)
    site.stages.begin(row.run_key)
    rollback(site.index, site.config, MODEL, by="Dr. Who", reason="a test")

    with pytest.raises(ConfigFault, match="was rolled back"):
        site.stages.analyse(row.run_key)
    site.stages.park(row.run_key, "was rolled back")

    assert {run.status for run in site.work()} == {RunStatus.CANCELLED, RunStatus.DELIVERING}


def test_a_study_that_a_version_failed_on_is_analysed_by_the_one_before(site: Site) -> None:
    promoted(site)
    site.receive(ct_series())
    site.decide()
    (row,) = site.rows(RunRow)
    site.stages.begin(row.run_key)
    site.stages.report(row.run_key, 0, {"family": "ModelFault", "reason": "its code raised"})
    assert site.rows(RunRow)[0].status == RunStatus.PARKED

    rollback(site.index, site.config, MODEL, by="Dr. Who", reason="it fails")
    rows = site.work()

    assert [run.status for run in rows] == [RunStatus.CANCELLED, RunStatus.DELIVERING]
    assert rows[1].revision == 2


def test_every_kind_of_result_of_a_version_in_use_for_research_says_so(tmp_path: Path) -> None:
    plain = site_made(tmp_path, EVERY_KIND)
    site = Site(plain.config, plain.index, Stages(plain.config, plain.index, Device(build, Levels())))
    promoted(site, Verdict.UNDERPOWERED)
    site.receive(ct_series(slices=5, spacing_mm=2.0, rows=16, columns=16))
    site.decide()

    (run,) = site.work()

    results = site.results(run.run_key)
    assert set(results) == {"SEG", "SR", "KOS", "GSPS", "RTSTRUCT", "PMAP", "SC", "PDF"}
    assert {role for role, result in results.items() if "RESEARCH" not in titles(result)} == set()


def titles(result: Dataset) -> str:
    """What a viewer lists an object under."""
    return f"{result.SeriesDescription}"


def test_a_stored_run_says_the_same_again_and_a_changed_image_is_refused(site: Site) -> None:
    promoted(site)
    site.receive(ct_series())
    site.decide()
    (run,) = site.work()
    rollback(site.index, site.config, MODEL, by="Dr. Who", reason="a test")

    again = replay(site.index, site.config, run.run_key, build, Levels())

    assert (again.differences, again.exact, again.version) == ((), True, "1.2.3+learned.1")
    forget(site.config.node.state, run.run_key)
    assert "itself is gone" in replay(site.index, site.config, run.run_key, build, Levels()).words()
    image = next((site.config.node.state / "studies").rglob("*.dcm"))
    image.chmod(0o600)
    image.write_bytes(image.read_bytes()[:-2] + b"!!")
    with pytest.raises(ConfigFault, match="its digest differs"):
        replay(site.index, site.config, run.run_key, build, Levels())
