"""The recipes as figures: learning rates, epochs, batches, and the patients below which a recipe is not tried.

Rates, decay and batches were chosen before any data of a site was seen; the search stays inside their brackets.
"""

from dataclasses import dataclass

from dicomnode.learn.values import RecipeName


@dataclass(frozen=True)
class Recipe:
    """How one recipe trains."""

    name: RecipeName
    learning_rate: float = 0.0
    lowest: float = 0.0
    """Bracket of the search for a learning rate."""
    highest: float = 0.0
    weight_decay: float = 0.0
    """Of weights; biases and norm layers have none."""
    epochs: int = 0
    """At most."""
    batch_2d: int = 32
    batch_3d: int = 2
    patients: int = 0
    """Fewer, outside the test sets, and `auto` does not try it."""
    positives: int = 0
    """Patients of the rarer class of every finding, likewise."""

    def batch(self, dimensions: int) -> int:
        """Images of one step."""
        return self.batch_2d if dimensions == 2 else self.batch_3d


RECIPES = {
    recipe.name: recipe
    for recipe in (
        Recipe(RecipeName.RECALIBRATE, patients=100, positives=30),
        Recipe(RecipeName.HEAD, 5e-3, 1e-3, 1e-2, 1e-4, 50, batch_2d=256, batch_3d=256, patients=50, positives=10),
        Recipe(RecipeName.NORM, 1e-3, 3e-4, 5e-3, 0.0, 40, patients=200, positives=20),
        Recipe(RecipeName.ADAPTER, 5e-4, 1e-4, 2e-3, 0.01, 40, patients=300, positives=30),
        Recipe(RecipeName.LPFT, 5e-5, 3e-5, 1e-4, 0.05, 30, patients=1000, positives=50),
        Recipe(RecipeName.FULL, 1e-4, 3e-5, 3e-4, 0.05, 50, patients=3000, positives=100),
        Recipe(RecipeName.SCRATCH, 1e-3, 3e-4, 3e-3, 0.05, 50),
        Recipe(RecipeName.PLAIN, 1e-3, 1e-3, 1e-3, 0.0, 10, batch_3d=32),
    )
}
LADDER = (
    RecipeName.RECALIBRATE, RecipeName.HEAD, RecipeName.NORM, RecipeName.ADAPTER, RecipeName.LPFT, RecipeName.FULL,
)  # fmt: skip
"""From the smallest change to the largest; `auto` takes the smaller of two that are equally good."""
FEWER_FOR_VOLUMES = 5
"""A 3D segmentation has a label in every voxel: it needs so many times fewer patients."""
WARM_UP = 0.05
CLIP = 1.0
EMA = 0.999
EMA_FROM_STEPS = 1000
LARGEST_WEIGHT = 10.0
"""Of the rarer class."""
SMOOTHING = 0.05
"""Of labels that were read out of reports."""
PATIENCE, LEAST_EPOCHS = 5, 3
HEAD_FASTER, LAYER_DECAY, L2_SP, REPLAY, HEAD_EPOCHS = 10.0, 0.8, 1e-2, 0.25, 10
"""Of `lpft`."""
ALPHAS = (0.25, 0.5, 0.75, 1.0)
"""Of `lpft`: how far from the base to the trained weights (WiSE-FT)."""
STATISTICS_FROM_BATCH = 16
"""`full` lets batch norm follow the data from this batch size on."""
LORA_RANK, LORA_RANK_TRANSFORMER, LORA_DROPOUT = 4, 8, 0.05
PLAIN_SIZE, PLAIN_ACCURACY, PLAIN_RATES = 256, 0.90, (1e-3, 1e-4)
RAMP_STEPS = 24
"""Of the range test."""
