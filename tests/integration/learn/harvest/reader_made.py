"""A node that learns, and what readers send it."""

from collections.abc import Iterable, Sequence
from pathlib import Path

from highdicom.sr import (
    CodeContentItem,
    CodedConcept,
    Comprehensive3DSR,
    MeasurementReport,
    MeasurementsAndQualitativeEvaluations,
    ObservationContext,
    ObserverContext,
    PersonObserverIdentifyingAttributes,
    QualitativeEvaluation,
    RelationshipTypeValues,
    TrackingIdentifier,
)
from pydicom import Dataset

from dicomnode.complete.ready import Ready
from dicomnode.index.learning import LabelRow
from dicomnode.learn.harvest.tick import harvest
from dicomnode.receive.faults import SUCCESS
from dicomnode.receive.intake import Arrival
from tests.bundles_made import bundle_made, classification_toml
from tests.phantom import uid
from tests.site_made import CONFIG, Site, data_set_of, site_made

FINDING = "chest"
"""A classification bundle; its output 0 is what the site codes as pneumonia."""
PNEUMONIA = CodedConcept("233604007", "SCT", "Pneumonia")
PRESENT, ABSENT = CodedConcept("52101004", "SCT", "Present"), CodedConcept("272519000", "SCT", "Absent")
YES, NO = CodedConcept("373066001", "SCT", "Yes"), CodedConcept("373067005", "SCT", "No")
PRESENCE = CodedConcept("121052", "DCM", "Presence of property")
PERSON = CodedConcept("121006", "DCM", "Person")
LEARN = """
[learn]
enabled = true
sources = ["READER"]
[[learn.map]]
model = "chest"
output = 0
codes = ["233604007/SCT"]
words = ["Teaching: pneumonia", "pneumonia_adjudicated"]
"""


def learning_site(folder: Path, more: str = LEARN) -> Site:
    """A node as `site_made` gives it, that takes labels from the AE title READER."""
    bundle_made(folder / "models", FINDING, "Mean", dicom=classification_toml(FINDING))
    return site_made(folder, CONFIG + more)


def send(site: Site, objects: Iterable[Dataset], calling_ae: str = "READER") -> None:
    """Take objects in as the receiver does, and decide on their studies."""
    for one in objects:
        syntax = str(one.file_meta.TransferSyntaxUID)
        incoming = site.intake.begin(
            Arrival(str(one.SOPClassUID), str(one.SOPInstanceUID), syntax, calling_ae, "127.0.0.1")
        )
        incoming.write(data_set_of(one))
        assert incoming.keep() == SUCCESS, incoming.comment
    site.decide(Ready.QUIET)


def labels(site: Site) -> list[LabelRow]:
    """What is in the index after a look at everything that came."""
    harvest(site.index, site.config)
    return sorted(site.rows(LabelRow), key=lambda row: row.label_key)


def reader_report(
    images: Sequence[Dataset],
    *,
    evaluations: Sequence[tuple[CodedConcept, CodedConcept]] = (),
    finding: CodedConcept | None = PNEUMONIA,
    outside: Sequence[tuple[CodedConcept, CodedConcept]] = (),
    name: str = "reader's report",
    person: str = "Reader^One",
    at: tuple[str, str] = ("20260304", "120000"),
) -> Dataset:
    """A report after TID 1500 of a person: one group, and qualitative evaluations outside of it."""
    group = MeasurementsAndQualitativeEvaluations(
        tracking_identifier=TrackingIdentifier(uid=uid(f"tracking of {name}"), identifier="finding 1"),
        finding_type=finding,
        qualitative_evaluations=[QualitativeEvaluation(*one) for one in evaluations] or None,
    )
    content = MeasurementReport(
        observation_context=ObservationContext(
            observer_person_context=ObserverContext(
                observer_type=PERSON, observer_identifying_attributes=PersonObserverIdentifyingAttributes(name=person)
            )
        ),
        procedure_reported=CodedConcept("399208008", "SCT", "Chest X-ray"),
        imaging_measurements=[group],
    )
    for one in outside:
        item = CodeContentItem(*one, relationship_type=RelationshipTypeValues.CONTAINS)
        content[0].ContentSequence.append(item)
    report: Dataset = Comprehensive3DSR(
        evidence=list(images),
        content=content,
        series_instance_uid=uid(f"series of {name}"),
        series_number=90,
        sop_instance_uid=uid(name),
        instance_number=1,
        manufacturer="Reading room",
        is_complete=True,
    )
    report.ContentDate, report.ContentTime = at
    return report
