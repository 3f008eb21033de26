"""A run in the index and results to deliver, for tests of what follows `encode`."""

from io import BytesIO
from pathlib import Path

from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import Comprehensive3DSRStorage, ExplicitVRLittleEndian, SegmentationStorage
from pynetdicom.presentation import build_context

from dicomnode.deliver.outbox import OutboxObject
from dicomnode.index.database import Index
from dicomnode.index.schema import RunRow, StudyRow
from dicomnode.values import Role, RunStatus
from tests.index_made import index_made
from tests.phantom import uid

RUN = "ab" * 32
STUDY = uid("study 1")
EXPLICIT = str(ExplicitVRLittleEndian)
SEG, SR_3D = str(SegmentationStorage), str(Comprehensive3DSRStorage)
SR_PLAIN = "1.2.840.10008.5.1.4.1.1.88.33"
CONTEXTS = [build_context(sop_class) for sop_class in (SEG, SR_3D, SR_PLAIN)]


def index_with_run(folder: Path, *run_keys: str) -> Index:
    """An index with one study, and a run of it for each key (RUN where none is given) whose results are posted."""
    index = index_made(folder / "index.sqlite")
    with index.transaction() as session:
        session.add(StudyRow(study_key=1, study_uid=STUDY, first_received_s=1.0, last_received_s=1.0))
        session.flush()
        for key in run_keys or (RUN,):
            session.add(
                RunRow(
                    run_key=key,
                    study_key=1,
                    model="m",
                    model_digest="d",
                    series_uid=uid("source"),
                    profile="generic",
                    priority="routine",
                    destinations=["pacs"],
                    status=RunStatus.DELIVERING,
                    created_s=1.0,
                )
            )
    return index


def report(name: str = "SR 1", *, value_types: tuple[str, ...] = ("TEXT",), predecessor: str = "") -> Dataset:
    """A Comprehensive 3D SR with a content item of each value type; no more than delivery looks at."""
    document = _object(SR_3D, name, "SR")
    document.ValueType = "CONTAINER"
    document.ContentSequence = [_item(value_type) for value_type in value_types]
    if predecessor:
        reference, series, study = Dataset(), Dataset(), Dataset()
        reference.ReferencedSOPClassUID, reference.ReferencedSOPInstanceUID = SR_3D, uid(predecessor)
        series.SeriesInstanceUID, series.ReferencedSOPSequence = uid(f"series of {predecessor}"), [reference]
        study.StudyInstanceUID, study.ReferencedSeriesSequence = STUDY, [series]
        document.PredecessorDocumentsSequence = [study]
    return document


def mask(name: str = "SEG 1", frames: int = 1) -> Dataset:
    """A SEG of which delivery sees class, UIDs and size alone."""
    result = _object(SEG, name, "SEG")
    result.Rows, result.Columns, result.NumberOfFrames, result.BitsAllocated = 8, 8, frames, 1
    result.PixelData = bytes(8 * frames)
    return result


def outbox_object(dataset: Dataset, role: Role = Role.SR) -> OutboxObject:
    """A data set as `encode` hands it over."""
    buffer = BytesIO()
    dataset.save_as(buffer, enforce_file_format=True)
    return OutboxObject(
        role=role,
        sop_class_uid=dataset.SOPClassUID,
        sop_instance_uid=dataset.SOPInstanceUID,
        series_uid=dataset.SeriesInstanceUID,
        study_uid=dataset.StudyInstanceUID,
        transfer_syntax_uid=dataset.file_meta.TransferSyntaxUID,
        content=buffer.getvalue(),
    )


def _object(sop_class: str, name: str, modality: str) -> Dataset:
    made = Dataset()
    made.file_meta = FileMetaDataset()
    made.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    made.SpecificCharacterSet = "ISO_IR 192"
    made.SOPClassUID = made.file_meta.MediaStorageSOPClassUID = sop_class
    made.SOPInstanceUID = made.file_meta.MediaStorageSOPInstanceUID = uid(name)
    made.StudyInstanceUID, made.SeriesInstanceUID = STUDY, uid(f"series of {name}")
    made.Modality, made.PatientID, made.PatientName = modality, "PHANTOM-1", "Phantom^One"
    return made


def _item(value_type: str) -> Dataset:
    item = Dataset()
    item.RelationshipType, item.ValueType = "CONTAINS", value_type
    return item
