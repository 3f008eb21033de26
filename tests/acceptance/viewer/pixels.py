"""What stands where on a picture of the viewport."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy.ndimage import find_objects, label

Picture = NDArray[np.int16]
"""(row, column, red green blue), 0-255."""
BRIGHT = 110
"""Half-way from the phantom's grey to its blocks, on the screen."""
HUE = 60
LETTER = 30
BLUR = 8
FRAME = 12
"""Pixels at each edge where the active viewport's own frame is drawn."""


@dataclass(frozen=True)
class Box:
    """Edges of something on the screen, in pixels of the viewport."""

    left: float
    top: float
    right: float
    bottom: float

    def off(self, other: "Box") -> float:
        """Largest distance between the same edges of two boxes."""
        return max(abs(mine - theirs) for mine, theirs in zip(self.edges, other.edges, strict=True))

    @property
    def edges(self) -> tuple[float, float, float, float]:
        return self.left, self.top, self.right, self.bottom

    @property
    def size(self) -> tuple[float, float]:
        """Width and height."""
        return self.right - self.left, self.bottom - self.top


def bright_box(picture: Picture) -> Box:
    """The image's bright block, under an overlay too: no channel is darker than grey."""
    return box_of(largest(picture.min(axis=2) > BRIGHT))


def is_block(picture: Picture) -> bool:
    """Whether a bright block is on the screen; letters and arrows are smaller."""
    mask = picture.min(axis=2) > BRIGHT
    return bool(mask.any()) and min(box_of(largest(mask)).size) > LETTER


def coloured_box(picture: Picture) -> Box:
    """An overlay."""
    return box_of(largest(with_hue(picture)))


def colour_of(picture: Picture) -> tuple[int, int, int]:
    """The colour of an overlay's border, where it is drawn in full."""
    pixels = picture[largest(with_hue(picture))]
    strongest = np.ptp(pixels, axis=1).argsort()[-100:]
    red, green, blue = np.median(pixels[strongest], axis=0)
    return int(red), int(green), int(blue)


def with_hue(picture: Picture) -> NDArray[np.bool_]:
    """(row, column): which pixels have a colour."""
    inner = np.ptp(picture, axis=2)[FRAME:-FRAME, FRAME:-FRAME] > HUE
    return np.pad(inner, FRAME)


def largest(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """The largest connected part: letters and arrows are smaller than a block."""
    parts, count = label(mask)
    assert count, "nothing like it is on the screen"
    return np.asarray(parts == 1 + np.bincount(parts.ravel())[1:].argmax())


def box_of(mask: NDArray[np.bool_]) -> Box:
    """The edges of a mask."""
    down, across = find_objects(mask.astype(np.uint8))[0]
    return Box(across.start, down.start, across.stop, down.stop)


def likeness(seen: Picture, made: NDArray[np.uint8]) -> float:
    """Correlation of the viewport with an RGB picture that was fitted into its middle; letters are blurred."""
    height, width, _ = seen.shape
    rows, columns, _ = made.shape
    scale = min(height / rows, width / columns)
    fitted = Image.fromarray(made).resize((round(columns * scale), round(rows * scale)))
    whole = Image.new("RGB", (width, height))
    whole.paste(fitted, ((width - fitted.width) // 2, (height - fitted.height) // 2))
    one, other = (np.asarray(image.reduce(BLUR)) for image in (Image.fromarray(seen.astype(np.uint8)), whole))
    return float(np.corrcoef(one.ravel(), other.ravel())[0, 1])
