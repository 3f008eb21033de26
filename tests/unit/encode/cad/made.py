"""CAD reports of one mammogram, one radiograph and one CT of the chest, and reading them back."""

from __future__ import annotations

from collections.abc import Sequence
from copy import deepcopy
from io import BytesIO
from pathlib import Path

import numpy as np
from pydicom import Dataset, dcmread

from dicomnode.bundles.dicom_toml import About, Code, DicomToml, Finding, Kind, SeriesRules
from dicomnode.encode.door.items import children, code_text, concept, tree
from dicomnode.encode.results import could_not_analyse, encode_results
from dicomnode.values import Detection, DomainAnswer, Lesion, Prediction, Role
from dicomnode.volume.build import build_volume
from tests.phantom import uid
from tests.phantoms.sources import STACKS, source
from tests.unit.encode.examples import FINDINGS, INSIDE, MADE_AT, Example, flat, node_of, run_of, stored

MASS = Code(value="129788004", scheme="SCT", meaning="Mammographic breast mass")
CALCIFICATIONS = Code(value="129769006", scheme="SCT", meaning="Calcification Cluster")
NODULE = Code(value="27925004", scheme="SCT", meaning="Nodule")
BREAST = Code(value="76752008", scheme="SCT", meaning="Breast")
CHEST = Code(value="51185008", scheme="SCT", meaning="Thorax")
OUTSIDE = DomainAnswer(inside=False, reasons=("the patient's age is 34 years; evaluated on 1 to 5 years",))

FINDING, PROCESSING, LIBRARY = "111059/DCM", "111017/DCM", "111028/DCM"
DETECTIONS, ANALYSES = "111064/DCM", "111065/DCM"


def detector(*concepts: Code, site: Code = BREAST) -> DicomToml:
    """A model that finds boxes."""
    return DicomToml(
        model=About(
            name="detector",
            kind=Kind.DETECTION,
            title="Marks",
            intended_use="tests alone",
            procedure=Code(value="24606-6", scheme="LN", meaning="MG Breast Screening"),
            site=site,
        ),
        series=SeriesRules(modalities=("MG", "DX", "CT")),
        findings=tuple(Finding(index=n, concept=one, threshold=0.5) for n, one in enumerate(concepts)),
    )


def found(*lesions: Lesion, domain: DomainAnswer = INSIDE) -> Prediction:
    return Prediction(Detection(lesions), domain, "cpu")


def made(
    name: str,
    folder: Path,
    rules: DicomToml,
    prediction: Prediction,
    objects: Sequence[Role] = (Role.SR, Role.CAD_SR),
    images: Sequence[Dataset] = (),
    **changes: object,
) -> Example:
    """The results of one prediction on one of the phantoms, or on images that took its place."""
    study, series = stored(images or source(name), folder)
    limits = rules.series.model_copy(update={"dimensions": 3 if name in STACKS else 2})
    volume, run = build_volume(series, limits), run_of(study, rules, **changes)
    results = encode_results(run, series, volume, prediction, rules, node_of(folder), MADE_AT, objects=objects)
    return Example(run, series, volume, np.zeros(volume.voxels.shape, np.uint8), results, rules)


def not_made(
    name: str,
    folder: Path,
    reason: str,
    objects: Sequence[Role] = (Role.SR, Role.CAD_SR),
    side: str = "",
) -> Example:
    """The results where nothing could be analysed; with a side, the study holds the same image of that side too."""
    images = source(name)
    images += [other_side(images[0], side)] if side else []
    study, series = stored(images, folder)
    run = run_of(study, FINDINGS)
    results = could_not_analyse(run, None, reason, FINDINGS, node_of(folder), MADE_AT, objects=objects)
    volume = flat(images[0], series)
    return Example(run, series, volume, np.zeros(volume.voxels.shape, np.uint8), results, FINDINGS)


def other_side(image: Dataset, side: str) -> Dataset:
    """The same image of the other breast."""
    other = deepcopy(image)
    other.SOPInstanceUID = other.file_meta.MediaStorageSOPInstanceUID = uid(f"{image.SOPInstanceUID} {side}")
    other.ImageLaterality, other.InstanceNumber = side, 2
    return other


def report_of(example: Example) -> Dataset:
    """The CAD report as a receiver reads it."""
    (one,) = [one for one in example.made if one.role is Role.CAD_SR]
    return dcmread(BytesIO(one.content))


def findings_of(document: Dataset) -> list[Dataset]:
    return [item for _, item in tree(document) if concept(item) == FINDING]


def told(item: Dataset, name: str) -> list[str]:
    """Code of each item of a name directly below another ("111222/DCM")."""
    return [code_text(child, "ConceptCodeSequence") for child in children(item, name)]


def points(finding: Dataset, name: str) -> list[tuple[float, float]]:
    """Coordinates (column, row) of a place."""
    (item,) = children(finding, name)
    data = [float(value) for value in item.GraphicData]
    return list(zip(data[::2], data[1::2], strict=True))


def performed(document: Dataset, heading: str) -> list[str]:
    """What was looked for, below Successful (111063/DCM) or Failed (111025/DCM) Detections."""
    (summary,) = children(document, DETECTIONS)
    return [code for item in children(summary, heading) for code in told(item, "111022/DCM")]


def words(document: Dataset) -> list[str]:
    return [str(item.TextValue) for _, item in tree(document) if item.get("ValueType") == "TEXT"]
