"""Detection: MONAI's RetinaNet detector, as the bundle's inferer has it, with MONAI's own losses for training."""

import copy
from collections.abc import Sequence

import numpy as np
import torch
from monai.apps.detection.networks.retinanet_detector import RetinaNetDetector
from monai.apps.detection.utils.ATSS_matcher import ATSSMatcher
from torch import Tensor, nn

from dicomnode.errors import ModelFault
from dicomnode.infer.bundle import Bundle
from dicomnode.learn.evaluate.froc import detections, mean_sensitivity
from dicomnode.learn.evaluate.hits import hits_of
from dicomnode.learn.train.pool import Batch, Pool, collated, on_device
from dicomnode.learn.train.task import CANNOT_TELL, Figure

CANDIDATES, ANCHORS, POSITIVE, POOL, NEGATIVES = 4, 64, 0.3, 20, 16
"""Of matching boxes to anchors and of choosing hard negatives, as the Model Zoo's lung nodule bundle trains."""


class Matching(RetinaNetDetector):  # type: ignore[misc]
    """A detector with MONAI's own matcher: it then needs no torchvision, which MONAI asks for its other matcher."""

    def compute_anchor_matched_idxs(
        self, anchors: list[Tensor], targets: list[dict[str, Tensor]], num_anchor_locs_per_level: Sequence[int]
    ) -> list[Tensor]:
        """Of each anchor of each image the number of its box, or -1."""
        found = []
        for own, target in zip(anchors, targets, strict=True):
            boxes = target[self.target_box_key].to(own.device)
            if not len(boxes):
                found.append(torch.full((len(own),), -1, dtype=torch.int64, device=own.device))
                continue
            found.append(self.proposal_matcher(boxes, own, num_anchor_locs_per_level, self.num_anchors_per_loc)[1])
        return found


class Detecting:
    """Boxes and their labels."""

    merit = "mean sensitivity"

    def __init__(self, bundle: Bundle) -> None:
        detector = getattr(bundle.inferer, "detector", None)
        if not isinstance(detector, RetinaNetDetector):
            raise ModelFault(
                f"the inferer of bundle {bundle.folder.name} holds no RetinaNet detector: it cannot learn here"
            )
        self._bundle, self._detector = bundle, copy.deepcopy(detector)
        if not hasattr(self._detector, "proposal_matcher"):
            self._detector.set_atss_matcher(CANDIDATES, center_in_gt=False)
        if isinstance(self._detector.proposal_matcher, ATSSMatcher):
            self._detector.__class__ = Matching
        if self._detector.fg_bg_sampler is None:
            self._detector.set_hard_negative_sampler(ANCHORS, POSITIVE, min_neg=NEGATIVES, pool_size=POOL)

    def loss(self, network: nn.Module, batch: Batch) -> Tensor:
        """Of labels and of places."""
        detector = self._detector
        detector.network, detector.training = network, True
        targets = [
            {detector.target_box_key: boxes.float(), detector.target_label_key: labels.long()}
            for boxes, labels in zip(batch["boxes"], batch["labels"], strict=True)
        ]
        losses: list[Tensor] = list(detector(list(batch["image"]), targets).values())
        return torch.stack([loss.to(losses[0].device) for loss in losses]).sum()

    def figure(self, network: nn.Module, pool: Pool) -> Figure:
        """Mean sensitivity at 1/8 to 8 false boxes an image, as the LUNA16 challenge has it."""
        device = next(network.parameters()).device
        hits, lesions, losses = [], [], []
        for n in range(len(pool)):
            sample = pool.sample(n)
            with torch.no_grad():
                losses.append(float(self.loss(network, on_device(collated([(pool, n)]), device))))
                found = self._bundle.inferer(sample["image"][None].to(device), network)
            first = found[0] if isinstance(found, list | tuple) else found
            told = {key: value.detach().float().cpu() for key, value in first.items()}
            hits.append(hits_of(self._bundle, told, sample))
            lesions.append(len(sample["boxes"]))
        loss = sum(losses) / max(1, len(losses))
        if not sum(lesions):
            return Figure(CANNOT_TELL, -loss)
        return Figure(float(mean_sensitivity(detections(hits, lesions), np.ones((1, len(lesions))))[0]), -loss)
