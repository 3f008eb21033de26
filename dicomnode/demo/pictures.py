"""Pictures of what the node found: the key slice with contours, or the radiograph with its saliency map."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

HEIGHT = 640
INK, PAPER, DIM = (236, 236, 236), (18, 18, 18), (150, 150, 150)
COLOURS = ((255, 176, 59), (71, 178, 255), (140, 220, 120), (240, 110, 180))
WARNING = "AI result, not verified. Not for clinical use."
LINE = 3


@dataclass(frozen=True)
class Layer:
    """One structure on the picture."""

    label: str
    mask: NDArray[np.bool_]
    """(row, column)."""
    said: str
    """"1.52 ml"."""


def contour_picture(image: NDArray[np.float32], layers: list[Layer], title: str, aspect: float, path: Path) -> None:
    """Draw contours of structures on one slice.

    Args:
        image: (row, column), any scale.
        layers: structures, the outline of each is drawn.
        title: first line of the caption.
        aspect: row spacing divided by column spacing.
        path: of the PNG.
    """
    canvas = _enlarged(_grey(image), aspect)
    scale = (canvas.width / image.shape[1], canvas.height / image.shape[0])
    draw = ImageDraw.Draw(canvas)
    for layer, colour in zip(layers, COLOURS, strict=False):
        _outline(draw, layer.mask, scale, colour)
    legend = [(f"{layer.label}  {layer.said}", colour) for layer, colour in zip(layers, COLOURS, strict=False)]
    _framed(canvas, title, legend).save(path)


def saliency_picture(
    image: NDArray[np.float32], saliency: NDArray[np.float32] | None, title: str, said: str, path: Path
) -> None:
    """Draw a radiograph, with what the model looked at in warm colours.

    Args:
        image: (row, column), any scale.
        saliency: (row, column) in 0..1, or None where there is none to show.
        title: first line of the caption.
        said: the finding in words.
        path: of the PNG.
    """
    canvas = _enlarged(_grey(image), 1.0)
    if saliency is not None:
        heat = Image.fromarray((np.clip(saliency, 0, 1) * 255).astype(np.uint8)).resize(
            canvas.size, Image.Resampling.BICUBIC
        )
        strength = heat.point(lambda value: int(max(0, value - 64) * 0.55))
        warm = Image.merge(
            "RGB", (heat.point(lambda _: 255), heat.point(lambda v: 200 - v // 2), heat.point(lambda _: 30))
        )
        canvas = Image.composite(warm, canvas, strength)
    _framed(canvas, title, [(said, INK)]).save(path)


def _grey(image: NDArray[np.float32]) -> Image.Image:
    low, high = np.percentile(image, (1, 99.5))
    grey = np.clip((image - low) / max(high - low, 1e-6), 0, 1) * 255
    return Image.fromarray(grey.astype(np.uint8))


def _enlarged(grey: Image.Image, aspect: float) -> Image.Image:
    width = round(HEIGHT * grey.width / (grey.height * aspect))
    return grey.resize((width, HEIGHT), Image.Resampling.BICUBIC).convert("RGB")


def _outline(
    draw: ImageDraw.ImageDraw, mask: NDArray[np.bool_], scale: tuple[float, float], colour: tuple[int, int, int]
) -> None:
    """Draw the pixel edges between inside and outside: exact, no smoothing hides a shifted mask."""
    padded = np.pad(mask, 1)
    for row, column in np.argwhere(padded[:, 1:] != padded[:, :-1]):
        draw.line([_at(column, row - 1, scale), _at(column, row, scale)], fill=colour, width=LINE)
    for row, column in np.argwhere(padded[1:, :] != padded[:-1, :]):
        draw.line([_at(column - 1, row, scale), _at(column, row, scale)], fill=colour, width=LINE)


def _at(column: int, row: int, scale: tuple[float, float]) -> tuple[float, float]:
    return float(column) * scale[0], float(row) * scale[1]


def _framed(canvas: Image.Image, title: str, legend: list[tuple[str, tuple[int, int, int]]]) -> Image.Image:
    lines = 2 + len(legend)
    width = max(canvas.width, 620)
    framed = Image.new("RGB", (width, canvas.height + 22 + 24 * lines), PAPER)
    framed.paste(canvas, ((width - canvas.width) // 2, 0))
    draw = ImageDraw.Draw(framed)
    y = canvas.height + 10
    for text, colour, size in ((title, INK, 18), *((text, colour, 17) for text, colour in legend), (WARNING, DIM, 14)):
        draw.text((14, y), text, fill=colour, font=ImageFont.load_default(size))
        y += 24
    return framed
