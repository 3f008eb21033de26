"""A labeler's worth is counted on reports that readers labelled, with exact intervals, and kept for this site."""

import csv
import json
from pathlib import Path

import pytest

from dicomnode.errors import ConfigFault
from dicomnode.index.database import Index
from dicomnode.learn.reports.facts import Fact, Status
from dicomnode.learn.reports.labeler import labeler
from dicomnode.learn.reports.labels import weight_of
from dicomnode.learn.reports.measure import exact, measure
from dicomnode.learn.reports.reference import Half, Labelled, half_of, read_labelled, read_reading
from dicomnode.learn.reports.standing import keep_worth


class Says:
    """A labeler that knows one finding and says what stands in the text."""

    labeler_id, version, findings = "says", "1", ("nodule",)

    def reads(self, text: str) -> bool:
        return True

    def facts(self, text: str) -> tuple[Fact, ...]:
        return (Fact("nodule", Status(text)),)


def reports(**counts: tuple[int, int]) -> list[Labelled]:
    """Per answer so many reports with the finding, and so many without."""
    return [
        Labelled(f"{answer}{number}", answer, {"nodule": number < there})
        for answer, (there, away) in counts.items()
        for number in range(there + away)
    ]


def test_every_answer_is_counted_where_it_belongs() -> None:
    (worth,) = measure(Says(), reports(present=(8, 2), absent=(1, 9), uncertain=(1, 1), unmentioned=(0, 8)))

    assert (worth.sensitivity.value, worth.specificity.value) == (0.8, 0.9)
    assert (worth.ppv.value, worth.npv.value) == (0.8, 0.9)
    assert worth.counts.reports == 30


def test_intervals_are_exact() -> None:
    found = exact(0, 10)

    assert (found.value, found.low) == (0.0, 0.0)
    assert found.high == pytest.approx(1 - 0.025 ** (1 / 10))  # Clopper and Pearson of nothing in ten
    assert exact(0, 0) is None


@pytest.mark.parametrize(
    ("counts", "unreviewed"),
    [
        ({"present": (100, 0), "absent": (0, 100)}, True),
        ({"present": (99, 0), "absent": (0, 100)}, False),  # 199 reports
        ({"present": (3, 0), "absent": (0, 300)}, False),  # three of three is no proof of 0.95
        ({"present": (96, 4), "absent": (0, 100)}, False),  # 0.96, which may be 0.90
    ],
)
def test_it_is_used_unreviewed_only_when_its_values_are_surely_high(
    counts: dict[str, tuple[int, int]], unreviewed: bool
) -> None:
    (worth,) = measure(Says(), reports(**counts))

    assert worth.unreviewed is unreviewed


def test_a_measured_labeler_weighs_more_and_an_unmeasured_one_stays_weak(index: Index) -> None:
    worth = measure(Says(), reports(present=(100, 0), absent=(0, 100)))
    with index.transaction() as session:
        keep_worth(session, Says(), worth)
        keep_worth(session, Says(), worth)  # again: replaced

        assert weight_of(session, "says 1", "nodule") == 0.7
        assert weight_of(session, "says 2", "nodule") == 0.3
        assert weight_of(session, "japanese 1", "nodule") == 0.3


def test_reports_are_read_from_columns_and_from_index_terms(tmp_path: Path) -> None:
    plain, terms = tmp_path / "plain.json", tmp_path / "terms.csv"
    plain.write_text(json.dumps([{"id": 1, "text": "No nodule.", "nodule": False, "edema": None}]))
    with terms.open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["id", "comparison", "indication", "findings", "impression", "mesh_major"])
        rows.writerow(["7", "", "cough", "Large heart.", "", "Cardiac Shadow/enlarged|Nodule/lung"])
        rows.writerow(["8", "", "", "Something.", "", "No Indexing"])

    assert read_labelled(plain, read_reading("")) == (Labelled("1", "No nodule.", {"nodule": False}),)
    (one,) = read_labelled(terms, read_reading("openi"))
    assert one.text == "INDICATION: cough\nFINDINGS: Large heart."
    assert {name for name, there in one.truth.items() if there} == {"cardiomegaly", "nodule"}
    assert read_labelled(terms, read_reading("openi"), half_of("7")) == (one,)
    assert {half_of("7"), half_of("5")} <= {Half.DEVELOPMENT, Half.REPORTING}


def test_a_file_without_the_columns_and_an_unknown_labeler_are_faults(tmp_path: Path) -> None:
    (tmp_path / "other.csv").write_text("a,b\n1,2\n")

    with pytest.raises(ConfigFault, match="no column id, text"):
        read_labelled(tmp_path / "other.csv", read_reading(""))
    with pytest.raises(ConfigFault, match="in the box are english, japanese"):
        labeler("klingon")
