"""Readers' reports and Key Objects that come in become labels, once, from persons and named sources alone."""

import copy
from io import BytesIO
from pathlib import Path

import pytest
from highdicom.ko import KeyObjectSelection, KeyObjectSelectionDocument
from highdicom.sr import CodedConcept, ObserverContext, PersonObserverIdentifyingAttributes
from pydicom import Dataset, dcmread

from dicomnode.complete.rejections import read_key_objects
from dicomnode.encode.door.items import children, groups
from dicomnode.index.learning import HarvestedRow, LabelRow
from dicomnode.index.schema import InstanceRow, RunRow
from dicomnode.learn.harvest.reader_report import REPORTS
from dicomnode.learn.values import LabelState, Source
from tests.integration.journey.test_corrections import our_report, saved
from tests.integration.learn.harvest.reader_made import (
    ABSENT,
    FINDING,
    LEARN,
    NO,
    PNEUMONIA,
    PRESENCE,
    PRESENT,
    YES,
    labels,
    learning_site,
    reader_report,
    send,
)
from tests.phantom import Subject, ct_series, dx_image, uid
from tests.site_made import MODEL, Site

FALSE_POSITIVE = CodedConcept("122748", "DCM", "False Positive defect finding")
UNDETERMINED = CodedConcept("373068000", "SCT", "Undetermined")
CALCIFICATION = CodedConcept("129721000", "SCT", "Calcification")


@pytest.mark.parametrize(("said", "value"), [
    ({"evaluations": [(PRESENCE, PRESENT)]}, 1.0),
    ({"evaluations": [(PRESENCE, ABSENT)]}, 0.0),
    ({"evaluations": [(PRESENCE, UNDETERMINED)]}, None),
    ({"evaluations": [(PNEUMONIA, YES)], "finding": None}, 1.0),
    ({"evaluations": [(CALCIFICATION, FALSE_POSITIVE)]}, 0.0),
    ({"evaluations": [(CALCIFICATION, ABSENT)]}, 1.0),
    ({"outside": [(PNEUMONIA, NO)], "finding": None}, 0.0),
    ({}, 1.0),
])  # fmt: skip
def test_what_a_reader_evaluates_is_a_label(site: Site, said: dict[str, object], value: float | None) -> None:
    image = dx_image()
    send(site, [image], "PACS")

    send(site, [reader_report([image], **said)])  # type: ignore[arg-type]

    (row,) = labels(site)
    assert (row.model, row.output, row.value, row.who, row.source) == (FINDING, 0, value, "Reader^One", Source.SR)
    assert (row.state, row.assisted, row.study_uid) == (LabelState.ATTACHED, False, image.StudyInstanceUID)
    assert len(row.patient) == 64


def test_a_report_is_looked_at_once_and_its_resend_changes_nothing(site: Site) -> None:
    report = reader_report([dx_image()])
    send(site, [dx_image(), report])
    send(site, [report], "ANOTHER")

    assert len(labels(site)) == 1
    assert len(labels(site)) == 1
    assert len(site.rows(HarvestedRow)) == 1


def test_only_a_named_source_gives_labels(site: Site) -> None:
    send(site, [dx_image(), reader_report([dx_image()])], "STRANGER")

    assert labels(site) == []


def test_a_device_gives_no_labels_and_the_words_say_so(site: Site) -> None:
    report = reader_report([dx_image()])
    children(report, "121005/DCM")[0].ConceptCodeSequence = [CodedConcept("121007", "DCM", "Device")]
    send(site, [dx_image(), report])

    assert labels(site) == []
    assert [row.reason for row in site.rows(HarvestedRow)] == ["its observer is no person"]


def test_a_report_on_images_of_another_study_gives_no_labels(site: Site) -> None:
    report = reader_report([dx_image(subject=Subject(study="another"))])
    report.StudyInstanceUID = dx_image().StudyInstanceUID
    send(site, [dx_image(), report])

    assert labels(site) == []
    assert [row.reason for row in site.rows(HarvestedRow)] == ["it speaks of images of another study"]


def test_a_report_under_another_patients_id_holds_the_study_and_gives_no_labels(site: Site) -> None:
    report = reader_report([dx_image()])
    report.PatientID = "SOMEBODY-ELSE"
    send(site, [dx_image(), report])

    assert labels(site) == []


def test_a_report_before_its_images_is_a_label_all_the_same(site: Site) -> None:
    send(site, [reader_report([dx_image()])])
    assert [row.state for row in labels(site)] == [LabelState.ATTACHED]


