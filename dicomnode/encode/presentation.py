"""The outlines and names of the findings as a Grayscale Softcopy Presentation State, laid over the source's images."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from highdicom.color import CIELabColor
from highdicom.pr import AnnotationUnitsValues, GraphicLayer, TextObject
from pydicom import DataElement, Dataset
from pydicom.datadict import tag_for_keyword
from pydicom.sequence import Sequence as Items

from dicomnode.encode.blank import blank
from dicomnode.encode.body_part import add_body_part
from dicomnode.encode.context import Context
from dicomnode.encode.display import (
    Ends,
    modality_lut,
    presentation_lut_shape,
    referenced,
    softcopy_windows,
    usual_values,
)
from dicomnode.encode.equipment import settle
from dicomnode.encode.grid import spacing_mm
from dicomnode.encode.key_objects import slices_to_look_at
from dicomnode.encode.outlines import Outline, outlined, without_straight_points
from dicomnode.encode.shown import Shown
from dicomnode.encode.told import Told
from dicomnode.values import Frame, Role, Volume

GSPS = "1.2.840.10008.5.1.4.1.1.11.1"
GRAPHIC_DATA = tag_for_keyword("GraphicData") or 0
PIXEL, DISPLAY = AnnotationUnitsValues.PIXEL, AnnotationUnitsValues.DISPLAY
CORNER = (0.02, 0.02, 0.6, 0.06)
"""Left, top, right and bottom of a label that belongs to no place, as fractions of the display; the next lie below."""
LINE = 0.05
"""From one such label to the next."""


@dataclass(frozen=True)
class Drawn:
    """A finding on its own graphic layer."""

    one: Shown
    layer: str
    outlines: tuple[Outline, ...]
    words: str
    """Its name, as in every other object, and how probable it is; and that it is a machine's."""


def presentation_state(told: Told) -> Dataset | None:
    """The GSPS of the findings: outlines on every slice, names on the key slice; None where there is nothing to draw.

    Source: PS3.3 A.33.1, C.10.5 (graphics: (0, 0) is the outer corner of the first pixel), C.10.4, C.11.8, C.11.6.
    """
    context, volume, drawn, keys = told.context, told.volume, _drawn(told), slices_to_look_at(told)
    if volume is None or not drawn or not keys or int(context.source.get("SamplesPerPixel") or 1) != 1:
        return None
    slices = _alike(context, volume, keys, {*keys, *(o.slice for d in drawn for o in d.outlines)})
    dataset = blank(context, Role.GSPS, GSPS, "PR")
    _describe(dataset, context)
    dataset.ReferencedSeriesSequence = Items([_series(volume, slices)])
    dataset.DisplayedAreaSelectionSequence = Items([_displayed(context, volume)])
    dataset.GraphicAnnotationSequence = Items(_annotations(drawn, volume, slices, keys))
    dataset.GraphicLayerSequence = Items([_layer(n, d) for n, d in enumerate(drawn, 1)])
    dataset.update(modality_lut(_header(context, volume, keys[0]), volume.frames[keys[0]]))
    placed = [(volume.frames[k], _header(context, volume, k)) for k in slices]
    dataset.SoftcopyVOILUTSequence = Items(softcopy_windows(placed, _usual(told, volume)))
    dataset.PresentationLUTShape = presentation_lut_shape(context.source)
    settle(dataset, context)
    return dataset


def _usual(told: Told, volume: Volume) -> Ends | None:
    return usual_values(volume, told.prediction.answer) if told.prediction else None


def _drawn(told: Told) -> list[Drawn]:
    """The findings with a place; where none has one, those that were found."""
    found = outlined(told)
    to_draw = [(o, lines) for o, lines in found if lines] or [(o, ()) for o, _ in found if o.positive]
    return [Drawn(one, f"FINDING {n}", lines, _words(one, told)) for n, (one, lines) in enumerate(to_draw, 1)]


def _words(one: Shown, told: Told) -> str:
    name = f"AI: {one.tracking.identifier}"
    likely = "" if one.probability is None else f" {told.context.number(100 * one.probability)} %"
    return "\n".join(filter(None, (name + likely, told.caution)))


def _alike(context: Context, volume: Volume, keys: tuple[int, ...], slices: set[int]) -> list[int]:
    """The slices with the first key slice's Modality LUT: a presentation state has one for all (PS3.3 C.11.1)."""
    luts = {k: modality_lut(_header(context, volume, k), volume.frames[k]) for k in slices}
    return [k for k in sorted(slices) if luts[k] == luts[keys[0]]]


