"""From arrivals to the outbox, stage by stage, in this process."""

import copy
from pathlib import Path

import numpy as np
import pytest
from pydicom import Dataset

from dicomnode.complete.ready import Ready
from dicomnode.index.runs import end
from dicomnode.index.schema import ChoiceRow, DeliveryRow, ResultRow, RunRow, StudyRow
from dicomnode.index.work import pause, resume, retry_run
from dicomnode.values import Role, RunStatus
from tests.phantom import Subject, ct_series, uid
from tests.site_made import CONFIG, Site, site_made


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return site_made(tmp_path)


def only(found: list[RunRow]) -> RunRow:
    (row,) = found
    return row


def test_a_complete_study_becomes_one_run_whose_seg_and_sr_are_queued_for_the_pacs(site: Site) -> None:
    site.receive(ct_series())
    assert site.decide() == [True]

    run = only(site.work())

    assert (run.status, run.revision) == (RunStatus.DELIVERING, 1)
    assert set(site.results(run.run_key)) == {Role.SEG, Role.SR}
    assert {(row.destination, row.status) for row in site.rows(DeliveryRow)} == {("pacs", "queued")}


def test_the_volume_in_the_summary_is_that_of_the_mask(site: Site) -> None:
    site.receive(ct_series(slices=5, spacing_mm=2.0, rows=6, columns=8))  # 1000 k + 10 j + i: slices 2, 3, 4 are bright
    site.decide()

    run = only(site.work())

    assert run.summary == {"Bright": "0.29 ml"}  # 3 slices × 48 voxels × 2 mm³ = 288 mm³


def test_deciding_twice_on_the_same_study_makes_no_second_run(site: Site) -> None:
    site.receive(ct_series())
    site.decide()
    site.receive(ct_series())  # sent again, identical

    assert site.decide() == []
    assert len(site.rows(RunRow)) == 1


def test_doing_every_stage_twice_gives_the_same_results_once(site: Site) -> None:
    site.receive(ct_series())
    site.decide()
    run = only(site.work())
    before = {row.sop_instance_uid: row.digest for row in site.rows(ResultRow)}

    site.stages.analyse(run.run_key)
    site.stages.report(run.run_key, run.attempt, {})

    assert {row.sop_instance_uid: row.digest for row in site.rows(ResultRow)} == before
    assert len(site.rows(DeliveryRow)) == 2


def test_late_images_give_a_revision_whose_sr_names_its_predecessor(site: Site) -> None:
    images = ct_series(slices=6)
    site.receive(images[:5])
    site.decide()
    first = only(site.work())
    site.receive(images[5:])
    site.decide()

    second = next(row for row in site.work() if row.revision == 2)

    named = site.results(second.run_key)[Role.SR].PredecessorDocumentsSequence
    uids = {
        str(one.ReferencedSOPInstanceUID)
        for item in named
        for series in item.ReferencedSeriesSequence
        for one in series.ReferencedSOPSequence
    }
    assert uids == {str(site.results(first.run_key)[Role.SR].SOPInstanceUID)}


def test_a_corrected_name_gives_a_revision_under_the_corrected_name(site: Site) -> None:
    images = ct_series()
    site.receive(images)
    site.decide()
    site.work()
    corrected = [renamed(image, "Corrected^Name") for image in images]
    site.receive(corrected)
    site.decide()

    second = next(row for row in site.work() if row.revision == 2)

    assert {str(one.PatientName) for one in site.results(second.run_key).values()} == {"Corrected^Name"}


def test_a_run_that_has_not_posted_is_cancelled_by_its_revision(site: Site) -> None:
    images = ct_series(slices=6)
    site.receive(images[:5])
    site.decide()
    site.receive(images[5:])
    site.decide()

    status = {row.revision: row.status for row in site.work()}

    assert status == {1: RunStatus.CANCELLED, 2: RunStatus.DELIVERING}


def test_what_cannot_be_analysed_is_said_to_the_reader_and_parked_for_it(site: Site) -> None:
    site.receive(ct_series())
    site.decide()
    (row,) = site.rows(RunRow)
    site.stages.begin(row.run_key)
    refused = {
        "family": "SeriesRefused",
        "reason": "a slice is missing: no image between 2.00 and 6.00 mm along the stack",
    }

    site.stages.report(row.run_key, 0, refused)

    run = only(site.rows(RunRow))
    assert run.status == RunStatus.PARKED
    assert "a slice is missing" in run.reason
    assert set(site.results(run.run_key)) == {Role.COULD_NOT}


