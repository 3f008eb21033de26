"""Whether a presentation state draws on its own images, within them, under the findings' names (PS3.3 A.33.1)."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from pydicom import Dataset

from dicomnode.encode.door.expected import Expected
from dicomnode.encode.door.items import groups, references, tracking_of
from dicomnode.values import Header, Role

ROUNDING = 1e-3
"""Of a coordinate in pixels (FL)."""


def presentation_faults(expected: Expected) -> Iterator[str]:
    """Graphics outside their image or untracked, layers that are not there, images shown without a window."""
    state = expected.of(Role.GSPS)
    if state is None:
        return
    shown = {uid for series in state.get("ReferencedSeriesSequence") or () for _, uid in references(series)}
    headers = [header for uid in sorted(shown) if (header := expected.header_of(uid))]
    yield from _series_faults(state, expected)
    for header in headers[:1]:
        yield from _display_faults(state, header)
    layers = {str(layer.get("GraphicLayer")) for layer in state.get("GraphicLayerSequence") or ()}
    for annotation in state.get("GraphicAnnotationSequence") or ():
        named = {uid for _, uid in references(annotation)}
        yield from (f"GSPS: draws on {uid}, which it does not show" for uid in sorted(named - shown))
        if str(annotation.get("GraphicLayer")) not in layers:
            yield f"GSPS: there is no layer {annotation.get('GraphicLayer')}"
        for header in (h for uid in named if (h := expected.header_of(uid))):
            yield from _drawn_faults(annotation, header)
        if expected.of(Role.SEG) is not None and not annotation.get("GraphicObjectSequence"):
            yield "GSPS: a segment is named on an image and not outlined there"
        if not annotation.get("GraphicObjectSequence") and not annotation.get("TextObjectSequence"):
            yield "GSPS: an annotation is empty"
    yield from _tracking_faults(state, expected)


def _series_faults(state: Dataset, expected: Expected) -> Iterator[str]:
    for series in state.get("ReferencedSeriesSequence") or ():
        for _, uid in references(series):
            if uid in expected.known and expected.known[uid][1] != series.get("SeriesInstanceUID"):
                yield f"GSPS: names {uid} in series {series.get('SeriesInstanceUID')}"


def _display_faults(state: Dataset, header: Header) -> Iterator[str]:
    """The whole image, corners counted from 1, with a window, the right way round (PS3.3 C.10.4, C.11.6, C.11.8)."""
    area = (state.get("DisplayedAreaSelectionSequence") or [Dataset()])[0]
    corners = [list(area.get(f"DisplayedArea{end}HandCorner") or ()) for end in ("TopLeft", "BottomRight")]
    if corners != [[1, 1], [int(header.text("Columns") or 0), int(header.text("Rows") or 0)]]:
        yield f"GSPS: the displayed area {corners} is not the whole image"
    if not ("PresentationPixelSpacing" in area or "PresentationPixelAspectRatio" in area):
        yield "GSPS: the displayed area has neither a pixel spacing nor an aspect ratio"
    windows = state.get("SoftcopyVOILUTSequence") or ()
    if not windows or any(float(item.get("WindowWidth") or 0) < 1 or "WindowCenter" not in item for item in windows):
        yield "GSPS: there is no window, and the images' own do not count"
    if len(windows) > 1 and not all("ReferencedImageSequence" in item for item in windows):
        yield "GSPS: of several windows one does not say for which images it is"
    wanted = "INVERSE" if header.text("PhotometricInterpretation") == "MONOCHROME1" else "IDENTITY"
    if state.get("PresentationLUTShape") != wanted:
        yield f"GSPS: the presentation LUT is {state.get('PresentationLUTShape')}, and the images need {wanted}"


def _drawn_faults(annotation: Dataset, header: Header) -> Iterator[str]:
    limit = np.array([float(header.text("Columns") or 0), float(header.text("Rows") or 0)])
    for line in annotation.get("GraphicObjectSequence") or ():
        yield from _line_faults(line, limit)
    for text in annotation.get("TextObjectSequence") or ():
        anchor = text.get("AnchorPoint")
        if not text.get("UnformattedTextValue"):
            yield "GSPS: a text is empty"
        if anchor is not None and _is_outside(np.array(anchor, float)[None], limit):
            yield "GSPS: a text is anchored outside its image"


def _line_faults(line: Dataset, limit: NDArray[np.float64]) -> Iterator[str]:
    data = np.array(line.get("GraphicData") or (), float)
    if line.get("GraphicType") != "POLYLINE" or line.get("GraphicAnnotationUnits") != "PIXEL":
        yield "GSPS: an outline is not a POLYLINE in pixels"
    if data.size < 8 or data.size != 2 * int(line.get("NumberOfGraphicPoints") or 0):
        yield "GSPS: an outline has not the number of points that it says"
        return
    points = data.reshape(-1, 2)
    if np.abs(points[0] - points[-1]).max() > ROUNDING:
        yield "GSPS: an outline is not closed"
    if _is_outside(points, limit):
        yield "GSPS: an outline lies outside its image"


def _is_outside(points: NDArray[np.float64], limit: NDArray[np.float64]) -> bool:
    return bool((points < -ROUNDING).any() or (points > limit + ROUNDING).any())


def _tracking_faults(state: Dataset, expected: Expected) -> Iterator[str]:
    """Every graphic and text is tracked, as a group of the report is."""
    document = expected.of(Role.SR)
    known = {tracking_of(group) for group in groups(document)} if document is not None else None
    for annotation in state.get("GraphicAnnotationSequence") or ():
        for item in (*(annotation.get("GraphicObjectSequence") or ()), *(annotation.get("TextObjectSequence") or ())):
            track = (str(item.get("TrackingID") or ""), str(item.get("TrackingUID") or ""))
            if not all(track):
                yield "GSPS: a graphic is not tracked"
            elif known is not None and track not in known:
                yield f"GSPS: the report has no finding tracked as {track[1]}"