def _header(context: Context, volume: Volume, k: int) -> Dataset:
    uid = volume.frames[k].sop_instance_uid
    return next(header for header in context.sources.headers if header.SOPInstanceUID == uid)


def _describe(dataset: Dataset, context: Context) -> None:
    dataset.PresentationCreationDate = f"{context.made_at:%Y%m%d}"
    dataset.PresentationCreationTime = f"{context.made_at:%H%M%S}"
    dataset.ContentLabel, dataset.ContentDescription = "AI_RESULT", context.description
    dataset.ContentCreatorName = ""  # type 2; no person made it
    add_body_part(dataset, context.source)


def _series(volume: Volume, slices: list[int]) -> Dataset:
    item = Dataset()
    item.SeriesInstanceUID = volume.series_uid
    item.ReferencedImageSequence = Items(referenced([volume.frames[k] for k in slices]))
    return item


def _displayed(context: Context, volume: Volume) -> Dataset:
    """The whole image, as large as fits; corners count pixels from 1 (PS3.3 C.10.4)."""
    area, (_, rows, columns) = Dataset(), volume.voxels.shape
    area.DisplayedAreaTopLeftHandCorner, area.DisplayedAreaBottomRightHandCorner = [1, 1], [columns, rows]
    area.PresentationSizeMode = "SCALE TO FIT"
    if volume.has_geometry or "PixelSpacing" in context.source:
        area.PresentationPixelSpacing = [f"{mm:.9g}" for mm in spacing_mm(volume)]
    else:
        area.PresentationPixelAspectRatio = [1, 1]
    return area


def _layer(order: int, drawn: Drawn) -> GraphicLayer:
    """A layer for each finding, in its colour and under its name, so that a reader can switch it."""
    return GraphicLayer(drawn.layer, order, drawn.one.tracking.identifier[:64], CIELabColor(*drawn.one.cielab))


def _annotations(drawn: list[Drawn], volume: Volume, slices: list[int], keys: tuple[int, ...]) -> Iterator[Dataset]:
    for n, finding in enumerate(drawn):
        for k in slices:
            here = [outline for outline in finding.outlines if outline.slice == k]
            lines = [line for outline in here for line in _lines(finding.one, outline)]
            texts = _texts(finding, n) if k == _key_of(finding.one, keys) else []
            if lines or texts:
                yield _annotation(finding.layer, volume.frames[k], lines, texts)


def _key_of(one: Shown, keys: tuple[int, ...]) -> int:
    return one.key.slice if one.key is not None else keys[0]


def _annotation(layer: str, frame: Frame, lines: list[Dataset], texts: list[TextObject]) -> Dataset:
    item = Dataset()
    item.ReferencedImageSequence, item.GraphicLayer = Items(referenced([frame])), layer
    if lines:
        item.GraphicObjectSequence = Items(lines)
    if texts:
        item.TextObjectSequence = Items(texts)
    return item


def _lines(one: Shown, outline: Outline) -> Iterator[Dataset]:
    """The outer boundary and those of the holes, tracked as the finding is in every other object."""
    for points in (outline.outer, *outline.holes):
        line, corners = Dataset(), without_straight_points(points)
        line.GraphicAnnotationUnits, line.GraphicDimensions = "PIXEL", 2
        line.GraphicType, line.GraphicFilled, line.NumberOfGraphicPoints = "POLYLINE", "N", len(corners)
        data = corners.ravel().tolist()
        line.add(DataElement(GRAPHIC_DATA, "FL", data, already_converted=True))  # converting each is 20 times as slow
        line.TrackingID, line.TrackingUID = one.tracking.identifier, one.tracking.uid
        yield line


def _texts(drawn: Drawn, n: int) -> list[TextObject]:
    """The finding's name, at the top of its key outline; in the corner of the display where it has no place."""
    one, track = drawn.one, {"tracking_id": drawn.one.tracking.identifier, "tracking_uid": drawn.one.tracking.uid}
    words = drawn.words
    if one.key is None:
        left, top, right, bottom = CORNER
        box = (left, top + n * LINE, right, bottom + n * LINE)
        return [TextObject(words, DISPLAY, bounding_box=box, text_justification="LEFT", **track)]
    points = next(outline.outer for outline in drawn.outlines if outline.slice == one.key.slice)
    highest = points[int(np.argmin(points[:, 1]))]
    anchor = (float(highest[0]), float(highest[1]))
    return [TextObject(words, PIXEL, anchor_point=anchor, anchor_point_visible=False, **track)]
