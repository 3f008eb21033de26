"""The lesions of a detection as findings: each box drawn on its middle slice and measured there."""

from collections import Counter
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from dicomnode.bundles.dicom_toml import Finding
from dicomnode.encode import concepts
from dicomnode.encode.context import Context
from dicomnode.encode.contours import Contour, pixel_mm2
from dicomnode.encode.shown import Figure, Shown
from dicomnode.encode.tracking import finding_name, finding_tracking, lesion_tracking
from dicomnode.errors import ModelFault
from dicomnode.values import Detection, Lesion, Volume


def shown_lesions(context: Context, answer: Detection, volume: Volume) -> tuple[Shown, ...]:
    """The lesions that were found, numbered for each finding in their order, the most probable first.

    Raises:
        ModelFault: a lesion is of no finding of dicom.toml.
    """
    by_index = {finding.index: finding for finding in context.rules.findings}
    numbers: Counter[int] = Counter()
    shown = []
    for lesion in answer.lesions:
        if lesion.index not in by_index:
            raise ModelFault(f"a lesion has label {lesion.index}, and dicom.toml has no [[findings]] for it")
        numbers[lesion.index] += 1
        shown.append(_shown(context, by_index[lesion.index], lesion, volume, numbers[lesion.index]))
    return tuple(shown)


def unseen_findings(context: Context, shown: tuple[Shown, ...]) -> Iterator[Shown]:
    """The findings that were looked for and of which there is no lesion."""
    found = {one.one_of for one in shown}
    for finding in context.rules.findings:
        if finding_name(finding) not in found:
            track = finding_tracking(finding, context.run.model.name, context.source)
            yield Shown(track, finding.concept, finding.site, finding.laterality)


def box_outline(lesion: Lesion, volume: Volume) -> Contour:
    """The box as a closed line on its middle slice."""
    (first, last), (top, bottom), (left, right) = lesion.box
    k = min(int((first + last) / 2), volume.voxels.shape[0] - 1)
    points = np.array([(left, top), (right, top), (right, bottom), (left, bottom), (left, top)])
    return Contour(k, points, (right - left) * (bottom - top) * pixel_mm2(volume), parts=1)


def box_mm(lesion: Lesion, volume: Volume) -> NDArray[np.float64]:
    """Centre (LPS) and size (along column, row and slice index) of a box, mm; 6 numbers."""
    ends = np.array(lesion.box)[::-1]  # (column, row, slice)
    centre = (volume.affine_lps @ (*(ends.mean(axis=1) - 0.5), 1.0))[:3]
    return np.concatenate([centre, (ends[:, 1] - ends[:, 0]) * np.linalg.norm(volume.affine_lps[:3, :3], axis=0)])


def _shown(context: Context, finding: Finding, lesion: Lesion, volume: Volume, number: int) -> Shown:
    name, place = f"{finding_name(finding)} {number}", box_mm(lesion, volume).tolist()
    x, y, z = place[:3]
    return Shown(
        tracking=lesion_tracking(finding.concept, name, context.run.model.name, context.source, place),
        concept=finding.concept,
        site=finding.site,
        laterality=finding.laterality,
        key=box_outline(lesion, volume),
        figures=_sizes(*place[3:5]) if volume.has_geometry else (),
        centre_mm=(x, y, z) if volume.has_geometry else None,
        one_of=finding_name(finding),
        probability=lesion.probability,
        threshold=finding.threshold,
        positive=True,
    )


def _sizes(width_mm: float, height_mm: float) -> tuple[Figure, ...]:
    """The longer side of the box within the slice stands for the lesion's diameter."""
    long, short = max(width_mm, height_mm), min(width_mm, height_mm)
    return (
        Figure(concepts.DIAMETER, round(long, 2), concepts.MILLIMETRE, on_slice=True),
        Figure(concepts.SHORT_AXIS, round(short, 2), concepts.MILLIMETRE, on_slice=True),
    )
