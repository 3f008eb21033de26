"""Which items of a training set may judge anything."""

from pathlib import Path

from dicomnode.learn.values import MEASURED, Item, Source, Split, TrainingSet


def test_report_text_that_nobody_measured_trains_and_judges_nothing() -> None:
    by_reader = Item("a", "p", "s", Split.VALIDATION)
    mined = Item("b", "q", "t", Split.VALIDATION, weight=0.3, source=Source.REPORT)
    measured = Item("c", "r", "u", Split.VALIDATION, weight=MEASURED, source=Source.REPORT)
    made = TrainingSet("", "model", "", "", (by_reader, mined, measured), Path())

    assert made.of(Split.VALIDATION) == (by_reader, mined, measured)
    assert made.judging(Split.VALIDATION) == (by_reader, measured)
