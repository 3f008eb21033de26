"""Only bundles whose exact files a person approved may run."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from dicomnode.bundles.approval import NotApproved, approve, approved, revoke, version_of
from dicomnode.bundles.digest import digest
from dicomnode.errors import ConfigFault, ModelFault
from dicomnode.index.database import Index
from dicomnode.index.models import version_rows
from tests.bundles_made import bundle_made, segmentation_toml
from tests.index_made import index_made


@pytest.fixture
def index(tmp_path: Path) -> Iterator[Index]:
    index = index_made(tmp_path / "index.sqlite")
    yield index
    index.close()


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    return bundle_made(tmp_path / "models", "plain", "Threshold").folder


def test_an_approved_bundle_may_run(index: Index, bundle: Path) -> None:
    version = approve(index, bundle, "Dr A")

    assert approved(index, bundle) == version
    assert (version.name, version.version, version.folder) == ("plain", "1.2.3", bundle)


def test_a_bundle_that_nobody_approved_may_not_run_and_the_command_is_named(index: Index, bundle: Path) -> None:
    with pytest.raises(NotApproved, match=f"digest {digest(bundle)}.*`dicomnode models approve plain`"):
        approved(index, bundle)


@pytest.mark.parametrize(
    "file",
    [
        "configs/inference.json", "configs/metadata.json", "dicom.toml", "models/model.pt", "models/domain.npz",
        "scripts/networks.py", "scripts/deep/more.py", "other.py", "configs/other.yaml",
    ],
)  # fmt: skip
def test_a_file_that_can_change_a_result_changes_the_digest(index: Index, bundle: Path, file: str) -> None:
    before = approve(index, bundle, "Dr A")
    (bundle / file).parent.mkdir(exist_ok=True)
    with (bundle / file).open("a") as opened:
        opened.write("\n\n")

    assert digest(bundle) != before.digest
    if file != "models/model.pt":
        assert version_of(bundle).device_uid != before.device_uid
    with pytest.raises(NotApproved):
        approved(index, bundle)


@pytest.mark.parametrize(
    "file",
    ["docs/README.md", "docs/data_license.txt", "LICENSE", "configs/train.json", "configs/split.csv",
     "scripts/__pycache__/networks.cpython-311.pyc", ".gitignore"],
)  # fmt: skip
def test_what_only_speaks_to_people_or_to_training_does_not_count(bundle: Path, file: str) -> None:
    before = digest(bundle)
    (bundle / file).parent.mkdir(exist_ok=True)
    (bundle / file).write_text("words")

    assert digest(bundle) == before


def test_the_same_files_elsewhere_are_the_same_version(bundle: Path, tmp_path: Path) -> None:
    copied = Path(shutil.copytree(bundle, tmp_path / "elsewhere" / "plain"))

    assert version_of(copied).digest == version_of(bundle).digest
    assert version_of(copied).device_uid == version_of(bundle).device_uid


def test_a_renamed_file_changes_the_digest(bundle: Path) -> None:
    before = digest(bundle)
    (bundle / "scripts" / "networks.py").rename(bundle / "scripts" / "nets.py")

    assert digest(bundle) != before


def test_a_link_to_a_folder_is_refused(bundle: Path, tmp_path: Path) -> None:
    (bundle / "more").symlink_to(tmp_path)

    with pytest.raises(ModelFault, match="is a link to a folder"):
        digest(bundle)


def test_a_device_uid_is_a_valid_uid(bundle: Path) -> None:
    uid = version_of(bundle).device_uid

    assert uid.startswith("2.25.")
    assert len(uid) <= 64
    assert 0 < int(uid.removeprefix("2.25.")) < 1 << 128


def test_a_revoked_version_may_not_run_until_it_is_approved_again(index: Index, bundle: Path) -> None:
    version = approve(index, bundle, "Dr A")

    assert revoke(index, "plain") == (version.digest,)
    with pytest.raises(NotApproved, match="its approval was revoked"):
        approved(index, bundle)
    assert revoke(index, "plain") == ()

    approve(index, bundle, "Dr B")
    assert approved(index, bundle) == version
    with index.transaction() as session:
        (row,) = version_rows(session, "plain")
    assert row.approved_by == "Dr B"


def test_two_versions_stand_side_by_side(index: Index, bundle: Path) -> None:
    first = approve(index, bundle, "Dr A")
    (bundle / "dicom.toml").write_text(segmentation_toml("plain", more="min_volume_ml = 1.0"))
    second = approve(index, bundle, "Dr A")

    assert first.device_uid != second.device_uid
    with index.transaction() as session:
        assert [row.digest for row in version_rows(session, "plain")] == [second.digest, first.digest]


def test_a_folder_named_otherwise_than_its_bundle_is_refused(index: Index, bundle: Path) -> None:
    with pytest.raises(ModelFault, match="the folder must have the same name"):
        approve(index, bundle.rename(bundle.parent / "other"), "Dr A")


def test_a_bundle_without_its_parts_is_refused(index: Index, bundle: Path) -> None:
    (bundle / "configs" / "metadata.json").write_text("{}")
    with pytest.raises(ModelFault, match="names no version"):
        approve(index, bundle, "Dr A")
    (bundle / "configs" / "metadata.json").unlink()
    with pytest.raises(ModelFault, match=r"metadata\.json is missing"):
        approve(index, bundle, "Dr A")
    (bundle / "dicom.toml").unlink()
    with pytest.raises(ConfigFault, match=r"dicom\.toml is missing"):
        approve(index, bundle, "Dr A")
    with pytest.raises(ModelFault, match="there is no bundle"):
        approve(index, bundle / "nothing", "Dr A")
