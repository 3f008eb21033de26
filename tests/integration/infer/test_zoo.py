"""Bundles of MONAI's Model Zoo, as they are published, where DICOMNODE_ZOO names the folder that holds them."""

import json
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from dicomnode.bundles.approval import NotApproved, approve, approved
from dicomnode.config.tables import Infer, ModelSetting
from dicomnode.index.database import Index
from dicomnode.infer.predict import Predictor
from dicomnode.values import Header, Volume
from tests.bundles_made import classification_toml, detection_toml, segmentation_toml

ZOO = Path(os.environ.get("DICOMNODE_ZOO", "absent"))
TOMLS: dict[str, Callable[[str], str]] = {
    "spleen_ct_segmentation": segmentation_toml,
    "wholeBody_ct_segmentation": segmentation_toml,
    "lung_nodule_ct_detection": detection_toml,
    "breast_density_classification": classification_toml,
}
NEED_TORCHVISION = ("lung_nodule_ct_detection", "breast_density_classification")


@pytest.fixture(params=TOMLS)
def bundle(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A copy, with the dicom.toml that a site adds to it."""
    name = str(request.param)
    if not (ZOO / name).is_dir():
        pytest.skip(f"the bundle {name} is not in the folder that DICOMNODE_ZOO names")
    if name in NEED_TORCHVISION:
        pytest.importorskip("torchvision")
    folder = tmp_path / name
    shutil.copytree(ZOO / name, folder)
    (folder / "dicom.toml").write_text(TOMLS[name](name))
    return folder


@pytest.fixture
def index(tmp_path: Path) -> Iterator[Index]:
    index = Index(f"sqlite:///{tmp_path / 'index.sqlite'}")
    index.migrate()
    yield index
    index.close()


def test_a_zoo_bundle_answers_on_the_grid_of_its_input_once_a_person_approved_it(bundle: Path, index: Index) -> None:
    with pytest.raises(NotApproved):
        approved(index, bundle)
    version = approve(index, bundle, "Physicist, Petra")
    rng = np.random.default_rng(1)
    volume = Volume(rng.normal(0, 200, (24, 40, 44)).astype(np.float32), np.diag([2, 2, 3, 1.0]), (), "1.2", None, True)

    with Predictor(Infer(threads=1)) as predictor:
        answer = predictor.predict(version, volume, Header({}), ModelSetting(timeout_s=250)).answer

    labels = getattr(answer, "labels", None)
    assert labels is None or labels.shape == volume.voxels.shape


def test_a_zoo_bundle_that_was_changed_after_its_approval_runs_nothing_of_itself(bundle: Path, index: Index) -> None:
    approve(index, bundle, "Physicist, Petra")
    config = bundle / "configs" / "inference.json"
    evil = {"network_def": f"$__import__('pathlib').Path({str(bundle / 'was_run')!r}).touch()"}
    config.write_text(json.dumps(json.loads(config.read_text()) | evil))

    with pytest.raises(NotApproved):
        approved(index, bundle)

    assert not (bundle / "was_run").exists()
