"""The recipe `head`: the last layer, on features that the frozen network gives once.

Where the last layer is not all that comes after its features (a segmentation, a detector, a network that ends in an
activation), the whole network runs, and nothing but the head changes.
"""

import copy
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from dicomnode.bundles.dicom_toml import Kind
from dicomnode.learn.train.fitting import (
    Fit,
    Wanted,
    count,
    course_of,
    example,
    pools,
    replaced,
    task_for,
)  # fmt: skip
from dicomnode.learn.train.loop import Shown, Subject, run
from dicomnode.learn.train.parts import decayed, head_of, head_parameters, state_of
from dicomnode.learn.train.pool import Batch, FixedPool, Pool, in_order

AT_ONCE = 32
NEARLY = 1e-4


def fit_head(wanted: Wanted) -> Fit:
    """The last layer alone."""
    network = copy.deepcopy(wanted.bundle.network).to(wanted.device)
    plain = pools(wanted, augmented=False)
    head = head_of(network, example(plain.train).to(wanted.device))
    if wanted.bundle.dicom.model.kind is Kind.CLASSIFICATION and _ends_there(network, head, example(plain.train)):
        return _on_features(wanted, network, head, plain)
    names = head_parameters(network, head)
    before, shown = state_of(network), pools(wanted)
    course = course_of(wanted, 32 if wanted.dimensions == 2 else 2)
    groups = list(decayed(network, names, wanted.recipe.weight_decay))
    told = run(Subject(network, task_for(wanted, shown.train), groups), shown, course, wanted.say)
    return Fit(network, told, course.learning_rate, count(network, names), replaced(network, names, before))


def _on_features(wanted: Wanted, network: nn.Module, head: str, plain: Shown) -> Fit:
    before = state_of(network)
    train = FixedPool(_features(network, head, plain.train))
    stop = None if plain.stop is None else FixedPool(_features(network, head, plain.stop))
    layer, course = network.get_submodule(head), course_of(wanted, wanted.recipe.batch(wanted.dimensions))
    groups = list(decayed(layer, [name for name, _ in layer.named_parameters()], wanted.recipe.weight_decay))
    told = run(Subject(layer, task_for(wanted, train), groups), Shown(train, stop), course, wanted.say)
    names = head_parameters(network, head)
    return Fit(network, told, course.learning_rate, count(network, names), replaced(network, names, before))


@dataclass
class _Seen:
    """What a layer was given last."""

    given: Tensor | None = None

    def __call__(self, _: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        """Remember it."""
        self.given = inputs[0].detach()


def _given(network: nn.Module, head: str, images: Tensor) -> tuple[Tensor, Tensor]:
    """What the head is given, and what the network puts out."""
    seen = _Seen()
    hook = network.get_submodule(head).register_forward_pre_hook(seen)
    try:
        with torch.no_grad():
            output = network.eval()(images)
    finally:
        hook.remove()
    assert seen.given is not None
    return seen.given, output


def _ends_there(network: nn.Module, head: str, image: Tensor) -> bool:
    """Whether the network's output is the head's."""
    given, output = _given(network, head, image.to(next(network.parameters()).device))
    if not isinstance(output, Tensor):
        return False
    with torch.no_grad():
        alone: Tensor = network.get_submodule(head)(given)
    return alone.shape == output.shape and torch.allclose(alone, output, atol=NEARLY)


def _features(network: nn.Module, head: str, pool: Pool) -> list[Batch]:
    """The samples of a pool with what the head is given in the place of the image."""
    device, found = next(network.parameters()).device, []
    for batch in in_order(pool, AT_ONCE):
        given = _given(network, head, batch["image"].to(device))[0].cpu()
        rest = {key: value for key, value in batch.items() if key != "image"}
        found += [{"image": given[n], **{key: value[n] for key, value in rest.items()}} for n in range(len(given))]
    return found