def test_a_retry_that_succeeds_names_the_report_of_failure_as_its_predecessor(site: Site) -> None:
    site.receive(ct_series())
    site.decide()
    (row,) = site.rows(RunRow)
    site.stages.begin(row.run_key)
    site.stages.report(row.run_key, 0, {"family": "ModelFault", "reason": "the model's process died"})
    with site.index.transaction() as session:
        retry_run(session, session.get_one(RunRow, row.run_key))

    run = only(site.work())

    assert run.status == RunStatus.DELIVERING
    results = site.results(run.run_key)
    assert set(results) == {Role.COULD_NOT, Role.SEG, Role.SR}
    named = results[Role.SR].PredecessorDocumentsSequence[0].ReferencedSeriesSequence[0].ReferencedSOPSequence[0]
    assert named.ReferencedSOPInstanceUID == results[Role.COULD_NOT].SOPInstanceUID


def test_a_cancelled_run_posts_nothing(site: Site) -> None:
    site.receive(ct_series())
    site.decide()
    (row,) = site.rows(RunRow)
    site.stages.begin(row.run_key)
    site.stages.analyse(row.run_key)
    with site.index.transaction() as session:
        end(session, row.run_key, RunStatus.CANCELLED, "a person said so")

    assert site.stages.report(row.run_key, 0, {}) == 0
    assert site.rows(ResultRow) == []


@pytest.mark.parametrize("scope", ["all", "model:bright"])
def test_a_paused_run_waits_and_goes_on_after_the_pause(site: Site, scope: str) -> None:
    with site.index.transaction() as session:
        pause(session, scope, "a person")
    site.receive(ct_series())
    site.decide()
    assert [row.status for row in site.work()] == [RunStatus.QUEUED]
    with site.index.transaction() as session:
        assert resume(session, scope)

    assert [row.status for row in site.work()] == [RunStatus.DELIVERING]


def test_an_empty_patient_id_parks_the_study(site: Site) -> None:
    site.receive(ct_series(subject=Subject(patient_id="")))
    site.decide()

    (study,) = site.rows(StudyRow)
    assert (study.state, site.rows(RunRow)) == ("parked", [])
    assert "Patient ID is empty" in study.reason


def test_a_study_with_two_patient_ids_is_held_and_goes_on_when_sent_under_one(site: Site) -> None:
    images = ct_series()
    mixed = [*images[:3], *(with_patient(image, "OTHER") for image in images[3:])]
    site.receive(mixed)
    assert site.decide() == []
    assert [row.state for row in site.rows(StudyRow)] == ["held"]

    site.receive(images)  # all under one ID now
    assert site.decide() == [True]
    assert only(site.work()).status == RunStatus.DELIVERING


def test_a_study_that_no_route_takes_is_recorded_with_that_reason(site: Site) -> None:
    images = [changed(image, "Modality", "PT") for image in ct_series()]
    site.receive(images)
    site.decide()

    (study,) = site.rows(StudyRow)
    assert (study.state, study.reason, site.rows(RunRow)) == ("decided", "no route takes this study", [])


def test_a_study_without_a_fitting_series_keeps_the_reason_for_each(site: Site) -> None:
    site.receive([changed(image, "ImageType", ["DERIVED", "SECONDARY", "MIP"]) for image in ct_series()])
    site.decide()

    (choice,) = site.rows(ChoiceRow)
    assert (choice.model, choice.series_uid, site.rows(RunRow)) == ("bright", None, [])
    assert choice.verdicts[0]["reasons"]


def test_a_required_series_is_waited_for_until_the_cap(tmp_path: Path) -> None:
    required = 'required_series = [{ all = [{ tag = "SeriesDescription", equals = "T2" }] }]'
    site = site_made(tmp_path, CONFIG.replace('destinations = ["pacs"]', f'destinations = ["pacs"]\n{required}'))
    site.receive(ct_series())

    assert site.decide(Ready.QUIET) == [False]
    assert site.decide(Ready.CAP) == [True]
    assert len(site.rows(RunRow)) == 1


