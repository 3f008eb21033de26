"""`lpft` against all weights, on a base with good features: what it costs here, what it keeps elsewhere.

Drawn images, as `dicomnode bench recipes` has them; the product's own training. Small in the normal run, five seeds
of the bench's size in the long one. The small one has no room to search for learning rates: both take the fastest of
their brackets, at which all weights forget most.
"""

from pathlib import Path

import pytest

from dicomnode.bench.learning_arms import WITHOUT_REPLAY
from dicomnode.bench.worlds import Images, Wanted, measure
from dicomnode.bench.worlds_drawn import MILD
from dicomnode.bench.worlds_told import World
from dicomnode.learn.train.recipes import RECIPES
from dicomnode.learn.values import RecipeName

FULL, LPFT = "full", "lpft"
ARMS = (FULL, WITHOUT_REPLAY)
"""`lpft` as the node runs it: no images of the older domain are shown again."""


def silent(_: str) -> None:
    """Nobody listens."""


def small(out: Path) -> Wanted:
    images, fastest = Images(of_a=1500, of_test=600), {name: RECIPES[RecipeName(name)].highest for name in (FULL, LPFT)}
    return Wanted(out, 1, worlds=(MILD,), arms=ARMS, images=images, epochs_of_base=8, rates=fastest)


def whole(out: Path) -> Wanted:
    return Wanted(out, worlds=(MILD,), arms=ARMS)


SMALL = pytest.param(small, marks=pytest.mark.timeout(1800), id="one seed")
WHOLE = pytest.param(whole, marks=[pytest.mark.soak, pytest.mark.timeout(7200)], id="five seeds")


@pytest.fixture(scope="module", params=[SMALL, WHOLE])
def world(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> World:
    out = tmp_path_factory.mktemp("worlds")
    measure(request.param(out), silent)
    return World(out, MILD.name)


def mean(world: World, arm: str, place: str) -> float:
    return float(world.auc(arm, place, world.seeds(arm)).mean())


def test_lpft_costs_at_most_0_02_here_and_is_as_good_elsewhere(world: World) -> None:
    here, elsewhere = ({arm: mean(world, arm, place) for arm in ARMS} for place in ("b", "c"))
    on_a = {arm: mean(world, arm, "a") for arm in ARMS}

    assert world.base["a"] > 0.9, "the base has features"
    assert here[WITHOUT_REPLAY] >= here[FULL] - 0.02
    assert elsewhere[WITHOUT_REPLAY] + on_a[WITHOUT_REPLAY] >= elsewhere[FULL] + on_a[FULL]


def test_lpft_forgets_at_most_half_of_what_full_forgets(world: World) -> None:
    lost = {arm: world.base["a"] - mean(world, arm, "a") for arm in ARMS}

    assert lost[WITHOUT_REPLAY] <= max(lost[FULL], 0.0) / 2
