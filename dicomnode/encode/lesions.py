"""Lesion by lesion: each connected part of a segment becomes a label, a segment and a finding of its own."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import find_objects, generate_binary_structure, label

from dicomnode.encode.context import Context
from dicomnode.encode.contours import Box
from dicomnode.encode.tracking import Structure, lesion_tracking
from dicomnode.encode.voxel import voxel_ml
from dicomnode.values import Segmentation, Volume

NEIGHBOURS = generate_binary_structure(3, 3)
"""Voxels that share a face, an edge or a corner belong together."""
MOST_LESIONS = 50
"""Of one segment; the smaller ones share the last number."""
LABELS = range(1, 256)


def lesion_by_lesion(
    context: Context, answer: Segmentation, volume: Volume, structures: Sequence[Structure]
) -> tuple[Segmentation, tuple[Structure, ...]]:
    """The same answer with a label for each lesion, and the structures that the labels now stand for.

    Segments that are not declared `lesions` stay as they are; so does one without a lesion large enough.
    """
    flagged = [structure for structure in structures if structure.segment.lesions]
    if not flagged:
        return answer, tuple(structures)
    boxes, parted = find_objects(answer.labels), replace(answer, labels=answer.labels.copy())
    free = sorted(set(LABELS) - {structure.segment.index for structure in structures})
    share = min(MOST_LESIONS - 1, len(free) // len(flagged))
    found: list[Structure] = []
    for structure in structures:
        index = structure.segment.index
        lesions: tuple[Structure, ...] = ()
        if structure.segment.lesions and index <= len(boxes) and boxes[index - 1]:
            own, free = [index, *free[:share]], free[share:]
            lesions = _parted(context, parted, volume, structure, boxes[index - 1], own)
        found.extend(lesions or (structure,))
    return parted, tuple(found)


def numbered_parts(mask: NDArray[np.bool_], smallest: float, most: int) -> NDArray[np.uint8]:
    """The connected parts of a mask: 1 is the largest, 0 none or fewer voxels than `smallest`; `most` the others."""
    parts, count = label(mask, NEIGHBOURS)
    voxels = np.bincount(parts[mask], minlength=count + 1)
    by_size = np.argsort(-voxels[1:], kind="stable") + 1
    large = by_size[voxels[by_size] >= smallest]
    number = np.zeros(count + 1, np.uint8)
    number[large] = np.minimum(np.arange(1, len(large) + 1), most)
    return np.asarray(number[parts])


def _parted(
    context: Context, answer: Segmentation, volume: Volume, structure: Structure, box: Box, own: list[int]
) -> tuple[Structure, ...]:
    """The lesions of one structure, given the labels `own` in the answer's map, in place."""
    within = answer.labels[box]
    mask = within == structure.segment.index
    numbers = numbered_parts(mask, structure.segment.min_volume_ml / voxel_ml(volume), len(own))
    within[mask] = np.array([0, *own], np.uint8)[numbers[mask]]
    sure = answer.uncertainty.get(structure.segment.index)
    if sure is not None:
        answer.uncertainty.update(dict.fromkeys(own, sure))
    return tuple(
        _lesion(context, structure, number, own, place)
        for number, place in enumerate(_places_mm(numbers, box, volume), 1)
    )


def _places_mm(numbers: NDArray[np.uint8], box: Box, volume: Volume) -> Iterator[tuple[float, ...]]:
    """Where the first voxel of each part lies, LPS mm."""
    start = np.array([part.start for part in box])
    for number, part in enumerate(find_objects(numbers), 1):
        within = numbers[part] == number
        first = np.array(np.unravel_index(int(within.argmax()), within.shape)) + [one.start for one in part] + start
        yield tuple((volume.affine_lps @ (*first[::-1], 1.0))[:3].tolist())


def _lesion(
    context: Context, structure: Structure, number: int, own: list[int], place_mm: tuple[float, ...]
) -> Structure:
    segment = structure.segment
    name = f"{segment.label} {number}" + (" and smaller ones" if number == MOST_LESIONS else "")
    tracking = lesion_tracking(segment.type, name, context.run.model.name, context.source, place_mm)
    changes = {"index": own[number - 1], "label": name}
    return Structure(segment.model_copy(update=changes), tracking, one_of=segment.label)
