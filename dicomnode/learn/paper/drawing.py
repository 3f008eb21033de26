"""Small pictures of cases. At most 128 pixels wide: text that was burnt into an image cannot be read in them."""

import io
from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Floats = NDArray[np.float32]
Bools = NDArray[np.bool_]
Colour = tuple[int, int, int]
WIDEST = 128
HOT: Colour = (255, 120, 20)
LABEL: Colour = (70, 200, 255)
ANSWER: Colour = (255, 170, 0)
HALF = 0.5


def grey(plane: Floats) -> NDArray[np.uint8]:
    """A plane (row, column) as (row, column, 3), its middle 98 % over all greys; small enough to name nobody."""
    told = plane[np.isfinite(plane)]
    low, high = np.quantile(told, [0.01, 0.99]) if told.size else (0.0, 1.0)
    scaled = np.clip((np.nan_to_num(plane) - low) / max(float(high - low), 1e-6), 0, 1)
    picture = Image.fromarray((255 * scaled).astype(np.uint8)).resize(_size(plane.shape), Image.Resampling.BOX)
    return np.repeat(np.asarray(picture)[..., None], 3, axis=2)


def heated(picture: NDArray[np.uint8], attention: Floats) -> NDArray[np.uint8]:
    """The picture with attention (row, column) from 0 to 1 in orange, and a line around its upper half.

    The line is there for who prints in grey.
    """
    map_ = np.asarray(Image.fromarray(attention.astype(np.float32)).resize(picture.shape[1::-1]))
    share = 0.55 * np.clip(map_, 0, 1)[..., None]
    mixed = (1 - share) * picture + share * np.asarray(HOT)
    return _drawn(mixed.astype(np.uint8), [(map_ >= HALF * max(float(map_.max()), 1e-6), (255, 255, 255), False)])


def outlined(picture: NDArray[np.uint8], label: Bools, answer: Bools) -> NDArray[np.uint8]:
    """The picture with the label's outline, and the candidate's dashed over it; both (row, column)."""
    return _drawn(picture, [(_fitted(label, picture), LABEL, False), (_fitted(answer, picture), ANSWER, True)])


def png(picture: NDArray[np.uint8]) -> bytes:
    """A picture (row, column, 3) as a file, without any text in it."""
    file = io.BytesIO()
    Image.fromarray(picture).save(file, "PNG", optimize=True)
    return file.getvalue()


def _drawn(picture: NDArray[np.uint8], outlines: Iterable[tuple[Bools, Colour, bool]]) -> NDArray[np.uint8]:
    drawn = picture.copy()
    rows, columns = np.indices(picture.shape[:2])
    for mask, colour, dashed in outlines:
        edge = _edge(mask) & ((rows + columns) // 3 % 2 == 0 if dashed else True)
        drawn[edge] = colour
    return drawn


def _edge(mask: Bools) -> Bools:
    """The outermost pixels of a mask."""
    padded = np.pad(mask, 1)
    inner = padded[:-2, 1:-1] & padded[2:, 1:-1] & padded[1:-1, :-2] & padded[1:-1, 2:]
    return np.asarray(mask & ~inner)


def _fitted(mask: Bools, picture: NDArray[np.uint8]) -> Bools:
    one = Image.fromarray((255 * mask).astype(np.uint8)).resize(picture.shape[1::-1], Image.Resampling.NEAREST)
    return np.asarray(one) > 127


def _size(shape: tuple[int, ...]) -> tuple[int, int]:
    """(width, height) of the picture; a smaller plane stays as it is."""
    scale = min(1.0, WIDEST / max(shape))
    return max(1, round(shape[1] * scale)), max(1, round(shape[0] * scale))
