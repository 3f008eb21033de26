"""A CT study and label maps to encode, as files: the same for us and for dcmqi."""

import json
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydicom import Dataset, dcmread, dcmwrite
from pydicom.uid import UID

from dicomnode.bench.images import ct_template

SLICES, SIDE, SEGMENTS = 300, 512, 10
SPACING_MM, PIXEL_MM = 1.0, 0.7
MASKS = {"organs": 0.17, "every slice": 0.6}
"""Half the height of each ellipsoid, in heights of the stack: on a third of the slices, and on all of them."""


def write_study(folder: Path, mask: str) -> Path:
    """Images, label map (raw, with an NRRD header that names it) and dcmqi's metadata in one folder."""
    (folder / "images").mkdir(parents=True)
    template = folder / "template.dcm"
    template.write_bytes(ct_template(SIDE))
    image = dcmread(template)
    for k in range(SLICES):
        _place(image, k)
        dcmwrite(folder / "images" / f"{k:04d}.dcm", image, enforce_file_format=True)
    (folder / "mask.raw").write_bytes(label_map(MASKS[mask]).tobytes())
    (folder / "mask.nrrd").write_text(NRRD)
    (folder / "segments.json").write_text(json.dumps(metadata()))
    return folder


def label_map(half_height: float) -> NDArray[np.uint8]:
    """Ten ellipsoids side by side (slice, row, column), labels 1 to 10."""
    labels = np.zeros((SLICES, SIDE, SIDE), np.uint8)
    k, j, i = np.ogrid[:SLICES, :SIDE, :SIDE]
    height = SLICES * half_height
    for n in range(SEGMENTS):
        middle = SLICES * (0.5 if half_height > 0.5 else 0.2 + 0.06 * n)
        row, column = 80 + 85 * (n % 5), 140 + 220 * (n // 5)
        labels[((k - middle) / height) ** 2 + ((j - row) / 38) ** 2 + ((i - column) / 95) ** 2 < 1] = n + 1
    return labels


def metadata() -> dict[str, object]:
    """What dcmqi asks to be told of each segment."""
    code = {"CodeValue": "123037004", "CodingSchemeDesignator": "SCT", "CodeMeaning": "Anatomical Structure"}
    segments = [
        {"labelID": n, "SegmentLabel": f"Structure {n}", "SegmentAlgorithmType": "AUTOMATIC",
         "SegmentAlgorithmName": "bench", "SegmentedPropertyCategoryCodeSequence": code,
         "SegmentedPropertyTypeCodeSequence": code, "recommendedDisplayRGBValue": [20 * n, 90, 90]}
        for n in range(1, SEGMENTS + 1)
    ]  # fmt: skip
    series = {"ContentCreatorName": "Bench", "SeriesDescription": "Bench", "SeriesNumber": "1", "InstanceNumber": "1"}
    return {**series, "BodyPartExamined": "CHEST", "segmentAttributes": [segments]}


def _place(image: Dataset, k: int) -> None:
    """The image as slice k of one stack."""
    uid = UID(f"2.25.{10**30 + k}")
    image.SOPInstanceUID, image.InstanceNumber = uid, k + 1
    image.file_meta.MediaStorageSOPInstanceUID = uid
    image.ImagePositionPatient = [0, 0, k * SPACING_MM]
    image.PixelSpacing, image.SliceThickness = [PIXEL_MM, PIXEL_MM], SPACING_MM


NRRD = f"""NRRD0004
type: uchar
dimension: 3
space: left-posterior-superior
sizes: {SIDE} {SIDE} {SLICES}
space directions: ({PIXEL_MM},0,0) (0,{PIXEL_MM},0) (0,0,{SPACING_MM})
kinds: domain domain domain
encoding: raw
space origin: (0,0,0)
data file: mask.raw
"""
