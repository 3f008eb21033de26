"""How soon the watch on drift sees that images come from another scanner, and how often it cries wolf.

Real radiographs through the shipped chest X-ray bundle: as they are, inverted, and as of another scanner (other
contrast curve, less sharp, more noise). Windows of studies are then drawn from what the bundle saw, with replacement,
and looked at by the code of the daily look.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from dicomnode.config.learning import Watch
from dicomnode.index.database import in_parts
from dicomnode.learn.watch.figures import Figure, corrected, discrepancy, distribution, stability
from dicomnode.learn.watch.look import judged
from dicomnode.learn.watch.windows import Seen, Windows
from dicomnode.values import Header, Volume

Pixels = NDArray[np.float32]

REFERENCE = 300
SIZES = (50, 100, 200, 500)
ALARM_P = 0.05
POWER, WITHIN_IMAGES, WITHIN_STUDIES = 0.90, 500, 100
PERMUTATIONS = 399
BATCH = 16
SAME = "no change"


@dataclass(frozen=True)
class Looked:
    """What the bundle made of some images."""

    embeddings: NDArray[np.float64]
    """(image, number)"""
    outputs: NDArray[np.float64]
    """(image,): logit."""

    def drawn(self, count: int, random: np.random.Generator) -> "Looked":
        """So many of them, with replacement."""
        chosen = random.integers(len(self.outputs), size=count)
        return Looked(self.embeddings[chosen], self.outputs[chosen])


@dataclass(frozen=True)
class Rate:
    """How often a change was seen."""

    change: str
    studies: int
    seen: float
    trials: int

    @property
    def is_target(self) -> bool | None:
        """Whether the target is met; None where there is none for this size."""
        if self.change.endswith(SAME):
            return self.seen <= ALARM_P + 2 * math.sqrt(ALARM_P * (1 - ALARM_P) / self.trials)
        within = WITHIN_STUDIES if self.change.startswith("header") else WITHIN_IMAGES
        return self.seen >= POWER if self.studies == within else None


def measure(bundle: Path, data: Path, images: int, trials: int, say: Callable[[str], None]) -> tuple[Rate, ...]:
    """Every rate.

    Args:
        bundle: the chest X-ray bundle.
        data: folder of radiographs (JPEG or PNG).
        images: how many are used as they are; half as many in each changed way.
        trials: windows that are drawn for each rate.
        say: told what is being done.
    """
    random = np.random.default_rng(20261121)
    pictures = _pictures(data, images, random)
    say(f"{len(pictures)} radiographs through {bundle.name}")
    look = _looker(bundle)
    usual = look(pictures)
    ways: Mapping[str, Callable[[Pixels], Pixels]] = {
        "inverted": lambda pixels: pixels.max() - pixels,
        "another scanner": lambda pixels: _other_scanner(pixels, random),
    }
    changed = {SAME: usual}
    for name, way in ways.items():
        say(f"{len(pictures) // 2} of them {name}")
        changed[name] = look([way(pixels) for pixels in pictures[: len(pictures) // 2]])
    say("windows of studies")
    rates = [
        Rate(name, studies, _seen_rate(usual, after, studies, trials, random), trials)
        for name, after in changed.items()
        for studies in SIZES
    ]
    return (*rates, *_header_rates(trials, random))


def image_figures(before: Looked, now: Looked, seed: int) -> tuple[Figure, ...]:
    """The figures of the daily look that images and outputs give, corrected for their number."""
    count = len(now.outputs)
    embedding = discrepancy(before.embeddings, now.embeddings, seed, PERMUTATIONS)
    outputs, index = distribution(before.outputs, now.outputs), stability(before.outputs, now.outputs)
    return corrected(
        [
            Figure("embedding", *embedding, count, ""),
            Figure("output", *outputs, count, ""),
            Figure("output, PSI", *index, count, "", least=Watch().psi),
        ]
    )


def _seen_rate(before: Looked, after: Looked, studies: int, trials: int, random: np.random.Generator) -> float:
    def one(seed: int) -> bool:
        figures = image_figures(before.drawn(REFERENCE, random), after.drawn(studies, random), seed)
        return _is_seen(figures)

    return sum(one(seed) for seed in range(trials)) / trials


def _header_rates(trials: int, random: np.random.Generator) -> list[Rate]:
    """Of two scanners that share the work the smaller one, with 30 %, is replaced; and is not."""
    swaps = {f"header, {SAME}": "two", "header, the scanner of 30 % of studies replaced": "three"}
    watch = Watch(min_studies=25)

    def seen(second: str, studies: int) -> bool:
        before = [_study("two", random) for _ in range(REFERENCE)]
        figures = judged(_windows(before, second, studies, random), watch)
        return _is_seen([one for one in figures if one.name.startswith("header")])

    return [
        Rate(change, studies, sum(seen(second, studies) for _ in range(trials)) / trials, trials)
        for change, second in swaps.items()
        for studies in (25, 50, 100)
    ]


def _windows(before: list[Seen], second: str, studies: int, random: np.random.Generator) -> Windows:
    return Windows("model", "digest", tuple(before), tuple(_study(second, random) for _ in range(studies)))


def _study(second: str, random: np.random.Generator) -> Seen:
    name = second if random.random() < 0.3 else "one"
    volts = {"one": 120.0, "two": 110.0, "three": 90.0}[name] + random.choice([-5, 0, 5])
    header = {
        "Manufacturer": "ACME",
        "ManufacturerModelName": name,
        "KVP": f"{volts:g}",
        "ViewPosition": str(random.choice(["PA", "AP"], p=[0.8, 0.2])),
        "PatientSex": str(random.choice(["F", "M"])),
        "PatientAge": f"{int(random.integers(18, 95)):03d}Y",
    }
    return Seen(0, Header(header), {}, {}, outside=False, withheld=False)


def _is_seen(figures: Sequence[Figure]) -> bool:
    return any(one.p is not None and one.p < ALARM_P and (one.value or 0.0) >= one.least for one in figures)


def _pictures(data: Path, images: int, random: np.random.Generator) -> list[Pixels]:
    from PIL import Image

    files = sorted(path for path in data.rglob("*") if path.suffix.lower() in (".jpeg", ".jpg", ".png"))
    chosen = random.permutation(len(files))[:images]
    found = []
    for number in chosen:
        with Image.open(files[number]) as picture:
            found.append(np.asarray(picture.convert("L"), np.float32))
    return found


def _other_scanner(pixels: Pixels, random: np.random.Generator) -> Pixels:
    """Another contrast curve, a detector that is less sharp, and more noise."""
    from scipy.ndimage import gaussian_filter

    scaled = np.clip(pixels / max(1.0, float(pixels.max())), 0, 1) ** 0.7
    noisy = gaussian_filter(scaled, 0.8) + random.normal(0, 0.02, pixels.shape)
    return np.asarray(255 * np.clip(noisy, 0, 1), np.float32)


def _looker(folder: Path) -> Callable[[list[Pixels]], Looked]:
    import torch

    from dicomnode.infer.bundle import load_bundle
    from dicomnode.infer.domain import features_of, load_domain
    from dicomnode.infer.embedding import embedding
    from dicomnode.infer.grid import network_input

    bundle = load_bundle(folder)
    domain = load_domain(folder / str(bundle.dicom.domain.check))

    def look(pictures: list[Pixels]) -> Looked:
        numbers: list[tuple[float, ...]] = []
        outputs: list[float] = []
        keep = bundle.network.register_forward_hook(lambda _m, _i, output: outputs.extend(output[:, 0].tolist()))
        for some in in_parts(pictures, BATCH):
            volumes = [Volume(one[None], np.eye(4), (), "", None, False) for one in some]
            images = torch.stack([network_input(bundle, one).as_tensor().float() for one in volumes])
            features = features_of(bundle.network, images, domain.modules())
            for place, image in enumerate(images):
                own = {name: values[place : place + 1] for name, values in features.items()}
                numbers.append(embedding(image, domain.score(image[None], own).seen))
        keep.remove()
        return Looked(np.array(numbers), np.array(outputs))

    return look