def test_a_required_series_that_never_comes_parks_the_study_where_the_site_wants_it(tmp_path: Path) -> None:
    required = 'required_series = [{ all = [{ tag = "SeriesDescription", equals = "T2" }] }]'
    text = CONFIG.replace('destinations = ["pacs"]', f'destinations = ["pacs"]\n{required}')
    site = site_made(tmp_path, text + '\n[complete]\nat_cap = "park"\n')
    site.receive(ct_series())

    site.decide(Ready.CAP)

    (study,) = site.rows(StudyRow)
    assert (study.state, site.rows(RunRow)) == ("parked", [])
    assert "required series did not arrive" in study.reason


def test_a_stat_study_is_worked_on_as_stat(site: Site) -> None:
    site.receive([changed(image, "RequestedProcedurePriority", "STAT") for image in ct_series()])
    site.decide()

    assert only(site.rows(RunRow)).priority == "stat"


def test_a_model_that_nobody_approved_parks_the_study_and_says_how_to_approve(site: Site) -> None:
    (site.config.infer.folder / "bright" / "scripts" / "networks.py").write_text("# changed")
    site.receive(ct_series())
    site.decide()

    (study,) = site.rows(StudyRow)
    assert study.state == "parked"
    assert "dicomnode models approve bright" in study.reason


def test_our_own_results_coming_back_start_nothing(site: Site) -> None:
    site.receive(ct_series())
    site.decide()
    run = only(site.work())

    site.receive(list(site.results(run.run_key).values()))

    assert site.decide() == []
    assert len(site.rows(RunRow)) == 1


def test_two_studies_of_one_patient_keep_one_tracking_uid_for_an_organ(site: Site) -> None:
    for study in ("study 1", "study 2"):
        site.receive(ct_series(subject=Subject(study=study)))
        site.decide()
    runs = site.work()

    tracking = {str(site.results(row.run_key)[Role.SEG].SegmentSequence[0].TrackingUID) for row in runs}
    assert len(runs) == 2
    assert len(tracking) == 1


def renamed(image: Dataset, name: str) -> Dataset:
    return changed(image, "PatientName", name)


def with_patient(image: Dataset, patient_id: str) -> Dataset:
    return changed(image, "PatientID", patient_id)


def changed(image: Dataset, keyword: str, value: object) -> Dataset:
    copied = copy.deepcopy(image)
    setattr(copied, keyword, value)
    return copied


def test_the_mask_in_the_seg_is_that_of_the_model(site: Site) -> None:
    values = np.zeros((5, 6, 8), np.float32)
    values[2, 3, 4] = 3000.0
    site.receive(ct_series(values=values))
    site.decide()
    seg = site.results(only(site.work()).run_key)[Role.SEG]

    assert seg.NumberOfFrames == 1
    assert np.argwhere(seg.pixel_array).tolist() == [[3, 4]]
    source = seg.PerFrameFunctionalGroupsSequence[0].DerivationImageSequence[0].SourceImageSequence[0]
    assert source.ReferencedSOPInstanceUID == uid("study 1 CT 1 3")


MAPPED = (
    CONFIG.replace("port = 104", 'port = 104\nprofile = "mapped"') + '[profiles.mapped]\nobjects = ["SR", "PMAP"]\n'
)


@pytest.mark.parametrize(
    ("text", "roles"),
    [
        (MAPPED, {Role.SR, Role.PMAP}),
        (f"{MAPPED}[models.bright]\nprobability = false\n", {Role.SR}),
        (f'{MAPPED}[profiles.plain]\nobjects = ["SR"]\n'.replace('"mapped"\n[[', '"plain"\n[['), {Role.SR}),
    ],
    ids=["the profile has a map", "the site wants none", "the profile has none"],
)
def test_the_probability_is_mapped_where_the_profile_has_a_parametric_map(
    text: str, roles: set[Role], tmp_path: Path
) -> None:
    site = site_made(tmp_path, text)
    site.receive(ct_series())
    site.decide()

    assert set(site.results(only(site.work()).run_key)) == roles


def test_a_run_whose_study_is_held_meanwhile_posts_nothing_and_goes_on_when_it_is_settled(site: Site) -> None:
    images = ct_series()
    site.receive(images)
    site.decide()
    (row,) = site.rows(RunRow)
    site.stages.begin(row.run_key)
    site.stages.analyse(row.run_key)
    site.receive([with_patient(images[4], "OTHER")])  # the study now has two patients

    assert site.stages.report(row.run_key, 0, {}) == 0
    assert (only(site.rows(RunRow)).status, site.rows(ResultRow)) == (RunStatus.CANCELLED, [])

    site.receive([images[4]])
    site.decide()
    assert only(site.work()).status == RunStatus.DELIVERING
