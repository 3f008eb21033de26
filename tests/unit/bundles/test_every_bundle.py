"""What holds for every bundle that ships with the node."""

import json
import re
from collections import defaultdict
from pathlib import Path

import pytest
import torch
from monai.bundle import ConfigParser

from dicomnode.bundles.dicom_toml import load_dicom_toml
from tests.unit.bundles.shipped import BUNDLES, ROOT, network_of, parser_of, sample_rows, split_rows

EVERY = pytest.mark.parametrize("bundle", BUNDLES, ids=lambda bundle: bundle.name)
METADATA = (
    "version", "changelog", "monai_version", "pytorch_version", "numpy_version", "required_packages_version", "task",
    "description", "authors", "copyright", "network_data_format", "schema",
)  # fmt: skip
"""What MONAI's metadata schema requires."""
LARGEST_WEIGHTS_BYTES = 30 * 2**20


@EVERY
def test_the_weights_are_plain_small_and_fit_the_network(bundle: Path) -> None:
    path = bundle / "models/model.pt"

    weights = torch.load(path, weights_only=True)

    assert all(type(value) is torch.Tensor for value in weights.values())
    assert path.stat().st_size <= LARGEST_WEIGHTS_BYTES
    network_of(bundle).load_state_dict(weights)


@EVERY
def test_dicom_toml_is_valid_and_names_its_bundle(bundle: Path) -> None:
    told = load_dicom_toml(bundle)

    assert told.model.name == bundle.name
    assert "Not for clinical use" in told.model.intended_use


@EVERY
def test_the_metadata_says_what_monai_requires(bundle: Path) -> None:
    metadata = json.loads((bundle / "configs/metadata.json").read_text())

    assert set(METADATA) <= set(metadata)
    assert metadata["version"] in metadata["changelog"]
    for part in (
        *metadata["network_data_format"]["inputs"].values(),
        *metadata["network_data_format"]["outputs"].values(),
    ):
        assert len(part["channel_def"]) == part["num_channels"]


@EVERY
def test_training_and_inference_name_the_same_network(bundle: Path) -> None:
    train = json.loads((bundle / "configs/train.json").read_text())
    inference = json.loads((bundle / "configs/inference.json").read_text())

    assert train["network_def"] == inference["network_def"]


@EVERY
def test_the_inference_config_has_every_part_of_a_bundle(bundle: Path) -> None:
    parser = parser_of(bundle)

    for part in ("bundle_root", "device", "network_def", "network", "preprocessing", "inferer", "postprocessing"):
        assert parser.get_parsed_content(part) is not None, part


@EVERY
def test_a_file_is_loaded_by_the_first_transform_alone(bundle: Path) -> None:
    parser = ConfigParser()
    parser.read_config(bundle / "configs/inference.json")

    names = [one["_target_"] for one in parser["preprocessing::transforms"]]

    assert names[0] == "LoadImaged"
    assert "LoadImaged" not in names[1:]


@EVERY
def test_a_patient_is_in_one_split_only(bundle: Path) -> None:
    splits = defaultdict(set)
    for row in split_rows(bundle):
        splits[row["group"]].add(row["split"])

    assert all(len(found) == 1 for found in splits.values())
    assert {"train", "validation", "test"} <= set().union(*splits.values())


@pytest.mark.parametrize(
    ("bundle", "samples", "column"), [(BUNDLES[0], "hippocampus", "image"), (BUNDLES[1], "chest_xray", "path")]
)
def test_the_samples_that_ship_are_of_the_test_split(bundle: Path, samples: str, column: str) -> None:
    test = {row["path"] for row in split_rows(bundle) if row["split"] == "test"}

    shipped = {row[column] for row in sample_rows(ROOT / "tests/data" / samples)}

    assert shipped <= test
    assert all((ROOT / "tests/data" / samples / path).is_file() for path in shipped)


@EVERY
def test_every_figure_of_the_card_is_one_of_the_last_evaluation(bundle: Path) -> None:
    figures = (bundle / "docs/figures.json").read_text()
    card = (bundle / "docs/README.md").read_text()
    table = [line for line in card.splitlines() if line.startswith("|") and " to " in line]

    told = {float(number) for line in table for number in re.findall(r"\d\.\d{3}\b", line)}
    found = {round(float(number), 3) for number in re.findall(r"\d+\.\d+", figures)}

    assert table
    assert told <= found


@EVERY
def test_the_card_names_licence_source_and_limits(bundle: Path) -> None:
    card = (bundle / "docs/README.md").read_text()

    for heading in ("## Data", "## Licence", "## Split", "## Figures", "## Limits"):
        assert heading in card, heading
    assert "Not for clinical use" in card
