"""Bundles of the arms that a candidate is compared with."""

import json
from pathlib import Path

from dicomnode.learn.arms import bundle_of
from dicomnode.learn.job import DONE
from tests.versions_made import shelf_made


def test_an_arm_with_a_network_of_its_own_is_asked_with_that_network_and_half_a_bundle_is_made_anew(
    tmp_path: Path,
) -> None:
    base, arm = shelf_made(tmp_path / "node").base, tmp_path / "share_25"
    killed = arm / "bundle.partial" / base.name
    killed.mkdir(parents=True)
    (killed / "dicom.toml").write_bytes((base.folder / "dicom.toml").read_bytes())
    (arm / "model.pt").write_bytes(b"fitted")
    network = {"_target_": "somewhere.Net", "outputs": 1}
    (arm / DONE).write_text(json.dumps({"recipe": "plain", "file": "model.pt", "network_def": network}))

    folder, digest = bundle_of(base, arm)

    assert (folder / "models" / "model.pt").read_bytes() == b"fitted"
    assert json.loads((folder / "configs" / "inference.json").read_text())["network_def"] == network
    assert bundle_of(base, arm) == (folder, digest)
    assert digest != base.digest
