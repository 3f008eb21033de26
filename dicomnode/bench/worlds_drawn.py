"""The drawn images of `dicomnode bench recipes`: a lesion or none, on texture with vessels, in four domains.

The domains were fixed by how well the base does on them, and by nothing that a recipe did: on `a` an AUC of 0.97 to
0.98, on `mild` about 0.90, on `large` about 0.6. They are drawn, and say nothing about hospitals: what is tested is
our own code.
"""

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy.ndimage import gaussian_filter

from dicomnode.bench.learning_data import Picture, pictures

Floats = NDArray[np.float64]
SIDE = 40
GREY, STEP = 128.0, 28.0
"""Grey value of nothing, and of one unit of height."""
VESSELS = 3
"""At most, in any image."""


@dataclass(frozen=True)
class Domain:
    """How one place's images look. Lengths in pixels; heights in units of the texture's standard deviation."""

    name: str
    number: int
    """Of its chance."""
    radius: tuple[float, float] = (2.0, 3.0)
    height: float = 6.0
    """Of a lesion, on average."""
    contrast: float = 1.0
    """Negative: a lesion is darker than what is around it."""
    blur: float = 0.0
    """Standard deviation."""
    noise: float = 0.4
    grain: float = 2.0
    """Of the texture."""


A = Domain("a", 1)
MILD = Domain("mild", 2, radius=(1.7, 2.6), height=5.5, contrast=0.85, blur=0.5, noise=0.5)
LARGE = Domain("large", 3, radius=(2.5, 4.0), height=4.0, contrast=-0.75, blur=1.0)
C = Domain("c", 4, radius=(2.5, 3.5), height=6.0, contrast=0.7, noise=0.6, grain=1.6)
WORLDS = (MILD, LARGE)


def drawn(folder: Path, domain: Domain, part: int, images: int) -> list[Picture]:
    """So many images of a domain, half of them with a lesion, each a patient of its own; drawn once.

    A part has a chance of its own: no image of one is in another. Of one part, the first images are always the same.
    """
    if not (folder / "index.csv").is_file():
        folder.mkdir(parents=True, exist_ok=True)
        rows = list(_written(folder, domain, part, images))
        making = folder / "index.part"
        with making.open("w", encoding="utf-8", newline="") as file:
            csv.writer(file).writerows([("path", "label", "group"), *rows])
        making.replace(folder / "index.csv")
    return pictures(folder)


def _written(folder: Path, domain: Domain, part: int, images: int) -> Iterator[tuple[str, int, str]]:
    for number in range(images):
        label, rng = number % 2, np.random.default_rng([domain.number, part, number])
        name = f"{number:05}.png"
        Image.fromarray(image(domain, rng, lesion=bool(label))).save(folder / name)
        yield name, label, f"{domain.name} {part} {number}"


def image(domain: Domain, rng: np.random.Generator, *, lesion: bool) -> NDArray[np.uint8]:
    """One image (row, column)."""
    heights = _texture(domain.grain, rng)
    for _ in range(rng.integers(0, VESSELS + 1)):
        heights += _vessel(rng)
    if lesion:
        heights += _lesion(domain, rng)
    seen = domain.contrast * gaussian_filter(heights, domain.blur) if domain.blur else domain.contrast * heights
    noisy = seen + domain.noise * rng.standard_normal(seen.shape)
    return np.clip(np.rint(GREY + STEP * noisy), 0, 255).astype(np.uint8)


def _texture(grain: float, rng: np.random.Generator) -> Floats:
    found = gaussian_filter(rng.standard_normal((SIDE, SIDE)), grain, mode="wrap")
    return np.asarray(found / found.std())


def _vessel(rng: np.random.Generator) -> Floats:
    """A bright straight line from edge to edge, one to two pixels wide."""
    (row, column), angle = rng.uniform(0, SIDE, 2), rng.uniform(0, np.pi)
    away = (_rows() - row) * np.cos(angle) - (_columns() - column) * np.sin(angle)
    return np.asarray(rng.uniform(1.0, 3.0) * np.exp(-0.5 * (away / rng.uniform(0.6, 1.2)) ** 2))


def _lesion(domain: Domain, rng: np.random.Generator) -> Floats:
    """A bright disc with a soft edge."""
    radius, height = rng.uniform(*domain.radius), domain.height * rng.uniform(0.6, 1.4)
    row, column = rng.uniform(radius + 1, SIDE - radius - 1, 2)
    away = np.hypot(_rows() - row, _columns() - column)
    return np.asarray(height / (1 + np.exp(2 * (away - radius))))


def _rows() -> Floats:
    return np.arange(SIDE, dtype=np.float64)[:, None]


def _columns() -> Floats:
    return np.arange(SIDE, dtype=np.float64)[None]
