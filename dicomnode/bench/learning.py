"""`dicomnode bench learn`: whether learning on site helps, from how many labels on, and what is forgotten.

A base of hospital A is frozen. Hospital B has 50 to 400 labelled images. Every recipe starts from the base; `scratch`
knows B alone. All are judged on the same groups of B, fixed before the first run and never used for a choice, and on
held-out groups of A. Every result is a line of results.jsonl: a bench that is stopped goes on where it was.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from dicomnode.bench.learning_arms import CHOSEN, WITHOUT_REPLAY, Arm, Arms, Ground
from dicomnode.bench.learning_base import Base, Progress, frozen_base
from dicomnode.bench.learning_data import Picture, labelled_at_b, pictures, sealed_at_b
from dicomnode.learn.train.job import Job
from dicomnode.learn.values import RecipeName, Split

SIZES, SEEDS = (50, 100, 200, 400), 5
RECIPES = (
    RecipeName.RECALIBRATE, RecipeName.HEAD, RecipeName.NORM, RecipeName.ADAPTER, RecipeName.LPFT, RecipeName.FULL,
    RecipeName.SCRATCH,
)  # fmt: skip
CHOOSES_AMONG = (RecipeName.RECALIBRATE, RecipeName.HEAD, RecipeName.NORM, RecipeName.ADAPTER, RecipeName.LPFT)
"""What `auto` may take; `full` is for comparison. The recipes' counts do not hold here: 40 groups are too few."""
HYPER_SIZE, TRIALS = 200, 6


@dataclass(frozen=True)
class Wanted:
    """What a bench is to do."""

    out: Path
    a: Path
    b: Path
    sizes: Sequence[int] = SIZES
    seeds: int = SEEDS
    recipes: Sequence[RecipeName] = RECIPES
    plain_sizes: Sequence[int] = ()
    """Sizes at which the published recipe is tried, with one seed."""
    threads: int = 1


def measure(wanted: Wanted, progress: Progress) -> None:
    """Run everything that results.jsonl does not hold yet."""
    wanted.out.mkdir(parents=True, exist_ok=True)
    base = frozen_base(wanted.out, wanted.a.resolve(), wanted.threads, progress)
    bench = Arms(_ground(wanted, base, pictures(wanted.b.resolve())), progress)
    bench.judge_base()
    bench.choose_rates(wanted.recipes, HYPER_SIZE, TRIALS)
    for arm in arms(wanted):
        bench.run(arm)


def _ground(wanted: Wanted, base: Base, of_b: list[Picture]) -> Ground:
    test = set(sealed_at_b(of_b))

    def labelled(seed: int, size: int) -> Iterator[tuple[Picture, Split]]:
        return labelled_at_b(of_b, seed, size)

    def among(_: Job) -> list[RecipeName]:
        return [name for name in CHOOSES_AMONG if name in wanted.recipes]

    judged = {
        "b": base.kept.items([(one, Split.TEST) for one in of_b if one.group in test]),
        "a": base.of_a.of(Split.RETENTION),
    }
    return Ground(wanted.out, base, labelled, judged, among, wanted.threads)


def arms(wanted: Wanted) -> Iterator[Arm]:
    """In the order of running: all of the first seed, then the others; the slow yardstick last of each."""
    for seed in range(wanted.seeds):
        for size in wanted.sizes:
            yield from (Arm(recipe.value, size, seed) for recipe in wanted.recipes)
            if RecipeName.LPFT in wanted.recipes:
                yield Arm(WITHOUT_REPLAY, size, seed)
            yield Arm(CHOSEN, size, seed)
        yield from (Arm(RecipeName.PLAIN.value, size, seed) for size in wanted.plain_sizes)
