"""An upgrade says what becomes of work in flight; a downgrade is refused before anything changes."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from dicomnode.backup.upgrade import DO_NOT, main, outlook
from dicomnode.config.tables import Config, Node
from dicomnode.durable import FLOW_VERSION
from tests.index_made import index_made


@pytest.fixture
def config(tmp_path: Path) -> Config:
    return Config(node=Node(state=tmp_path / "state"))


def write_index(config: Config, *, version: str = "") -> None:
    config.node.state.mkdir()
    index = index_made(config.index_url)
    index.close()
    if version:
        with closing(sqlite3.connect(config.node.state / "index.sqlite")) as file, file:
            file.execute("UPDATE alembic_version SET version_num = ?", (version,))


def write_engine(config: Config, *versions: str) -> None:
    """Unfinished workflows of these versions, in as many columns as are looked at."""
    with closing(sqlite3.connect(config.node.state / "engine.sqlite")) as file, file:
        file.execute("CREATE TABLE workflow_status (application_version TEXT, status TEXT)")
        rows = [(version, "PENDING") for version in versions] + [("0", "SUCCESS")]
        file.executemany("INSERT INTO workflow_status VALUES (?, ?)", rows)


def test_a_machine_without_state_can_be_installed_on(config: Config) -> None:
    assert outlook(config).possible
    assert not config.node.state.exists()


def test_an_upgrade_without_work_in_flight_is_possible(config: Config) -> None:
    write_index(config)

    found = outlook(config)

    assert (found.possible, found.says.startswith("0 piece(s) of work are in flight")) == (True, True)


def test_a_downgrade_is_refused_and_changes_nothing(config: Config) -> None:
    write_index(config, version="9999")
    before = (config.node.state / "index.sqlite").read_bytes()

    found = outlook(config)

    assert not found.possible
    assert "would be a downgrade" in found.says
    assert (config.node.state / "index.sqlite").read_bytes() == before


def test_work_that_this_program_cannot_continue_is_finished_by_the_old_one_first(
    config: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_index(config)
    write_engine(config, "an older version", FLOW_VERSION)
    monkeypatch.setattr("dicomnode.backup.upgrade.waiting", lambda _: [])

    found = outlook(config)

    assert not found.possible
    assert "dicomnode pause" in found.says


def test_the_installer_is_told_by_the_exit_code(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "config.toml").write_text("")
    monkeypatch.setattr("sys.argv", ["upgrade", str(tmp_path / "config.toml")])
    assert main() == 0

    (tmp_path / "config.toml").write_text("nonsense = 1")
    assert main() == DO_NOT
    assert "nonsense" in capsys.readouterr().out
