"""Text on a PIL image: several faces in one line, wrapped at a width, drawn from the baseline."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from io import BytesIO

from PIL import ImageDraw, ImageFont

from dicomnode.encode.pictures.colours import INK, Colour
from dicomnode.encode.pictures.fonts import BOLD, face, runs

THICKER = 45
"""A face without a bold cut is drawn with an edge of this part of its size."""
EDGE = 2.0
LEADING = 1.38
"""Distance of lines, in sizes."""
IDEOGRAPH = r"\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af\uff01-\uff60"
WORD = re.compile(rf"[{IDEOGRAPH}][、。，．）」』】！？：；ー～]*|[^\s{IDEOGRAPH}]+(?: (?:%|mm²?|ml|HU)(?!\w))*|\s+")
"""What stays on one line: a word, a figure with its unit, or an ideograph with the marks that may not begin a line."""


@dataclass(frozen=True)
class Style:
    """How letters look."""

    size: int
    colour: Colour = INK
    bold: bool = False
    edge: Colour | None = None
    """Around the letters, so that they are read on any ground."""

    @property
    def leading(self) -> int:
        """From one baseline to the next."""
        return round(self.size * LEADING)


@cache
def _font(name: str, size: int) -> ImageFont.FreeTypeFont:
    return ImageFont.truetype(BytesIO(face(name).data), size)


def width_of(text: str, style: Style) -> float:
    """Width of a line in pixels."""
    return sum(_font(one.name, style.size).getlength(run) for one, run in runs(text, bold=style.bold))


def write(draw: ImageDraw.ImageDraw, at: tuple[float, float], text: str, style: Style, *, align: str = "left") -> None:
    """One line with its baseline at a point; `align`: which end of the line the point is."""
    x, y = at
    x -= {"left": 0.0, "right": 1.0, "centre": 0.5}[align] * width_of(text, style)
    for one, run in runs(text, bold=style.bold):
        font = _font(one.name, style.size)
        thicker = style.size / THICKER if style.bold and one.name != BOLD else 0
        if style.edge:
            draw.text((x, y), run, style.edge, font, anchor="ls", stroke_width=thicker + EDGE, stroke_fill=style.edge)
        draw.text((x, y), run, style.colour, font, anchor="ls", stroke_width=thicker)
        x += font.getlength(run)


def wrapped(text: str, measure: Callable[[str], float], width: float) -> Iterator[str]:
    """The lines of a text that is not to be wider; a word wider than that is broken."""
    line = ""
    for word in WORD.findall(text):
        if line and measure(line + word.rstrip()) > width:
            yield line.rstrip()
            line = ""
        line += word if line or not word.isspace() else ""
        while len(line) > 1 and measure(line.rstrip()) > width:
            fits = next(n for n in range(len(line) - 1, 0, -1) if n == 1 or measure(line[:n]) <= width)
            yield line[:fits]
            line = line[fits:]
    if line.strip():
        yield line.rstrip()


def paragraph(
    draw: ImageDraw.ImageDraw, at: tuple[float, float], text: str, style: Style, width: float, *, most: int = 99
) -> float:
    """A wrapped text below a point, and where it ends; lines past `most` end in an ellipsis."""
    x, y = at
    lines = list(wrapped(text, lambda line: width_of(line, style), width))
    if len(lines) > most:
        lines = [*lines[: most - 1], _shortened(lines[most - 1], style, width)]
    for line in lines:
        y += style.leading
        write(draw, (x, y - 0.32 * style.size), line, style)
    return y


def fitted(text: str, style: Style, width: float) -> str:
    """The text, cut with an ellipsis where it is too wide."""
    return text if width_of(text, style) <= width else _shortened(text, style, width)


def _shortened(line: str, style: Style, width: float) -> str:
    while line and width_of(line + "…", style) > width:
        line = line[:-1]
    return line.rstrip() + "…"
