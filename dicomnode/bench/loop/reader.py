"""What a reader leaves in the PACS, as a viewer would write it: a report on one image, a corrected segmentation."""

from collections.abc import Sequence
from datetime import datetime

import highdicom as hd
import numpy as np
from numpy.typing import NDArray
from pydicom import Dataset
from pydicom.sr.codedict import codes
from pydicom.sr.coding import Code

from dicomnode.demo.image import uid_of

PRESENT, ABSENT = Code("52101004", "SCT", "Present"), Code("272519000", "SCT", "Absent")
READER = "Reader^Bench"
MAKER = {"manufacturer": "dicomnode bench", "manufacturer_model_name": "reader", "software_versions": "1"}


def reader_report(image: Dataset, finding: Code, *, present: bool) -> Dataset:
    """A reader's report (TID 1500) that says of one image whether a finding is present."""
    name = str(image.SOPInstanceUID)
    group = hd.sr.MeasurementsAndQualitativeEvaluations(
        tracking_identifier=hd.sr.TrackingIdentifier(uid_of(name, "tracking"), "reading 1"),
        qualitative_evaluations=[hd.sr.QualitativeEvaluation(finding, PRESENT if present else ABSENT)],
        source_images=[hd.sr.SourceImageForMeasurementGroup.from_source_image(image)],
    )
    reader = hd.sr.ObserverContext(codes.DCM.Person, hd.sr.PersonObserverIdentifyingAttributes(READER))
    content = hd.sr.MeasurementReport(
        hd.sr.ObservationContext(observer_person_context=reader), codes.SCT.ImagingProcedure, [group]
    )
    report: Dataset = hd.sr.Comprehensive3DSR(
        [image],
        content,
        series_instance_uid=uid_of(name, "reader's series"),
        series_number=99,
        sop_instance_uid=uid_of(name, "reader's report"),
        instance_number=1,
        manufacturer=MAKER["manufacturer"],
        is_complete=True,
    )
    return report


def corrected_segmentation(
    images: Sequence[Dataset], labels: NDArray[np.uint8], segments: Sequence[tuple[int, str, Code]]
) -> Dataset:
    """A reader's segmentation of one series.

    Args:
        images: single-frame images of the series, in the order of the first axis of `labels`.
        labels: (slice, row, column); 0 is background.
        segments: number, label and type of each segment.
    """
    name = str(images[0].SeriesInstanceUID)
    described = [
        hd.seg.SegmentDescription(
            segment_number=number,
            segment_label=label,
            segmented_property_category=codes.SCT.AnatomicalStructure,
            segmented_property_type=kind,
            algorithm_type=hd.seg.SegmentAlgorithmTypeValues.MANUAL,
        )
        for number, label, kind in segments
    ]
    made: Dataset = hd.seg.Segmentation(
        images,
        labels,
        hd.seg.SegmentationTypeValues.BINARY,
        described,
        series_instance_uid=uid_of(name, "reader's series"),
        series_number=99,
        sop_instance_uid=uid_of(name, "reader's segmentation"),
        instance_number=1,
        device_serial_number="1",
        content_creator_name=READER,
        **MAKER,
    )
    now = datetime.now()
    made.ContentDate, made.ContentTime = now.strftime("%Y%m%d"), now.strftime("%H%M%S")
    return made
