"""The bundles that ship with the node, read the way MONAI reads them."""

import csv
from pathlib import Path
from typing import Any

import torch
from monai.bundle import ConfigParser

ROOT = Path(__file__).parents[3]
HIPPOCAMPUS = ROOT / "models/hippocampus_mr"
CHEST_XRAY = ROOT / "models/chest_xray_pneumonia"
BUNDLES = (HIPPOCAMPUS, CHEST_XRAY)


def parser_of(bundle: Path) -> ConfigParser:
    """The bundle's inference config without the transform that loads the file."""
    parser = ConfigParser()
    parser.read_config(bundle / "configs/inference.json")
    transforms = parser["preprocessing::transforms"]
    parser["preprocessing::transforms"] = [one for one in transforms if one["_target_"] != "LoadImaged"]
    parser["device"] = torch.device("cpu")
    return parser


def network_of(bundle: Path) -> torch.nn.Module:
    """The bundle's network with the shipped weights, in eval mode."""
    network: Any = parser_of(bundle).get_parsed_content("network_def")
    network.load_state_dict(torch.load(bundle / "models/model.pt", weights_only=True))
    return network.eval()


def split_rows(bundle: Path) -> list[dict[str, str]]:
    """The rows of the bundle's split."""
    with (bundle / "configs/split.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def sample_rows(folder: Path) -> list[dict[str, str]]:
    """The rows of the index of one folder of samples."""
    with (folder / "index.csv").open(newline="") as file:
        return list(csv.DictReader(file))
