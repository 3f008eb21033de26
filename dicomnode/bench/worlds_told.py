"""What `dicomnode bench recipes` found: means over the seeds with their intervals, and the targets."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.table import Table
from scipy.stats import t

from dicomnode.bench.learning_arms import CHOSEN, WITHOUT_REPLAY, rows
from dicomnode.bench.learning_told import Between
from dicomnode.bench.worlds import ARMS
from dicomnode.bench.worlds_drawn import MILD, WORLDS
from dicomnode.learn.values import RecipeName

Floats = NDArray[np.float64]
FULL, LPFT = RecipeName.FULL.value, RecipeName.LPFT.value
SMALL = (RecipeName.NORM.value, RecipeName.ADAPTER.value)
HELD = (WITHOUT_REPLAY, LPFT)
"""As the node runs it, and with images of A."""
AS_GOOD_AS_FULL, NEAR, OFTEN, LOCAL_COST = 0.98, 0.02, 0.8, 0.02
LEVEL = 0.95


@dataclass(frozen=True)
class Judged:
    """One target in one world."""

    target: str
    world: str
    words: str
    found: str
    margin: float
    """By how much it was reached; negative: missed."""
    counts: bool = True
    """Whether the world is one that the target is about."""

    @property
    def verdict(self) -> str:
        """For a table."""
        words = "reached" if self.margin >= 0 else "MISSED"
        return words if self.counts else f"({words.lower()})"


class World:
    """The results of one world."""

    def __init__(self, out: Path, name: str) -> None:
        self.name = name
        found = rows(out / name)
        self.base: Mapping[str, float] = next((row["auc"] for row in found if row["arm"] == "base"), {})
        self.arms: dict[str, dict[int, dict[str, Any]]] = {}
        for row in found:
            if row["arm"] != "base":
                self.arms.setdefault(row["arm"], {})[row["seed"]] = row
        self.size = max((row["size"] for row in found), default=0)

    def seeds(self, *arms: str) -> list[int]:
        """Those that each of these arms has."""
        return sorted(set.intersection(*(set(self.arms.get(arm, {})) for arm in arms)))

    def auc(self, arm: str, place: str, seeds: Sequence[int]) -> Floats:
        """Of these seeds: at the world's own test images (b), on A (a), on C (c)."""
        return np.array([self.arms[arm][seed]["auc"][place] for seed in seeds])

    def apart(self, one: str, other: str, place: str) -> Floats:
        """How much better one arm is than another, seed by seed."""
        seeds = self.seeds(one, other)
        return self.auc(one, place, seeds) - self.auc(other, place, seeds)

    def lost(self, arm: str, seeds: Sequence[int]) -> Floats:
        """Of the base's AUC on A, seed by seed."""
        return self.base["a"] - self.auc(arm, "a", seeds)


def worlds(out: Path) -> list[World]:
    """Those that a bench's folder holds."""
    found = [World(out, domain.name) for domain in WORLDS]
    return [world for world in found if world.arms]


def over_seeds(values: Floats) -> Between:
    """Their mean, with its interval by Student's t; of one seed there is none."""
    mean, spread = float(values.mean()), float("nan")
    if len(values) > 1:
        spread = float(t.ppf((1 + LEVEL) / 2, len(values) - 1) * values.std(ddof=1) / np.sqrt(len(values)))
    return Between(mean, mean - spread, mean + spread)


def figures_table(world: World) -> Table:
    """One row an arm."""
    table = Table(title=f"world {world.name}, {world.size} labelled images: AUC, mean over seeds (95 %)")
    for heading in ("arm", "trains", "seeds", "here", "on A", "lost on A", "on C"):
        table.add_column(heading)
    table.add_row("base", "", "", f"{world.base['b']:.3f}", f"{world.base['a']:.3f}", "", f"{world.base['c']:.3f}")
    for arm in (name for name in ARMS if name in world.arms):
        seeds = world.seeds(arm)
        here, on_a, on_c = (over_seeds(world.auc(arm, place, seeds)) for place in ("b", "a", "c"))
        lost = f"{world.base['a'] - on_a.value:+.3f}"
        name = arm if arm != CHOSEN else f"{arm}: {_taken(world)}"
        table.add_row(name, _share(world, arm), str(len(seeds)), str(here), str(on_a), lost, str(on_c))
    return table


