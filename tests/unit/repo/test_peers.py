"""Tests about peers are skipped by name where the peer is missing, and fail where it must be there."""

import subprocess
import sys
from pathlib import Path

ABOUT_A_PEER = """
import pytest

@pytest.mark.peers("no-such-pacs")
def test_something(): ...

@pytest.mark.soak
def test_long(): ...
"""


def outcome(tmp_path: Path, *, required: bool) -> str:
    root = Path(__file__).parents[3]
    (tmp_path / "conftest.py").write_text((root / "tests" / "conftest.py").read_text())
    (tmp_path / "test_it.py").write_text(ABOUT_A_PEER)
    command = [sys.executable, "-m", "pytest", "-ra", "-p", "no:cacheprovider", "-c", root / "pyproject.toml"]
    environment = {"PATH": "/usr/bin:/bin", **({"DICOMNODE_REQUIRE_PEERS": "1"} if required else {})}
    done = subprocess.run([*command, tmp_path], capture_output=True, text=True, env=environment, check=False)
    return done.stdout


def test_a_test_whose_peer_is_missing_is_skipped_and_says_how_to_install_it(tmp_path: Path) -> None:
    said = outcome(tmp_path, required=False)

    assert "no-such-pacs not installed: run `make peers`" in said
    assert "1 skipped, 1 deselected" in said


def test_a_skip_for_want_of_a_peer_is_an_error_where_peers_are_required(tmp_path: Path) -> None:
    assert "1 error" in outcome(tmp_path, required=True)
