"""Classification, of one finding or of several: each finding is a question of its own, whose answer may be unknown."""

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score
from torch import Tensor, nn

from dicomnode.bundles.dicom_toml import Activation
from dicomnode.infer.bundle import Bundle
from dicomnode.infer.classify import NEARLY
from dicomnode.learn.train.pool import Batch, Pool, in_order
from dicomnode.learn.train.recipes import LARGEST_WEIGHT, SMOOTHING
from dicomnode.learn.train.task import CANNOT_TELL, Figure

SEEN_AT_ONCE = 32


class Classifying:
    """Binary cross-entropy of every known finding, the rarer class weighted up to ten times."""

    merit = "AUC"

    def __init__(self, bundle: Bundle, pool: Pool, *, balanced: bool = True) -> None:
        self._bundle = bundle
        weights = positive_weights(torch.stack([pool.sample(n)["targets"] for n in range(len(pool))]))
        self._positive = weights if balanced else torch.ones_like(weights)

    def loss(self, network: nn.Module, batch: Batch) -> Tensor:
        """Mean over the known labels of a batch, by their weights."""
        return self._loss(logits_of(self._bundle, network(batch["image"])), batch)

    def _loss(self, logits: Tensor, batch: Batch) -> Tensor:
        targets, known = batch["targets"].nan_to_num(), ~batch["targets"].isnan()
        smooth = SMOOTHING * batch["from_report"].float()[:, None]
        each = nn.functional.binary_cross_entropy_with_logits(
            logits, targets * (1 - smooth) + smooth / 2, pos_weight=self._positive.to(logits.device), reduction="none"
        )
        weights = known * batch["weight"][:, None]
        mean: Tensor = (each * weights).sum() / weights.sum().clamp_min(NEARLY)
        return mean

    def figure(self, network: nn.Module, pool: Pool) -> Figure:
        """Mean AUC of the findings, and the loss."""
        device = next(network.parameters()).device
        logits, targets, losses = [], [], []
        with torch.no_grad():
            for batch in in_order(pool, SEEN_AT_ONCE):
                moved = {key: value.to(device) for key, value in batch.items()}
                found = logits_of(self._bundle, network(moved["image"]))
                losses.append(float(self._loss(found, moved)) * len(found))
                logits.append(found.float().cpu())
                targets.append(batch["targets"])
        merit = mean_auc(torch.cat(targets).numpy(), torch.cat(logits).numpy())
        return Figure(merit, -sum(losses) / max(1, len(pool)))


def logits_of(bundle: Bundle, output: Tensor) -> Tensor:
    """A logit for each finding (batch, finding), from the network's output (batch, column).

    As `infer.classify` reads it, but for many images at once and with a gradient.
    """
    columns = [finding.index for finding in bundle.dicom.findings]
    if bundle.activation is Activation.SOFTMAX:
        rest = [output[:, [n for n in range(output.shape[1]) if n != column]].logsumexp(1) for column in columns]
        return output[:, columns] - torch.stack(rest, 1)
    if bundle.activation is Activation.NONE:
        output = torch.logit(output, eps=NEARLY)
    return output[:, columns]


def positive_weights(targets: Tensor) -> Tensor:
    """How much more a positive of each finding counts, from targets (item, finding): negatives ÷ positives, ≤ 10."""
    positives, negatives = (targets == 1).sum(0), (targets == 0).sum(0)
    return (negatives / positives.clamp_min(1)).clamp(1 / LARGEST_WEIGHT, LARGEST_WEIGHT).float()


def mean_auc(targets: NDArray[np.floating], logits: NDArray[np.floating]) -> float:
    """Mean of the findings that have both classes; -1 where none has."""
    found = []
    for column in range(targets.shape[1]):
        known = ~np.isnan(targets[:, column])
        truth = targets[known, column]
        if len(np.unique(truth)) == 2 and np.isfinite(logits[known, column]).all():
            found.append(float(roc_auc_score(truth, logits[known, column])))
    return float(np.mean(found)) if found else CANNOT_TELL


def logits_of_pool(bundle: Bundle, network: nn.Module, pool: Pool) -> NDArray[np.float64]:
    """A logit for each item and finding, before calibration."""
    device = next(network.parameters()).device
    with torch.no_grad():
        outputs = [network(batch["image"].to(device)) for batch in in_order(pool, SEEN_AT_ONCE)]
    return np.asarray(logits_of(bundle, torch.cat(outputs)).double().cpu().numpy())
