"""The slices to show, each with its outlines: what a picture is drawn of."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from contourpy import LineType, contour_generator
from numpy.typing import NDArray
from pydicom import Dataset

from dicomnode.encode.context import Context
from dicomnode.encode.pictures.colours import Colour, on_black
from dicomnode.encode.pictures.orientation import Edges, Scale, edges_of, scale_of
from dicomnode.encode.pictures.window import greys
from dicomnode.encode.shown import Shown
from dicomnode.encode.told import Told
from dicomnode.values import Classification, Prediction, Segmentation, Volume

MOST_VIEWS = 4


@dataclass(frozen=True)
class Outline:
    """One finding on one slice."""

    number: int
    """Its number in the legend, from 1."""
    colour: Colour
    lines: tuple[NDArray[np.float64], ...]
    """Closed lines, (n, 2) image coordinates (column, row), (0, 0) the outer corner of the first pixel."""


@dataclass(frozen=True)
class View:
    """One slice as it is shown."""

    slice: int
    """k."""
    pixels: NDArray[np.uint8]
    """(row, column)."""
    window: str
    scale: Scale
    edges: Edges | None
    outlines: tuple[Outline, ...] = ()
    saliency: NDArray[np.float32] | None = None
    """(row, column), 0..1."""
    caption: str = ""


def views_of(told: Told) -> tuple[View, ...]:
    """The slices to show: those that every finding is seen on, at most four; one where nothing was found."""
    volume, prediction = told.volume, told.prediction
    if volume is None or prediction is None:
        return ()
    if isinstance(prediction.answer, Classification):
        return _read_views(told, volume, prediction.answer)
    return tuple(_view(told, volume, k, _outlines(told, k)) for k in slices_to_show(told.shown, prediction, volume))


def slices_to_show(shown: tuple[Shown, ...], prediction: Prediction, volume: Volume) -> tuple[int, ...]:
    """Key slices chosen so that few show all: the one that shows most of what is not yet seen first, and so on."""
    keys = {one.key.slice for one in shown if one.key is not None}
    seen_on = {k: {n for n, one in enumerate(shown) if _is_on(one, k, prediction)} for k in sorted(keys)}
    unseen, chosen = set(range(len(shown))), list[int]()
    while unseen and keys - set(chosen) and len(chosen) < MOST_VIEWS:
        best = max(
            sorted(keys - set(chosen)), key=lambda k: (len(seen_on[k] & unseen), -min(seen_on[k] & unseen, default=0))
        )
        chosen.append(best)
        unseen -= seen_on[best]
    return tuple(chosen) or (len(volume.voxels) // 2,)


def pictured_slices(told: Told) -> tuple[int, ...]:
    """The slices (k) that the pictures of an answer show: their pixels are needed whole."""
    volume, prediction = told.volume, told.prediction
    if volume is None or prediction is None:
        return ()
    if isinstance(prediction.answer, Classification):
        return (_read_slice(told, prediction.answer),)
    return slices_to_show(told.shown, prediction, volume)


def header_of(context: Context, sop_instance_uid: str) -> Dataset:
    """Header of one of the images read."""
    headers = context.sources.headers
    return next((h for h in headers if str(h.SOPInstanceUID) == sop_instance_uid), context.source)


def _read_views(told: Told, volume: Volume, answer: Classification) -> tuple[View, ...]:
    """The image as it is, and beside it, where something is suspected, what the model looked at."""
    k = _read_slice(told, answer)
    plain = _view(told, volume, k, ())
    if answer.saliency is None or not _is_suspected(told):
        return (plain,)
    return plain, _view(told, volume, k, (), answer.saliency[k])


def _read_slice(told: Told, answer: Classification) -> int:
    """The slice of an image or volume that was read as a whole: where the model looked most, else the first."""
    if answer.saliency is None or not _is_suspected(told):
        return 0
    return int(answer.saliency.max(axis=(1, 2)).argmax())


def _is_suspected(told: Told) -> bool:
    return any(one.positive for one in told.shown)


def _view(
    told: Told, volume: Volume, k: int, outlines: tuple[Outline, ...], saliency: NDArray[np.float32] | None = None
) -> View:
    context, frame = told.context, volume.frames[k]
    header = header_of(context, frame.sop_instance_uid)
    shown = greys(volume, k, header)
    scale, edges = scale_of(volume, header), edges_of(volume, context.rules)
    caption = _caption(context, volume, k, header)
    return View(k, shown.pixels, shown.words, scale, edges, outlines, saliency, caption)


def _caption(context: Context, volume: Volume, k: int, header: Dataset) -> str:
    if len(volume.frames) == 1:
        return ""
    frame, number = volume.frames[k].frame_number, header.get("InstanceNumber")
    words = context.say("Slice {slice} of {slices}", slice=k + 1, slices=len(volume.frames))
    if frame is not None:
        return f"{words} · {context.say('frame {number}', number=frame)}"
    return f"{words} · {context.say('image {number}', number=number)}" if number else words


def _outlines(told: Told, k: int) -> tuple[Outline, ...]:
    return tuple(
        Outline(number, on_black(one.cielab), lines)
        for number, one in enumerate(told.shown, 1)
        if (lines := tuple(_lines(one, k, told.prediction)))
    )


def _lines(one: Shown, k: int, prediction: Prediction | None) -> Iterator[NDArray[np.float64]]:
    """Every outline of a finding on a slice: of all its parts in the label map, else the key contour."""
    if one.label is not None and prediction and isinstance(prediction.answer, Segmentation):
        mask = np.pad((prediction.answer.labels[k] == one.label).astype(np.float64), 1)
        found = contour_generator(z=mask, line_type=LineType.Separate).lines(0.5)
        yield from (np.asarray(line, dtype=np.float64) - 0.5 for line in found)  # padding off, pixel centre on
    elif one.key is not None and one.key.slice == k:
        yield one.key.points


def _is_on(one: Shown, k: int, prediction: Prediction) -> bool:
    if one.key is not None and one.key.slice == k:
        return True
    answer = prediction.answer
    return isinstance(answer, Segmentation) and one.label is not None and bool((answer.labels[k] == one.label).any())
