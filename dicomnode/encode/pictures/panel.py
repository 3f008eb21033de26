"""One view as a picture: the slice, outlines with their numbers, side marks and a scale bar."""

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from dicomnode.encode.context import Context
from dicomnode.encode.pictures.colours import BLACK, INK, Colour
from dicomnode.encode.pictures.orientation import Scale
from dicomnode.encode.pictures.pen import Style, write
from dicomnode.encode.pictures.view import Outline, View

FINER = 2
"""Drawn so many times larger, then reduced: smooth lines."""
LINE, CASING = 3.0, 1.5
"""Width of an outline, and of the dark edge on either side of it, in pixels of the picture."""
DASHES: tuple[tuple[float, ...], ...] = ((), (14, 7), (3, 6), (14, 6, 3, 6))
"""Line styles in turn: two findings differ in more than colour."""
BARS_MM = (1, 2, 5, 10, 20, 30, 50, 100, 200)
LONGEST_BAR = 0.3
"""Of the picture's width."""
HEAT = ((87, 16, 110), (188, 55, 84), (249, 142, 9), (252, 255, 164))
"""The model's attention, from some to most: even steps of lightness, for any colour vision."""
OPAQUE = (0.25, 0.6)
"""How much of the image the least and the most attention cover."""
HEAT_FROM = 0.25
"""Attention below this is left bare."""
INSET = 16
"""From the picture's edge to what is written on it."""


def panel(context: Context, view: View, box: tuple[int, int]) -> Image.Image:
    """A view as large as fits into a box (width, height), true in proportion.

    Args:
        context: for the words.
        view: what to show.
        box: in pixels.
    """
    width, height = _size(view, box)
    picture = Image.fromarray(view.pixels).resize((width, height), Image.Resampling.BICUBIC).convert("RGB")
    if view.saliency is not None:
        picture = _heated(picture, view.saliency)
    picture = _outlined(picture, view)
    draw = ImageDraw.Draw(picture)
    _tag(draw, view, picture.size)
    _edges(draw, view, picture.size)
    _bar(context, draw, view, picture.size)
    return picture


def bar_mm(scale: Scale, columns: int) -> int:
    """Length of the scale bar: a round figure of at most three tenths of the picture."""
    longest = LONGEST_BAR * columns * scale.column_mm
    return max((mm for mm in BARS_MM if mm <= longest), default=BARS_MM[0])


def heat_colour(strength: float) -> Colour:
    """Colour of one strength of attention, 0..1."""
    red, green, blue = (float(part) for part in _heat(np.array([strength]))[0])
    return round(red), round(green), round(blue)


def _heat(strength: NDArray[np.float64]) -> NDArray[np.float64]:
    """Colours (n, 3) of strengths (n,)."""
    steps = np.linspace(0, 1, len(HEAT))
    return np.stack([np.interp(strength, steps, channel) for channel in np.array(HEAT).T], axis=-1)


def _size(view: View, box: tuple[int, int]) -> tuple[int, int]:
    rows, columns = view.pixels.shape
    wide, high = columns * view.scale.column_mm, rows * view.scale.row_mm
    zoom = min(box[0] / wide, box[1] / high)
    return max(1, round(wide * zoom)), max(1, round(high * zoom))


def _heated(picture: Image.Image, saliency: NDArray[np.float32]) -> Image.Image:
    """The picture with what the model looked at in warm colours; brighter is more."""
    small = Image.fromarray((np.clip(saliency, 0, 1) * 255).astype(np.uint8))
    heat = np.asarray(small.resize(picture.size, Image.Resampling.BICUBIC), np.float32) / 255
    strength = np.clip((heat.astype(np.float64) - HEAT_FROM) / (1 - HEAT_FROM), 0, 1)
    covered = np.interp(strength, (0, 0.08, 1), (0, *OPAQUE))[..., None]
    mixed = np.asarray(picture, np.float64) * (1 - covered) + _heat(strength) * covered
    return Image.fromarray(mixed.round().astype(np.uint8))


def _outlined(picture: Image.Image, view: View) -> Image.Image:
    if not view.outlines:
        return picture
    large = picture.resize((picture.width * FINER, picture.height * FINER), Image.Resampling.BILINEAR)
    draw, zoom = ImageDraw.Draw(large), _zoom(view, large.size)
    for colour, width in ((None, LINE + 2 * CASING), (True, LINE)):
        for outline in view.outlines:
            dashes = DASHES[(outline.number - 1) % len(DASHES)]
            for line in outline.lines:
                _stroke(draw, line * zoom, outline.colour if colour else BLACK, width * FINER, dashes)
    return large.resize(picture.size, Image.Resampling.LANCZOS)


def _zoom(view: View, size: tuple[int, int]) -> NDArray[np.float64]:
    rows, columns = view.pixels.shape
    return np.array([size[0] / columns, size[1] / rows])


