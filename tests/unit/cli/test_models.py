"""`dicomnode models`: list, show, approve, revoke."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from dicomnode.bundles.approval import approved
from dicomnode.cli.models import app
from dicomnode.config.tables import Config, Infer
from dicomnode.index.database import Index
from tests.bundles_made import bundle_made, classification_toml
from tests.index_made import index_made


@dataclass(frozen=True)
class Opened:
    """What a command has at hand."""

    config: Config
    index: Index


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[Opened]:
    index = index_made(tmp_path / "index.sqlite")
    bundle_made(tmp_path / "models", "bright", "Threshold")
    bundle_made(tmp_path / "models", "mean", "Mean", dicom=classification_toml("mean"))
    (tmp_path / "models" / "notes").mkdir()
    yield Opened(Config(infer=Infer(folder=tmp_path / "models")), index)
    index.close()


def told(opened: Opened, *words: str) -> Result:
    return CliRunner().invoke(app, list(words), obj=opened)


def states(opened: Opened) -> dict[str, str]:
    return {one["name"]: one["state"] for one in json.loads(told(opened, "list", "--json").stdout)}


def test_every_bundle_is_listed_with_its_state(opened: Opened) -> None:
    assert states(opened) == {"bright": "not approved", "mean": "not approved"}

    assert told(opened, "approve", "bright", "--by", "Dr A").exit_code == 0
    told(opened, "approve", "mean", "--by", "Dr A")
    told(opened, "revoke", "mean")

    assert states(opened) == {"bright": "approved", "mean": "revoked"}
    table = told(opened, "list").stdout
    assert "bright" in table
    assert "Dr A" in table


def test_an_approval_lets_the_bundle_run_as_it_is_now(opened: Opened) -> None:
    told(opened, "approve", "bright", "--by", "Dr A")
    folder = opened.config.infer.folder / "bright"
    assert approved(opened.index, folder).name == "bright"

    (folder / "dicom.toml").write_text((folder / "dicom.toml").read_text() + "\n")
    assert states(opened)["bright"] == "changed"


def test_a_bundle_that_cannot_be_read_is_listed_with_its_fault(opened: Opened) -> None:
    (opened.config.infer.folder / "bright" / "dicom.toml").write_text("activation = 3")

    listed = told(opened, "list")

    assert "unusable" in listed.stdout
    assert "cannot be used" in listed.stderr


def test_one_bundle_is_shown_with_its_versions(opened: Opened) -> None:
    told(opened, "approve", "mean", "--by", "Dr A")

    shown = json.loads(told(opened, "show", "mean", "--json").stdout)

    assert (shown["state"], shown["outputs"]) == ("approved", ["finding 0"])
    assert [version["by"] for version in shown["versions"]] == ["Dr A"]
    assert "Bright images, 1.2.3: approved" in told(opened, "show", "mean").stdout


@pytest.mark.parametrize("command", ["show", "approve"])
def test_an_unknown_bundle_is_refused_and_the_known_ones_named(opened: Opened, command: str) -> None:
    refused = told(opened, command, "nothing")

    assert refused.exit_code == 2
    assert "bright" in refused.output


def test_revoking_what_was_never_approved_fails(opened: Opened) -> None:
    assert told(opened, "revoke", "bright").exit_code == 1
