"""The recipe `lpft`: the head first, then everything, held to the base.

What holds: a lower rate the deeper a layer lies, a penalty on the distance from the base (L2-SP), a quarter of older
items in what is shown where there are any, and at the end the best of a few points on the way from the base to what
was trained (WiSE-FT), chosen on the validation splits of the new set and of the older one.

Source: Kumar et al. (ICLR 2022); Li et al., L2-SP (ICML 2018); Wortsman et al., WiSE-FT (CVPR 2022).
"""

from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor, nn

from dicomnode.learn.train.fitting import Fit, Tensors, Wanted, count, course_of, example, pools, task_for
from dicomnode.learn.train.heading import fit_head
from dicomnode.learn.train.loop import Penalty, Subject, run
from dicomnode.learn.train.parts import Group, allowed, by_depth, head_of, head_parameters
from dicomnode.learn.train.pool import ItemPool, Pool, files
from dicomnode.learn.train.recipes import ALPHAS, HEAD_EPOCHS, HEAD_FASTER, L2_SP, LAYER_DECAY, RECIPES
from dicomnode.learn.train.task import Task
from dicomnode.learn.values import RecipeName, Split

NEARLY = 0.005
"""Of two points that are so close in merit the one nearer to the base is taken."""


def fit_lpft(wanted: Wanted) -> Fit:
    """The head, then all of it."""
    head_first = replace(
        wanted, recipe=RECIPES[RecipeName.HEAD], learning_rate=None, name=f"{wanted.name}-head",
        epochs=min(HEAD_EPOCHS, wanted.epochs or HEAD_EPOCHS),
    )  # fmt: skip
    network = fit_head(head_first).network
    shown = replace(pools(wanted), replay=replay_pool(wanted, Split.TRAIN))
    head = head_parameters(network, head_of(network.cpu(), example(shown.train)))
    names = allowed([name for name, _ in network.named_parameters()], wanted.bundle.dicom.tune.trainable)
    base = _parameters(wanted.bundle.network)
    subject = Subject(
        network,
        task_for(wanted, shown.train),
        groups(network, names, head, wanted.recipe.weight_decay),
        _held_to(base, [name for name in names if name not in head], wanted.device),
    )
    course = course_of(wanted, wanted.recipe.batch(wanted.dimensions))
    told = run(subject, shown, course, wanted.say)
    alpha = _on_the_way(network, base, subject.task, [shown.stop, replay_pool(wanted, Split.VALIDATION)])
    return Fit(network, told, course.learning_rate, count(network, names), wise_alpha=alpha)


def groups(network: nn.Module, names: Sequence[str], head: Sequence[str], weight_decay: float) -> list[Group]:
    """The head ten times as fast as the last block, each block before it 0.8 times as fast as the next.

    Only the head decays: the others are held to the base instead.
    """
    behind = [
        Group(part, LAYER_DECAY**depth)
        for depth, part in by_depth(network, [name for name in names if name not in head]).items()
    ]
    return [*behind, Group(tuple(head), HEAD_FASTER, weight_decay)]


def replay_pool(wanted: Wanted, split: Split) -> Pool | None:
    """Older items, where the order names some."""
    items = wanted.replay.of(split) if wanted.replay is not None else ()
    return ItemPool(files(wanted.replay, items)) if wanted.replay is not None and items else None


def _held_to(base: Tensors, names: Sequence[str], device: torch.device) -> Penalty:
    """Half of β times the squared distance from the base."""
    anchors = [base[name].to(device) for name in names]

    def penalty(network: nn.Module) -> Tensor:
        parameters = dict(network.named_parameters())
        apart = torch._foreach_sub([parameters[name] for name in names], anchors)
        return L2_SP / 2 * torch.stack([one.square().sum() for one in apart]).sum()

    return penalty


def _on_the_way(network: nn.Module, base: Tensors, task: Task, judges: Sequence[Pool | None]) -> float:
    """Leave the network at the best point between the base and itself; how far that is."""
    pools = [pool for pool in judges if pool is not None]
    if not pools:
        return 1.0
    trained, found = _parameters(network), []
    for alpha in ALPHAS:
        _put(network, base, trained, alpha)
        found.append((sum(task.figure(network, pool).merit for pool in pools) / len(pools), alpha))
    best = max(merit for merit, _ in found)
    alpha = min(alpha for merit, alpha in found if merit >= best - NEARLY)
    _put(network, base, trained, alpha)
    return alpha


def _put(network: nn.Module, base: Tensors, trained: Tensors, alpha: float) -> None:
    with torch.no_grad():
        for name, parameter in network.named_parameters():
            parameter.copy_(torch.lerp(base[name], trained[name], alpha))


def _parameters(network: nn.Module) -> Tensors:
    return {name: parameter.detach().to("cpu", copy=True) for name, parameter in network.named_parameters()}
