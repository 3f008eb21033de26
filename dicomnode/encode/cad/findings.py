"""One finding of a CAD report: what it is, where on which image, how sure (TID 4006, 4104)."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from highdicom.sr import CodedConcept
from numpy.typing import NDArray
from pydicom import Dataset
from pydicom.sr.codedict import codes
from pydicom.sr.coding import Code as StandardCode

from dicomnode.encode.cad import concepts
from dicomnode.encode.cad.items import (
    MODIFIER,
    OBSERVATION,
    PROPERTY,
    Identifier,
    code,
    coordinates,
    number,
    text,
    uid_reference,
)
from dicomnode.encode.cad.library import Entry, Library
from dicomnode.encode.cad.performed import algorithm
from dicomnode.encode.concepts import MILLILITRE, MILLIMETRE, PERCENT, SQUARE_MILLIMETRE, coded
from dicomnode.encode.context import Context
from dicomnode.encode.key_objects import slices_to_look_at
from dicomnode.encode.shown import Shown
from dicomnode.encode.told import Told
from dicomnode.encode.tracking import ORGANS
from dicomnode.values import Volume

SIZES = (MILLIMETRE, SQUARE_MILLIMETRE, MILLILITRE)
"""Units of what TID 4105 takes as a measurement (TID 1400, 1401, 1402)."""
CHEST_MODIFIERS = (
    (concepts.ABNORMAL_OPACITY, codes.cid6104),
    (concepts.ABNORMAL_LUCENCY, codes.cid6105),
    (concepts.ABNORMAL_LINES, codes.cid6103),
    (concepts.ABNORMAL_TEXTURE, codes.cid6106),
    (concepts.RADIOGRAPHIC_ANATOMY, codes.cid6109),
)
"""A chest finding of CID 6101, and the context group of what may be said of it more closely (CID 6102)."""


@dataclass(frozen=True)
class Marked:
    """One finding and its place on one image."""

    shown: Shown
    entry: Entry
    """The image that it lies on."""
    outline: NDArray[np.float64]
    """(n, 2) image coordinates (column, row), closed; of a finding of the image as a whole, the image's own edge."""
    intent: CodedConcept
    """Whether a workstation is to show it."""

    @property
    def center(self) -> tuple[float, float]:
        """Column and row of the middle of its outline."""
        low, high = self.outline.min(axis=0), self.outline.max(axis=0)
        return float(low[0] + high[0]) / 2, float(low[1] + high[1]) / 2


def marked_findings(told: Told) -> tuple[Marked, ...] | None:
    """The findings with the image that each lies on, in their order.

    A finding of the images as a whole stands on the one that decided it. What is present but lies on no one image
    cannot be said in a CAD report: None. What is absent and lies nowhere is left out.
    """
    volume, found = told.volume, []
    if volume is None:
        return ()
    whole = _deciding_slice(told, volume)
    for one in told.shown:
        marked = _outlined(one, volume) if one.key is not None else _of_image(one, volume, whole)
        if marked is None and one.positive:
            return None
        found += [marked] if marked is not None else []
    return tuple(found)


def is_presented(marked: Marked) -> bool:
    """Whether a workstation may show it."""
    return marked.intent is not concepts.NOT_FOR_PRESENTATION


def rendering_intent(marked: Marked) -> Dataset:
    """Whether a workstation is to show it (CID 6034)."""
    return code(MODIFIER, concepts.INTENT, marked.intent)


def tracking(marked: Marked) -> list[Dataset]:
    """The identifiers that the finding has in every other object (TID 4108)."""
    track = marked.shown.tracking
    return [
        text(OBSERVATION, concepts.TRACKING_IDENTIFIER, track.identifier),
        uid_reference(OBSERVATION, concepts.TRACKING_UID, track.uid),
    ]


