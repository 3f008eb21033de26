"""The recipe `plain`: what is commonly published, done as it is published, as a yardstick.

ResNet50 from random weights on 256 × 256 with values from 0 to 1, learning rate 0.001, batches of 32, 10 epochs; where
fewer than 90 % of the validation images are answered rightly, once more with another learning rate.
"""

from dataclasses import replace

import torch
from monai.networks.nets import resnet50
from torch import Tensor, nn

from dicomnode.bundles.dicom_toml import Kind
from dicomnode.errors import ModelFault
from dicomnode.infer.bundle import Bundle
from dicomnode.learn.train.classifying import Classifying, logits_of_pool
from dicomnode.learn.train.fitting import Fit, Wanted, count, course_of, example, pools
from dicomnode.learn.train.loop import Shown, Subject, run
from dicomnode.learn.train.parts import Group
from dicomnode.learn.train.pool import Pool, in_order
from dicomnode.learn.train.recipes import PLAIN_ACCURACY, PLAIN_RATES, PLAIN_SIZE

FEATURES = 2048


class Plain(nn.Module):
    """ResNet50 on what a bundle's preprocessing gives, brought to 256 × 256 and to 0..1.

    A CPU with instructions for bfloat16 uses them for the features: it is three times as fast so.
    """

    def __init__(self, channels: int, outputs: int) -> None:
        super().__init__()
        self.features = resnet50(spatial_dims=2, n_input_channels=channels, conv1_t_stride=2, feed_forward=False)
        self.features.to(memory_format=torch.channels_last)
        self.head = nn.Linear(FEATURES, outputs)

    def forward(self, images: Tensor) -> Tensor:
        """(batch, output) of (batch, channel, row, column)."""
        low, high = images.amin((1, 2, 3), keepdim=True), images.amax((1, 2, 3), keepdim=True)
        scaled = (images - low) / (high - low).clamp_min(torch.finfo(images.dtype).tiny)
        sized = nn.functional.interpolate(scaled, (PLAIN_SIZE, PLAIN_SIZE), mode="bilinear", antialias=True)
        with torch.autocast("cpu", torch.bfloat16, enabled=torch.cpu.get_capabilities().get("avx512_bf16", False)):
            features = self.features(sized)
        found: Tensor = self.head(features.to(self.head.weight.dtype))
        return found


def fit_plain(wanted: Wanted) -> Fit:
    """The better of at most two tries.

    Raises:
        ModelFault: the bundle takes volumes, or does not classify.
    """
    if wanted.dimensions != 2 or wanted.bundle.dicom.model.kind is not Kind.CLASSIFICATION:
        raise ModelFault("the recipe plain is for classifications of 2D images alone")
    shown, tries = pools(wanted, augmented=False), []
    for rate in (wanted.learning_rate,) if wanted.learning_rate else PLAIN_RATES:
        fit = _tried(replace(wanted, learning_rate=rate, name=f"{wanted.name}-{rate:g}"), shown)
        tries.append((accuracy(wanted.bundle, fit.network, shown.stop), fit))
        if tries[-1][0] >= PLAIN_ACCURACY:
            break
    best = max(tries, key=lambda one: one[0])
    notes = tuple(f"plain: learning rate {fit.learning_rate:g}, {share:.0%} right" for share, fit in tries)
    return replace(best[1], notes=notes)


def _tried(wanted: Wanted, shown: Shown) -> Fit:
    image = example(shown.train)
    with torch.no_grad():
        outputs = wanted.bundle.network.eval()(image).shape[1]
    torch.manual_seed(wanted.seed)
    network = Plain(image.shape[1], outputs)
    names = tuple(name for name, _ in network.named_parameters())
    course = replace(course_of(wanted, wanted.recipe.batch_2d), statistics=True, flat=True)
    task = Classifying(wanted.bundle, shown.train, balanced=False)
    told = run(Subject(network, task, [Group(names)]), Shown(shown.train, None), course, wanted.say)
    network_def = {"_target_": f"{__name__}.{Plain.__name__}", "channels": image.shape[1], "outputs": outputs}
    return Fit(network, told, course.learning_rate, count(network, names), network_def=network_def)


def accuracy(bundle: Bundle, network: nn.Module, pool: Pool | None) -> float:
    """Share of known labels that are on the right side of one half; 0 where there are none."""
    if pool is None:
        return 0.0
    targets = torch.cat([batch["targets"] for batch in in_order(pool, len(pool))]).numpy()
    known = targets == targets
    right = (logits_of_pool(bundle, network, pool) > 0) == (targets == 1)
    return float(right[known].mean()) if known.any() else 0.0
