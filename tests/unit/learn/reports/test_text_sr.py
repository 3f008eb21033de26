"""A written report is read as report text, under the headings that it has, whatever class of SR it is."""

from pathlib import Path

from pydicom import Dataset

from dicomnode.index.database import Index
from dicomnode.learn.harvest.objects import Waiting
from dicomnode.learn.harvest.reader_report import REPORTS
from dicomnode.learn.reports.facts import Status
from dicomnode.learn.reports.from_sr import NO_PERSON, labels_of_text_sr
from dicomnode.learn.reports.labeler import labelers
from dicomnode.learn.reports.labels import facts
from dicomnode.learn.reports.text_sr import BASIC_TEXT, is_written, report_text
from tests.unit.learn.reports.reports_made import LEARN


def item(kind: str, meaning: str, text: str = "", *inside: Dataset) -> Dataset:
    made, name = Dataset(), Dataset()
    name.CodeMeaning = meaning
    made.ValueType, made.ConceptNameCodeSequence = kind, [name]
    if text:
        made.TextValue = text
    if inside:
        made.ContentSequence = list(inside)
    return made


def report(uid: str = BASIC_TEXT, *more: Dataset) -> Dataset:
    made = Dataset()
    made.SOPClassUID = uid
    made.ContentSequence = [
        item("CONTAINER", "History", "", item("TEXT", "History", "Pneumonia in May.")),
        item("CONTAINER", "Findings", "", item("TEXT", "Finding", "Small pneumothorax.")),
        *more,
    ]
    return made


def test_its_findings_are_read_and_its_history_is_not() -> None:
    read = facts(report_text(report()), labelers(("japanese", "english")))

    said = {fact.finding: fact.status for fact in read.facts if fact.status is not Status.UNMENTIONED}
    assert (read.labeler, said) == ("english 1", {"pneumothorax": Status.PRESENT})


def test_a_report_with_measurements_or_without_text_is_none() -> None:
    empty = Dataset()
    empty.SOPClassUID = BASIC_TEXT

    assert all(report_text(report(uid)) == report_text(report()) for uid in REPORTS)
    assert report_text(report(REPORTS[0], item("NUM", "Diameter"))) is None
    assert report_text(report(REPORTS[1], item("CODE", "Finding"))) is None
    assert report_text(report("1.2.840.10008.5.1.4.1.1.88.50")) is None  # a CAD report
    assert report_text(empty) is None


def test_whom_and_what_a_report_is_about_is_no_finding_of_it() -> None:
    language, organization = item("CODE", "Language"), item("TEXT", "Organization", "Pneumonia Clinic")
    language.RelationshipType, organization.RelationshipType = "HAS CONCEPT MOD", "HAS OBS CONTEXT"

    written = report(REPORTS[0], language, organization)

    assert (is_written(written), report_text(written)) == (True, report_text(report()))
    assert not is_written(report(BASIC_TEXT))  # read as what it is


def test_a_report_of_measurements_is_coded_whatever_text_is_in_it() -> None:
    template, title = Dataset(), Dataset()
    template.TemplateIdentifier = "1500"
    title.CodeValue, title.CodingSchemeDesignator = "126000", "DCM"
    by_template, by_title = report(REPORTS[0]), report(REPORTS[0])
    by_template.ContentTemplateSequence, by_title.ConceptNameCodeSequence = [template], [title]

    assert not is_written(by_template)
    assert not is_written(by_title)


def test_only_a_persons_report_becomes_labels(index: Index) -> None:
    waiting = Waiting(1, "1.2.3.4", "f" * 64, 1, "1.2.3", Path("unused"), 100.0, ("P1", "P1"))
    by_nobody, by_reader = report(), report()
    by_reader.ContentSequence[1].ContentSequence[0].TextValue = "Small pleural effusion."
    author = Dataset()
    author.ObserverType, author.PersonName = "PSN", "Reader^One"
    by_reader.AuthorObserverSequence = [author]

    with index.transaction() as session:
        assert labels_of_text_sr(session, waiting, by_nobody, LEARN).reason == NO_PERSON
        (label,) = labels_of_text_sr(session, waiting, by_reader, LEARN).labels

    assert (label.output, label.value, label.source, label.study_uid) == (1, 1.0, "report", "1.2.3")
    assert (label.who, label.object_uid, label.weight) == ("english 1", "1.2.3.4", 0.3)
