"""The README's tree, links and commands, and the runbook's, are those of the repository."""

import re
import subprocess
from pathlib import Path

import pytest
import typer.main

from dicomnode.cli.app import app

ROOT = Path(__file__).parents[3]
README = (ROOT / "README.md").read_text(encoding="utf-8")
RUNBOOK = (ROOT / "deploy" / "docs" / "runbook.md").read_text(encoding="utf-8")
COMMANDS = set(typer.main.get_command(app).commands)
TARGETS = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))


def tree() -> list[str]:
    block = re.search(r"## Where things are\n\n```\n(.*?)```", README, re.DOTALL).group(1)
    return [line.split()[0].rstrip("/") for line in block.splitlines()]


def commands_told(text: str) -> set[str]:
    """What stands behind `dicomnode` inside code."""
    code = re.findall(r"```.*?```|`[^`\n]+`", text, re.DOTALL)
    return {name for piece in code for name in re.findall(r"\bdicomnode ([a-z][a-z0-9-]+)", piece)}


def tracked_folders() -> set[str]:
    if not (ROOT / ".git").exists():
        pytest.skip("no git checkout")
    said = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return {line.partition("/")[0] for line in said.splitlines() if "/" in line and not line.startswith(".")}


def test_the_tree_names_what_is_there_and_leaves_no_folder_out() -> None:
    assert [name for name in tree() if not (ROOT / name).exists()] == []
    assert tracked_folders() <= set(tree())


def test_every_make_target_that_is_told_exists() -> None:
    told = set(re.findall(r"`make ([a-z]+)", README)) | set(re.findall(r"^make ([a-z]+)", README, re.MULTILINE))

    assert told <= TARGETS
    assert {"demo", "test"} <= told


def test_every_command_that_is_told_exists() -> None:
    assert commands_told(README) <= COMMANDS
    assert {"check", "status", "explain"} <= commands_told(README)


def test_the_runbook_tells_every_command() -> None:
    assert commands_told(RUNBOOK) == COMMANDS


@pytest.mark.parametrize(
    "page", ["README.md", *(f"deploy/docs/{name}.md" for name in ("runbook", "conformance", "learning"))]
)
def test_every_link_leads_somewhere(page: str) -> None:
    text = (ROOT / page).read_text(encoding="utf-8")
    links = [link for link in re.findall(r"\]\(([^)#]+)\)", text) if "//" not in link]

    assert [link for link in links if not ((ROOT / page).parent / link).exists()] == []