def _stroke(
    draw: ImageDraw.ImageDraw, points: NDArray[np.float64], colour: Colour, width: float, dashes: tuple[float, ...]
) -> None:
    """A line, or its dashes."""
    for part in dashed(points, tuple(FINER * length for length in dashes)):
        draw.line([(float(x), float(y)) for x, y in part], fill=colour, width=round(width), joint="curve")


def dashed(points: NDArray[np.float64], dashes: tuple[float, ...]) -> list[NDArray[np.float64]]:
    """A line in pieces: on, off, on ... of these lengths; whole where there are none."""
    steps = np.hypot(*np.diff(points, axis=0).T)
    along = np.concatenate([[0.0], np.cumsum(steps)])
    if not dashes or along[-1] < 2 * sum(dashes):
        return [points]
    pieces, start, turn = [], 0.0, 0
    while start < along[-1]:
        end = min(start + dashes[turn % len(dashes)], float(along[-1]))
        if turn % 2 == 0:
            where = np.concatenate([[start], along[(along > start) & (along < end)], [end]])
            pieces.append(np.stack([np.interp(where, along, points[:, axis]) for axis in (0, 1)], axis=1))
        start, turn = end, turn + 1
    return pieces


def _tag(draw: ImageDraw.ImageDraw, view: View, size: tuple[int, int]) -> None:
    """The number of each outline, beside its largest part; one never hides another."""
    taken: list[tuple[float, float]] = []
    for outline in view.outlines:
        x, y = _beside(outline, _zoom(view, size), size)
        while any(abs(x - a) < 2 * RADIUS + 2 and abs(y - b) < 2 * RADIUS + 2 for a, b in taken):
            y += 2 * RADIUS + 4
        taken.append((x, y))
        disc(draw, (x, y), outline.number, outline.colour)


RADIUS = 13
"""Of the disc with a finding's number."""


def disc(draw: ImageDraw.ImageDraw, centre: tuple[float, float], number: int, colour: Colour) -> None:
    """A finding's number in its colour."""
    x, y = centre
    draw.ellipse((x - RADIUS, y - RADIUS, x + RADIUS, y + RADIUS), fill=colour, outline=BLACK, width=2)
    style = Style(17 if number < 10 else 14, BLACK, bold=True)
    write(draw, (x, y + 0.36 * style.size), str(number), style, align="centre")


def _beside(outline: Outline, zoom: NDArray[np.float64], size: tuple[int, int]) -> tuple[float, float]:
    """Just outside the outline's upper right, within the picture."""
    line = max(outline.lines, key=len) * zoom
    point = line[np.argmax(line[:, 0] - line[:, 1])]
    x, y = point[0] + 0.9 * RADIUS + 6, point[1] - 0.9 * RADIUS - 6
    return float(np.clip(x, RADIUS + 2, size[0] - RADIUS - 2)), float(np.clip(y, RADIUS + 2, size[1] - RADIUS - 2))


def _edges(draw: ImageDraw.ImageDraw, view: View, size: tuple[int, int]) -> None:
    if view.edges is None:
        return
    style, (width, height) = Style(_part(28, size), INK, bold=True, edge=BLACK), size
    middle = height / 2 + 0.36 * style.size
    write(draw, (INSET, middle), view.edges.left, style)
    write(draw, (width - INSET, middle), view.edges.right, style, align="right")
    write(draw, (width / 2, INSET + 0.75 * style.size), view.edges.top, style, align="centre")
    write(draw, (width / 2, height - INSET), view.edges.bottom, style, align="centre")


def _bar(context: Context, draw: ImageDraw.ImageDraw, view: View, size: tuple[int, int]) -> None:
    if not view.scale.known:
        return
    length_mm = bar_mm(view.scale, view.pixels.shape[1])
    length = length_mm / view.scale.column_mm * size[0] / view.pixels.shape[1]
    words = context.say("{mm} mm at the detector" if view.scale.at_detector else "{mm} mm", mm=length_mm)
    style = Style(_part(20, size), INK, bold=True, edge=BLACK)
    right, bottom = size[0] - INSET, size[1] - INSET
    left = right - length
    for colour, grow in ((BLACK, 2), (INK, 0)):
        draw.rectangle((left - grow, bottom - 3 - grow, right + grow, bottom + grow), fill=colour)
        for x in (left, right - 3):
            draw.rectangle((x - grow, bottom - 11 - grow, x + 3 + grow, bottom + grow), fill=colour)
    write(draw, (right, bottom - 20), words, style, align="right")


def _part(letters: int, size: tuple[int, int]) -> int:
    """Size of letters: smaller on a small picture, never too small to read."""
    return round(letters * min(1.0, max(0.68, min(size) / 560)))


def caption(context: Context, view: View) -> str:
    """What stands below a view."""
    parts = [view.caption, view.window]
    if view.saliency is not None:
        parts.append(context.say("what the model looked at"))
    elif view.edges is None:
        parts.append(context.say("no side is marked: not verified"))
    return " · ".join(part for part in parts if part)