def targets_table(found: Sequence[Judged]) -> Table:
    """One row a target and world; in brackets where the target is not about this world."""
    table = Table(title="targets")
    for heading in ("", "world", "target", "found (95 % over seeds)", "margin", ""):
        table.add_column(heading)
    for one in found:
        table.add_row(one.target, one.world, one.words, one.found, f"{one.margin:+.3f}", one.verdict)
    return table


def targets(world: World) -> list[Judged]:
    """All that the world has the arms for."""
    return [*small_against_full(world), *choice(world), *held_against_full(world), *forgetting(world)]


def small_against_full(world: World) -> Iterator[Judged]:
    """T3: the better of the small adapters, against all weights."""
    seeds = world.seeds(FULL, *SMALL)
    if not seeds:
        return
    best = max(SMALL, key=lambda arm: float(world.auc(arm, "b", seeds).mean()))
    ratio = over_seeds(world.auc(best, "b", seeds) / world.auc(FULL, "b", seeds))
    words = f"{best} ({_share(world, best)} of the parameters) ≥ 98 % of full's AUC"
    yield Judged("T3", world.name, words, str(ratio), ratio.value - AS_GOOD_AS_FULL)


def choice(world: World) -> Iterator[Judged]:
    """T4: what inner cross-validation takes, against the best of what it might have taken."""
    seeds = world.seeds(CHOSEN)
    if not seeds:
        return
    behind = np.array([_behind(world, seed) for seed in seeds])
    near = float((behind <= NEAR).mean())
    words = "chosen rung within 0.02 of the best allowed one in ≥ 80 % of seeds"
    found = f"{int((behind <= NEAR).sum())} of {len(seeds)}; behind by {behind.mean():.3f}, at most {behind.max():.3f}"
    yield Judged("T4", world.name, words, found, near - OFTEN)


def held_against_full(world: World) -> Iterator[Judged]:
    """T5: `lpft` against all weights; about a base whose features are good."""
    for arm in HELD:
        if not world.seeds(arm, FULL):
            continue
        here = over_seeds(world.apart(arm, FULL, "b"))
        away = over_seeds((world.apart(arm, FULL, "c") + world.apart(arm, FULL, "a")) / 2)
        good = world.name == MILD.name
        yield Judged("T5", world.name, f"{arm}: here ≥ full - 0.02", here.signed(), here.value + LOCAL_COST, good)
        yield Judged("T5", world.name, f"{arm}: mean of C and A ≥ full's", away.signed(), away.value, good)


def forgetting(world: World) -> Iterator[Judged]:
    """T6: what `lpft` loses on A, against what all weights lose; with what that costs here."""
    for arm in HELD:
        if not (seeds := world.seeds(arm, FULL)):
            continue
        ours, full = (float(world.lost(one, seeds).mean()) for one in (arm, FULL))
        found = f"{ours:.3f} of {full:.3f}; here {over_seeds(world.apart(arm, FULL, 'b')).signed()}"
        words = f"{arm} loses at most half of what full loses on A"
        yield Judged("T6", world.name, words, found, max(full, 0.0) / 2 - ours)


def _behind(world: World, seed: int) -> float:
    row = world.arms[CHOSEN][seed]
    best = max(float(world.arms[name][seed]["auc"]["b"]) for name in row["cv"])
    return best - float(row["auc"]["b"])


def _share(world: World, arm: str) -> str:
    row = next(iter(world.arms[arm].values()))
    return f"{(row['trainable'] or 0) / (row['total'] or 1):.1%}" if arm != CHOSEN else ""


def _taken(world: World) -> str:
    taken = Counter(row["recipe"] for row in world.arms[CHOSEN].values())
    return ", ".join(f"{number} {name}" for name, number in taken.items())
