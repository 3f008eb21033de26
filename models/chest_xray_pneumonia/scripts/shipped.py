"""The shipped weights and what ``dicom.toml`` says of their output."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from monai.bundle import ConfigParser

ROOT = Path(__file__).resolve().parent.parent
"""The bundle's folder."""


@dataclass(frozen=True)
class Calibration:
    """From a logit to a probability (Platt), and the decision."""

    slope: float
    intercept: float
    threshold: float
    """Positive from this probability on."""

    def probability(self, logits: np.ndarray) -> np.ndarray:
        """The calibrated probability of pneumonia."""
        calibrated: np.ndarray = 1 / (1 + np.exp(-(self.slope * logits + self.intercept)))
        return calibrated


def network_of(root: Path = ROOT) -> torch.nn.Module:
    """The bundle's network with the shipped weights, in eval mode on the CPU."""
    parser = ConfigParser()
    parser.read_config(root / "configs/inference.json")
    network: torch.nn.Module = parser.get_parsed_content("network_def")
    network.load_state_dict(torch.load(root / "models/model.pt", weights_only=True))
    return network.eval()


def calibration_of(root: Path = ROOT) -> Calibration:
    """The calibration that the node uses."""
    finding = tomllib.loads((root / "dicom.toml").read_text())["findings"][0]
    return Calibration(finding["slope"], finding["intercept"], finding["threshold"])
