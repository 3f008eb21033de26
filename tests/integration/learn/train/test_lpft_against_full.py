"""`lpft` against all weights, on a base with good features: what it costs here, what it keeps elsewhere.

Drawn images, as `dicomnode bench recipes` has them (which takes five seeds, more images and two worlds); the product's
own training. There is no room here to search for learning rates: both take the fastest of their brackets, at which all
weights forget most.
"""

import pytest

from dicomnode.bench.learning_arms import WITHOUT_REPLAY
from dicomnode.bench.worlds import Images, Wanted, measure
from dicomnode.bench.worlds_drawn import MILD
from dicomnode.bench.worlds_told import World
from dicomnode.learn.train.recipes import RECIPES
from dicomnode.learn.values import RecipeName

pytestmark = pytest.mark.timeout(900)
FULL, LPFT = "full", "lpft"
ARMS = (FULL, WITHOUT_REPLAY)
"""`lpft` as the node runs it: no images of the older domain are shown again."""


def silent(_: str) -> None:
    """Nobody listens."""


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    out = tmp_path_factory.mktemp("worlds")
    images, fastest = Images(of_a=1500, of_test=600), {name: RECIPES[RecipeName(name)].highest for name in (FULL, LPFT)}
    measure(Wanted(out, 1, worlds=(MILD,), arms=ARMS, images=images, epochs_of_base=8, rates=fastest), silent)
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