def algorithm_of(context: Context, marked: Marked, relationship: str) -> list[Dataset]:
    """The algorithm with the threshold that decided and the spread of the probability (TID 4019)."""
    shown, said = marked.shown, []
    if shown.threshold is not None:
        said.append(context.say("Decision threshold: {threshold}", threshold=context.percent(shown.threshold)))
    if shown.probability is not None and shown.uncertainty is not None:
        certainty = context.percent(shown.probability, shown.uncertainty)
        said.append(context.say("Certainty with one standard deviation: {certainty}", certainty=certainty))
    return list(algorithm(context, relationship, said))


def certainty(marked: Marked) -> Iterator[Dataset]:
    """The calibrated probability in percent (TID 4006 row 6, TID 4104 row 12)."""
    if marked.shown.probability is not None:
        yield number(PROPERTY, concepts.CERTAINTY, round(100 * marked.shown.probability, 2), PERCENT)


def place(marked: Marked, library: Library) -> list[Dataset]:
    """Center and outline on an image of the library (TID 4021, TID 4107)."""
    image: Identifier = library.place_of(marked.entry)
    return [
        coordinates(concepts.CENTER, "POINT", marked.center, image),
        coordinates(concepts.OUTLINE, "POLYLINE", marked.outline.ravel().tolist(), image),
    ]


def location(marked: Marked) -> Iterator[Dataset]:
    """The configured site and side (TID 4105 rows 8 and 9)."""
    if marked.shown.site is not None:
        yield code(PROPERTY, concepts.LOCATION_IN_CHEST, coded(marked.shown.site))
    if marked.shown.laterality is not None:
        yield code(PROPERTY, concepts.FINDING_LATERALITY, coded(marked.shown.laterality))


def sizes(marked: Marked) -> Iterator[Dataset]:
    """Lengths, area and volume (TID 4105: TID 1400, 1401, 1402)."""
    for figure in marked.shown.figures:
        if figure.unit in SIZES:
            below = [code(MODIFIER, concepts.DERIVATION, figure.derivation)] if figure.derivation else []
            yield number(PROPERTY, figure.name, figure.value, figure.unit, below)


def chest_finding(shown: Shown) -> tuple[CodedConcept, CodedConcept | None]:
    """A finding as chest CAD codes it: one of CID 6101 and its modifier (CID 6102), or the finding's own code.

    Both context groups are extensible: what they lack keeps its own code, and no broader word is put for it.
    """
    own, wanted = coded(shown.concept), StandardCode(shown.concept.value, shown.concept.scheme, shown.concept.meaning)
    for general, group in CHEST_MODIFIERS:
        if wanted in group.concepts.values():
            return general, own
    return (concepts.RADIOGRAPHIC_ANATOMY, own) if is_organ(shown) else (own, None)


def is_organ(shown: Shown) -> bool:
    """Whether it is a part of the body and no lesion."""
    return shown.category is not None and (shown.category.value, shown.category.scheme) in ORGANS


def _deciding_slice(told: Told, volume: Volume) -> int | None:
    """The slice on which a finding without a place stands; None where none is known."""
    if len(volume.frames) == 1:
        return 0
    slices = () if any(one.key is not None for one in told.shown) else slices_to_look_at(told)
    return slices[0] if slices else None


def _outlined(one: Shown, volume: Volume) -> Marked | None:
    if one.key is None:
        return None
    intent = concepts.OPTIONAL if is_organ(one) else concepts.REQUIRED
    entry, outline = Entry.of(volume.frames[one.key.slice]), one.key.points
    return Marked(one, entry, outline, concepts.NOT_FOR_PRESENTATION if one.positive is False else intent)


def _of_image(one: Shown, volume: Volume, k: int | None) -> Marked | None:
    """A finding of a whole image: its mark is no place in the body, so it is optional to show."""
    if k is None:
        return None
    intent = concepts.OPTIONAL if one.positive else concepts.NOT_FOR_PRESENTATION
    return Marked(one, Entry.of(volume.frames[k]), _edge(volume), intent)


def _edge(volume: Volume) -> NDArray[np.float64]:
    """The edge of an image, clockwise from the outer corner of its first pixel."""
    rows, columns = volume.voxels.shape[1:]
    return np.array([(0, 0), (columns, 0), (columns, rows), (0, rows), (0, 0)], dtype=np.float64)
