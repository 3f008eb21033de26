"""What a version is made of."""

import json
from pathlib import Path

import pytest

from dicomnode.bundles.dicom_toml import load_dicom_toml
from dicomnode.bundles.digest import digest
from dicomnode.config.learning import GatePlan, LearnModel
from dicomnode.errors import ModelFault
from dicomnode.index.learning import DecisionRow, LearnedVersionRow
from dicomnode.learn.versions.folders import Tampered, require_intact
from tests.versions_made import MODEL, patients, shelf_made

CALIBRATION = [{"index": 0, "slope": 2.0, "intercept": -1.0, "threshold": 0.3}]


def test_a_version_is_a_whole_bundle_named_for_its_digest(tmp_path: Path) -> None:
    shelf = shelf_made(tmp_path)

    row = shelf.made(calibration=CALIBRATION)

    folder = shelf.config.node.state / row.folder
    assert (digest(folder), row.folder) == (row.digest, f"models/{row.digest[:16]}/{MODEL}")
    assert (folder / "models" / "adapter.safetensors").read_bytes() == b"weights"
    assert (folder / "models" / "model.pt").read_bytes() == (shelf.base.folder / "models" / "model.pt").read_bytes()
    assert (row.version, row.base, row.state) == ("1.2.3+learned.1", shelf.base.digest, "candidate")
    finding = load_dicom_toml(folder).findings[0]
    assert (finding.slope, finding.intercept, finding.threshold) == (2.0, -1.0, 0.3)


def test_a_version_made_twice_is_one(tmp_path: Path) -> None:
    shelf = shelf_made(tmp_path)

    first, second = shelf.made(), shelf.made()

    assert first.digest == second.digest
    with shelf.index.snapshot() as session:
        assert (session.query(LearnedVersionRow).count(), session.query(DecisionRow).count()) == (1, 1)


def test_a_version_that_was_killed_before_it_was_noted_is_made_again_with_the_same_digest(tmp_path: Path) -> None:
    shelf = shelf_made(tmp_path)
    first = shelf.made()
    with shelf.index.transaction() as session:
        session.query(LearnedVersionRow).delete()
        session.query(DecisionRow).delete()

    assert shelf.made().digest == first.digest


def test_what_lies_on_the_disk_of_another_node_alone_is_made_here_as_a_version_of_its_own(tmp_path: Path) -> None:
    shelf = shelf_made(tmp_path)
    there = shelf.made()
    (shelf.config.node.state / there.folder).parent.rename(tmp_path / "the other node's")

    here = shelf.made()

    assert (there.version, here.version) == ("1.2.3+learned.1", "1.2.3+learned.2")
    require_intact(shelf.config.node.state / here.folder, MODEL, here.digest)


def test_another_candidate_is_another_version_and_shares_the_base_files(tmp_path: Path) -> None:
    shelf = shelf_made(tmp_path)

    first, second = (shelf.config.node.state / shelf.made(weights).folder for weights in (b"one", b"two"))

    assert load_dicom_toml(first) == load_dicom_toml(second)
    assert json.loads((second / "configs" / "metadata.json").read_text())["version"] == "1.2.3+learned.2"
    assert (first / "models" / "model.pt").samefile(second / "models" / "model.pt")


def test_an_edit_of_the_installed_bundle_leaves_its_versions_as_they_are(tmp_path: Path) -> None:
    shelf = shelf_made(tmp_path)
    row = shelf.made()

    with (shelf.base.folder / "models" / "model.pt").open("ab") as weights:
        weights.write(b"poison")

    require_intact(shelf.config.node.state / row.folder, MODEL, row.digest)
    other = shelf.made(b"other")
    assert (shelf.config.node.state / other.folder / "models" / "model.pt").read_bytes().find(b"poison") < 0


def test_no_version_is_made_from_an_installed_bundle_that_was_changed_since_its_approval(tmp_path: Path) -> None:
    shelf = shelf_made(tmp_path)
    with (shelf.base.folder / "models" / "model.pt").open("ab") as weights:
        weights.write(b"poison")

    with pytest.raises(Tampered):
        shelf.made()


def test_files_of_a_version_are_read_only_and_a_change_is_found(tmp_path: Path) -> None:
    shelf = shelf_made(tmp_path)
    row = shelf.made()
    folder = shelf.config.node.state / row.folder
    weights = folder / "models" / "adapter.safetensors"
    assert weights.stat().st_mode & 0o222 == 0

    weights.chmod(0o600)
    weights.write_bytes(b"poison")

    with pytest.raises(Tampered, match="its files were changed"):
        require_intact(folder, MODEL, row.digest)
    with pytest.raises(Tampered):
        shelf.made()


def test_a_recalibration_has_no_weights_of_its_own(tmp_path: Path) -> None:
    shelf = shelf_made(tmp_path)

    row = shelf.made(recipe="recalibrate", file="", calibration=CALIBRATION)

    assert not (shelf.config.node.state / row.folder / "models" / "adapter.safetensors").exists()
    assert row.digest != shelf.base.digest


def test_a_recipe_with_a_network_of_its_own_stands_in_the_versions_configuration(tmp_path: Path) -> None:
    shelf = shelf_made(tmp_path)
    before = json.loads((shelf.base.folder / "configs" / "inference.json").read_text())

    row = shelf.made(network_def={"_target_": "somewhere.Net", "outputs": 1})

    config = json.loads((shelf.config.node.state / row.folder / "configs" / "inference.json").read_text())
    assert config == before | {"network_def": {"_target_": "somewhere.Net", "outputs": 1}}


def test_the_manifest_tells_all_that_made_a_version(tmp_path: Path) -> None:
    shelf = shelf_made(tmp_path)

    row = shelf.made(items=patients(12, age_band="20-39"), history=[{"loss": float("nan")}], versions={"torch": "2"})

    told = json.loads((shelf.config.node.state / row.folder).parent.joinpath("manifest.json").read_text())
    assert told == row.manifest
    assert (told["digest"], told["base"]["digest"], told["parent"]) == (
        row.digest,
        shelf.base.digest,
        shelf.base.digest,
    )
    assert (told["training_set"]["patients"]["test"], told["fitted"]["seed"]) == (12, 1)
    assert (told["fitted"]["history"], told["fitted"]["versions"]) == ([{"loss": None}], {"torch": "2"})
    assert told["plan"]["margin_auc"] == 0.03
    assert set(told["files"]) - set(told["base"]["files"]) == {"models/adapter.safetensors"}


def test_the_manifest_tells_the_plan_that_judges_where_a_model_has_its_own(tmp_path: Path) -> None:
    shelf = shelf_made(tmp_path)
    own = {MODEL: LearnModel(gate=GatePlan(margin_auc=0.01))}
    learn = shelf.config.learn.model_copy(update={"models": own})
    shelf.config = shelf.config.model_copy(update={"learn": learn})

    assert shelf.made().manifest["plan"]["margin_auc"] == 0.01  # type: ignore[index]


@pytest.mark.parametrize(
    ("told", "words"),
    [
        ({"file": "../../secret"}, "alone"),
        ({"file": "model.pt"}, "does not hold"),
        ({"calibration": [{"index": 7}]}, "output 7"),
        ({"calibration": [{"index": 0, "slope": float("nan")}]}, "no number"),
    ],
)
def test_a_job_that_does_not_fit_makes_no_version(tmp_path: Path, told: dict[str, object], words: str) -> None:
    shelf = shelf_made(tmp_path)

    with pytest.raises(ModelFault, match=words):
        shelf.made(**told)

    with shelf.index.snapshot() as session:
        assert session.query(LearnedVersionRow).count() == 0
