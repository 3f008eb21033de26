"""A study that could not be analysed is told to the reader, in words and in a code."""

from pathlib import Path

import pytest

from dicomnode.encode.results import could_not_analyse
from tests.phantom import mr_series
from tests.unit.encode.examples import (
    MADE_AT,
    SEGMENTS,
    coded_answers,
    could_not_results,
    node_of,
    run_of,
    stored,
    texts,
)


def test_the_reason_stands_in_words_and_in_a_code(tmp_path: Path) -> None:
    report = could_not_results(tmp_path).report

    assert "Could not analyse: No series is a crop of 80 mm or less." in texts(report)
    assert "Looked at: MR series 'MR 1', 5 images." in texts(report)
    assert coded_answers(report)["Summary of Analyses"] == "Failed"
    assert coded_answers(report)["Reason"] == "No suitable image series"


@pytest.mark.parametrize(
    ("family", "code"),
    [
        ("SeriesRefused", "No suitable image series"),
        ("ModelFault", "Analysis software failed"),
        ("IdentityFault", "Patient or study identity in doubt"),
        ("NotDicom", "Images could not be read"),
        ("DoorFault", "Result failed its checks"),
        ("Transient", "Resources not available"),
        ("", "Analysis not possible"),
    ],
)
def test_each_kind_of_failure_has_a_code(family: str, code: str, tmp_path: Path) -> None:
    study, series = stored(mr_series(), tmp_path)

    (one,) = could_not_analyse(run_of(study), series, "why", SEGMENTS, node_of(tmp_path), MADE_AT, family=family)

    assert coded_answers(one.dataset)["Reason"] == code


def test_every_instance_looked_at_is_evidence(tmp_path: Path) -> None:
    example = could_not_results(tmp_path)

    (study,) = example.report.CurrentRequestedProcedureEvidenceSequence
    listed = {i.ReferencedSOPInstanceUID for s in study.ReferencedSeriesSequence for i in s.ReferencedSOPSequence}
    assert listed == {instance.sop_instance_uid for instance in example.series.instances}