def test_the_successor_of_a_report_replaces_it_in_whatever_order_they_come(site: Site) -> None:
    first = reader_report([dx_image()], name="first")
    second = reader_report([dx_image()], name="second", evaluations=[(PRESENCE, ABSENT)])
    second.PredecessorDocumentsSequence = first.CurrentRequestedProcedureEvidenceSequence[:0]
    study, series, item = Dataset(), Dataset(), Dataset()
    item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID = first.SOPClassUID, first.SOPInstanceUID
    series.SeriesInstanceUID, series.ReferencedSOPSequence = first.SeriesInstanceUID, [item]
    study.StudyInstanceUID, study.ReferencedSeriesSequence = first.StudyInstanceUID, [series]
    second.PredecessorDocumentsSequence = [study]

    send(site, [dx_image(), second])
    labels(site)
    send(site, [first])

    assert [(row.value, row.state) for row in labels(site)] == [(0.0, LabelState.ATTACHED)]


def rejection(report: Dataset) -> Dataset:
    """A note that rejects a report for quality reasons."""
    return key_object(report, CodedConcept("113001", "DCM", "Rejected for Quality Reasons"), name="rejection")


def key_object(about: Dataset, title: CodedConcept, *, name: str = "flag", words: str = "") -> Dataset:
    """A Key Object Selection of a reader."""
    person = ObserverContext(
        observer_type=CodedConcept("121006", "DCM", "Person"),
        observer_identifying_attributes=PersonObserverIdentifyingAttributes(name="Reader^Two"),
    )
    content = KeyObjectSelection(
        document_title=title, referenced_objects=[about], observer_person_context=person, description=words or None
    )
    made: Dataset = KeyObjectSelectionDocument(
        evidence=[about],
        content=content,
        series_instance_uid=uid(f"series of {name}"),
        series_number=91,
        sop_instance_uid=uid(name),
        instance_number=1,
        manufacturer="Reading room",
    )
    return made


def test_a_rejected_report_withdraws_its_labels_and_one_that_comes_again_brings_them_back(site: Site) -> None:
    report = reader_report([dx_image()])
    send(site, [dx_image(), report])
    labels(site)
    send(site, [rejection(report)])
    read_key_objects(site.index, site.config.node.state)

    assert [(row.state, row.reason) for row in labels(site)] == [(LabelState.WITHDRAWN, "its object was rejected")]
    send(site, [report])
    assert [row.state for row in labels(site)] == [LabelState.ATTACHED]


def test_a_key_object_that_a_site_maps_flags_its_study(site: Site) -> None:
    image = dx_image()
    send(site, [image, key_object(image, CodedConcept("113004", "DCM", "For Teaching"), words="teaching:  PNEUMONIA")])

    (row,) = labels(site)
    assert (row.model, row.value, row.source, row.who) == (FINDING, 1.0, Source.KEY_OBJECT, "Reader^Two")


def ours_saved(site: Site, *, verified: bool = False, moved_px: float = 0.0) -> Dataset:
    """Our own report of the segmentation model as a viewer saves it for a reader."""
    site.receive(ct_series())
    site.decide()
    site.work()
    report = saved(our_report(site), moved_px=moved_px)
    report.VerificationFlag = "VERIFIED" if verified else "UNVERIFIED"
    return report


@pytest.mark.parametrize(
    ("verified", "moved_px", "found"),
    [(False, 0.0, []), (True, 0.0, [1.0]), (False, 0.5, [1.0])],
    ids=["passed on", "accepted", "corrected"],
)
def test_a_finding_of_ours_is_accepted_or_corrected_but_not_by_being_passed_on(
    site: Site, verified: bool, moved_px: float, found: list[float]
) -> None:
    send(site, [ours_saved(site, verified=verified, moved_px=moved_px)])

    rows = labels(site)
    assert [row.value for row in rows] == found
    assert all(row.assisted and row.model == MODEL for row in rows)


def test_a_finding_of_ours_that_a_reader_calls_absent_is_rejected(site: Site) -> None:
    report = ours_saved(site)
    for group in groups(report):
        item = Dataset()
        item.RelationshipType, item.ValueType = "CONTAINS", "CODE"
        item.ConceptNameCodeSequence, item.ConceptCodeSequence = [copy.deepcopy(PRESENCE)], [copy.deepcopy(ABSENT)]
        group.ContentSequence.append(item)
    send(site, [report])

    assert [(row.value, row.assisted) for row in labels(site)] == [(0.0, True)]


def test_a_broken_report_is_recorded_in_words_and_stops_nothing(site: Site) -> None:
    report = reader_report([dx_image()], name="broken")
    send(site, [dx_image(), report, reader_report([dx_image()])])
    (row,) = (row for row in site.rows(InstanceRow) if row.sop_instance_uid == report.SOPInstanceUID)
    (site.config.node.state / row.file).write_bytes(b"not DICOM at all")

    assert len(labels(site)) == 1
    assert "it could not be read (InvalidDicomError)" in {row.reason for row in site.rows(HarvestedRow)}


def test_a_node_that_does_not_learn_takes_no_labels(tmp_path: Path) -> None:
    site = learning_site(tmp_path, LEARN.replace("enabled = true", "enabled = false"))
    send(site, [dx_image(), reader_report([dx_image()])])

    assert labels(site) == []
    assert site.rows(RunRow) == [] == site.rows(LabelRow)


