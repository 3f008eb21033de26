"""A revision names what it replaces; every result belongs to the study it describes."""

from pathlib import Path

from dicomnode.encode.door import faults_of
from dicomnode.encode.door.expected import Expected
from dicomnode.values import Predecessor
from tests.phantom import SUBJECT, mr_series, uid
from tests.unit.encode.examples import segmentation_results

SR = "1.2.840.10008.5.1.4.1.1.88.34"
EARLIER = tuple(Predecessor(uid(f"series {n}"), SR, uid(f"report {n}")) for n in (1, 2))


def test_a_revision_names_every_report_it_replaces(tmp_path: Path) -> None:
    example = segmentation_results(mr_series(), tmp_path, predecessors=EARLIER)

    (study,) = example.report.PredecessorDocumentsSequence
    named = [
        (s.SeriesInstanceUID, s.ReferencedSOPSequence[0].ReferencedSOPInstanceUID)
        for s in study.ReferencedSeriesSequence
    ]
    assert study.StudyInstanceUID == SUBJECT.study_uid
    assert sorted(named) == sorted((p.series_uid, p.sop_instance_uid) for p in EARLIER)
    assert faults_of(Expected(example.made, example.run, example.rules, example.series)) == []


def test_a_first_result_names_none(tmp_path: Path) -> None:
    assert "PredecessorDocumentsSequence" not in segmentation_results(mr_series(), tmp_path).report


def test_patient_study_and_request_are_the_sources(tmp_path: Path) -> None:
    example = segmentation_results(mr_series(), tmp_path)

    for result in (example.seg, example.report):
        assert result.PatientID == SUBJECT.patient_id
        assert result.StudyInstanceUID == SUBJECT.study_uid
        assert result.AccessionNumber == SUBJECT.accession
        assert str(result.ReferringPhysicianName) == "Referrer^Rita"
        assert (result.ContentDate, result.ContentTime) == ("20260304", "113015")
