"""`dicomnode bench recipes`: the recipes and the choice among them in two drawn worlds whose shift is known.

A base is trained on domain A. In the world `mild` its features are good; in `large` contrast, sharpness and size of the
lesions are others. Domain C stands for what a candidate meets and nobody labelled. Everything is trained by the
product's own code. A seed is a draw of labelled images and the chance of training; base and test images stay. The
images are drawn: this looks for faults in our code, and is no evidence about hospitals.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from dicomnode.bench.learning_arms import CHOSEN, WITHOUT_REPLAY, Arm, Arms, Ground
from dicomnode.bench.learning_base import DICOM, Base, Design, Progress, frozen_base
from dicomnode.bench.learning_data import OF_B, Picture, groups_of, parted
from dicomnode.bench.worlds_drawn import WORLDS, A, C, Domain, drawn
from dicomnode.learn.train.counting import ladder
from dicomnode.learn.values import Item, RecipeName, Split

SIZE, SEEDS, TRIALS = 300, 5, 4
RECIPES = (
    RecipeName.RECALIBRATE, RecipeName.HEAD, RecipeName.NORM, RecipeName.ADAPTER, RecipeName.LPFT, RecipeName.FULL,
)  # fmt: skip
ARMS = (*(recipe.value for recipe in RECIPES), WITHOUT_REPLAY, CHOSEN)
"""`lpft` is shown images of A as well; without them it runs in the node."""
NETWORK = {
    "_target_": "DenseNet", "spatial_dims": 2, "in_channels": 1, "out_channels": 1, "init_features": 16,
    "growth_rate": 20, "bn_size": 2, "block_config": [2, 2, 2],
}  # fmt: skip
"""57,919 parameters, with batch norm."""
PREPROCESSING = (
    {"_target_": "LoadImaged", "keys": "image", "reader": "PILReader", "reverse_indexing": False},
    {"_target_": "EnsureChannelFirstd", "keys": "image"},
    {
        "_target_": "ScaleIntensityRanged", "keys": "image", "a_min": 0.0, "a_max": 255.0, "b_min": -1.0, "b_max": 1.0,
    },
)  # fmt: skip
MODEL = {
    "name": "base", "kind": "classification", "title": "A drawn lesion",
    "intended_use": "Bench of learning on drawn images. Not for clinical use.",
}  # fmt: skip
FINDING = {
    "index": 0, "threshold": 0.5, "concept": {"value": "52988006", "scheme": "SCT", "meaning": "Lesion"},
}  # fmt: skip


@dataclass(frozen=True)
class Images:
    """How many are drawn."""

    of_a: int = 2400
    """For the base: 40 % of them train it, 30 % are held out for ever."""
    of_test: int = 1500
    """Of a world, and of C."""


@dataclass(frozen=True)
class Wanted:
    """What a bench is to do."""

    out: Path
    seeds: int = SEEDS
    size: int = SIZE
    """Labelled images of a world; 60 % of them train, 20 % stop early and choose, 20 % calibrate."""
    threads: int = 1
    worlds: Sequence[Domain] = WORLDS
    arms: Sequence[str] = ARMS
    images: Images = field(default_factory=Images)
    epochs_of_base: int = 15
    trials: int = TRIALS
    """Of a learning rate for each recipe and world, on the first seed's images."""
    rates: Mapping[str, float] | None = None
    """Of recipes by name: then none is searched for, and a recipe that is not named takes its own."""


def measure(wanted: Wanted, progress: Progress) -> None:
    """Run everything that is not there yet: all of the first seed in each world, then the others."""
    drawn_a = wanted.out / "drawn" / A.name
    drawn(drawn_a, A, 0, wanted.images.of_a)
    base = frozen_base(wanted.out, drawn_a, wanted.threads, progress, design(wanted.epochs_of_base))
    places = {domain.name: Arms(_ground(wanted, base, domain), progress) for domain in wanted.worlds}
    for name, place in places.items():
        progress(f"world {name}")
        place.judge_base()
        if wanted.rates is not None:
            place.rates = dict(wanted.rates)
        else:
            place.choose_rates(recipes(wanted.arms), wanted.size, wanted.trials)
    for seed in range(wanted.seeds):
        for name, place in places.items():
            progress(f"world {name}")
            for arm in wanted.arms:
                place.run(Arm(arm, wanted.size, seed))


def recipes(arms: Sequence[str]) -> list[RecipeName]:
    """What these arms train, each once, the smallest change first."""
    trained = {Arm(arm, 0, 0).recipe for arm in arms if arm != CHOSEN}
    return [name for name in RECIPES if name in trained]


def design(epochs: int) -> Design:
    """Of the base."""
    dicom = DICOM | {"model": DICOM["model"] | MODEL, "findings": [FINDING]}
    return Design(NETWORK, PREPROCESSING, dicom, epochs)


def _ground(wanted: Wanted, base: Base, domain: Domain) -> Ground:
    def labelled(seed: int, size: int) -> Iterator[tuple[Picture, Split]]:
        folder = wanted.out / "drawn" / f"{domain.name}-{seed}-{size}"
        found = drawn(folder, domain, seed + 1, size)
        where = parted(groups_of(found, 0), OF_B) | parted(groups_of(found, 1), OF_B)
        return ((picture, where[picture.group]) for picture in found)

    def test(of: Domain) -> tuple[Item, ...]:
        found = drawn(wanted.out / "drawn" / f"{of.name}-test", of, 0, wanted.images.of_test)
        return base.kept.items([(picture, Split.TEST) for picture in found])

    out = wanted.out / domain.name
    out.mkdir(parents=True, exist_ok=True)
    judged = {"b": test(domain), "a": base.of_a.of(Split.RETENTION), "c": test(C)}
    return Ground(out, base, labelled, judged, ladder, wanted.threads)