def written_report(image: Dataset, *, sop_class: str = REPORTS[1], observer: str = "121006") -> Dataset:
    """A report whose findings are text alone, in the class that a reporting system chose."""
    report = reader_report([image], name="written")
    report.SOPClassUID = report.file_meta.MediaStorageSOPClassUID = sop_class
    del report.ContentTemplateSequence
    report.ConceptNameCodeSequence = [CodedConcept("18748-4", "LN", "Diagnostic imaging report")]
    context = [item for item in report.ContentSequence if item.get("RelationshipType") == "HAS OBS CONTEXT"]
    children(report, "121005/DCM")[0].ConceptCodeSequence = [CodedConcept(observer, "DCM", "Observer")]
    finding = Dataset()
    finding.RelationshipType, finding.ValueType, finding.TextValue = "CONTAINS", "TEXT", "No pneumonia."
    finding.ConceptNameCodeSequence = [CodedConcept("121071", "DCM", "Finding")]
    report.ContentSequence = [*context, finding]
    return report


@pytest.mark.parametrize("sop_class", REPORTS)
def test_a_report_of_text_alone_is_read_by_a_labeler_whatever_its_class(tmp_path: Path, sop_class: str) -> None:
    site = learning_site(tmp_path, f'{LEARN}finding = "pneumonia"\n')
    send(site, [dx_image(), written_report(dx_image(), sop_class=sop_class)])

    (row,) = labels(site)

    assert (row.source, row.who, row.value, row.state) == (Source.REPORT, "english 1", 0.0, LabelState.ATTACHED)
    assert row.weight == 0.3


@pytest.mark.parametrize(("observer", "sender"), [("121007", "READER"), ("121006", "STRANGER")])
def test_a_report_of_text_alone_by_a_device_or_a_stranger_is_no_label(
    tmp_path: Path, observer: str, sender: str
) -> None:
    site = learning_site(tmp_path, f'{LEARN}finding = "pneumonia"\n')
    send(site, [dx_image(), written_report(dx_image(), observer=observer)], sender)

    assert labels(site) == []


def with_prior(report: Dataset, prior: Dataset) -> Dataset:
    """The same report, which names an image of a prior study as other evidence."""
    study, series, item = Dataset(), Dataset(), Dataset()
    item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID = prior.SOPClassUID, prior.SOPInstanceUID
    series.SeriesInstanceUID, series.ReferencedSOPSequence = prior.SeriesInstanceUID, [item]
    study.StudyInstanceUID, study.ReferencedSeriesSequence = prior.StudyInstanceUID, [series]
    report.PertinentOtherEvidenceSequence = [study]
    return report


def as_read(report: Dataset) -> Dataset:
    """As it comes from a file, without the library that wrote it."""
    buffer = BytesIO()
    report.save_as(buffer, enforce_file_format=True)
    buffer.seek(0)
    return dcmread(buffer)


def image_item(image: Dataset) -> Dataset:
    item, reference = Dataset(), Dataset()
    reference.ReferencedSOPClassUID, reference.ReferencedSOPInstanceUID = image.SOPClassUID, image.SOPInstanceUID
    item.RelationshipType, item.ValueType, item.ReferencedSOPSequence = "CONTAINS", "IMAGE", [reference]
    item.ConceptNameCodeSequence = [CodedConcept("121191", "DCM", "Referenced Segment")]
    return item


@pytest.mark.parametrize(("on_prior", "found"), [(True, []), (False, [1.0])])
def test_what_a_reader_marks_on_an_image_of_a_prior_is_no_label_of_this_study(
    site: Site, on_prior: bool, found: list[float]
) -> None:
    image, prior = dx_image(), dx_image(subject=Subject(study="last year"))
    report = with_prior(as_read(reader_report([image])), prior)
    (group,) = groups(report)
    group.ContentSequence = [*group.ContentSequence, image_item(prior if on_prior else image)]
    send(site, [image, report])

    assert [row.value for row in labels(site)] == found


@pytest.mark.parametrize("section", ["11329-0/LN", "18834-2/LN", "121068/DCM", "18785-6/LN"])
def test_what_stands_under_history_or_previous_findings_is_no_label(site: Site, section: str) -> None:
    report = reader_report([dx_image()], finding=None)
    past, said = Dataset(), Dataset()
    value, _, scheme = section.partition("/")
    past.RelationshipType, past.ValueType, past.ContinuityOfContent = "CONTAINS", "CONTAINER", "SEPARATE"
    past.ConceptNameCodeSequence = [CodedConcept(value, scheme, "Section")]
    said.RelationshipType, said.ValueType = "CONTAINS", "CODE"
    said.ConceptNameCodeSequence = [CodedConcept("121071", "DCM", "Finding")]
    said.ConceptCodeSequence = [PNEUMONIA]
    past.ContentSequence = [said]
    report.ContentSequence = [*report.ContentSequence, past]
    send(site, [dx_image(), report])

    assert labels(site) == []
