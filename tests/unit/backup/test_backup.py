"""What a lost disk would take comes back from one file."""

import json
import sqlite3
import tarfile
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from typer import Typer
from typer.testing import CliRunner

from dicomnode.audit import AuditTrail
from dicomnode.backup import save as save_module
from dicomnode.backup.manifest import NAME, NoBackup
from dicomnode.backup.restore import restore, write_config
from dicomnode.backup.save import copy_databases, save
from dicomnode.cli import backup as backup_command
from dicomnode.cli.context import Opened
from dicomnode.config.load import load
from dicomnode.config.tables import Config
from dicomnode.errors import ConfigFault
from dicomnode.index.database import Index
from dicomnode.index.schema import InstanceRow, ModelVersionRow, RunInstanceRow, RunRow, SeriesRow, StudyRow
from tests.index_made import index_made

CONFIG = """
[[routes]]
name = "all"
models = ["liver"]
destinations = []
"""


class Machine:
    """A folder with a configuration, as one machine would have it."""

    def __init__(self, folder: Path, *, config: str = CONFIG) -> None:
        folder.mkdir()
        self.file = folder / "config.toml"
        self.file.write_text(config)
        self.config: Config = load(self.file)
        self.state = self.config.node.state

    def index(self) -> Index:
        return index_made(self.config.index_url)


def instance(number: int) -> InstanceRow:
    return InstanceRow(
        instance_key=number,
        study_key=1,
        series_key=1,
        sop_instance_uid=f"1.2.3.4.{number}",
        sop_class_uid="1.2",
        transfer_syntax_uid="1.2",
        content_digest=f"{number:02}",
        file=f"studies/1.2.3/{number}.dcm",
        size_bytes=5,
        received_s=1.0,
        header={},
    )


def run(key: str, status: str) -> RunRow:
    return RunRow(
        run_key=key,
        study_key=1,
        model="liver",
        model_digest="d",
        series_uid="1.2.3.4",
        profile="standard",
        priority="routine",
        destinations=[],
        status=status,
        created_s=1.0,
    )


@pytest.fixture
def site(tmp_path: Path) -> Iterator[tuple[Machine, Index]]:
    """A node with three images (one of a finished run, one of an unfinished one), an outbox, a model and approvals."""
    machine = Machine(tmp_path / "site")
    index = machine.index()
    with index.transaction() as session:
        session.add(StudyRow(study_key=1, study_uid="1.2.3", first_received_s=1.0, last_received_s=1.0))
        session.flush()
        session.add(SeriesRow(series_key=1, study_key=1, series_uid="1.2.3.4"))
        session.flush()
        session.add_all([instance(1), instance(2), instance(3), run("done", "done"), run("open", "running")])
        session.add(
            ModelVersionRow(
                digest="ab", name="liver", version="1", device_uid="2.25.1", approved_by="meier", approved_s=1.0
            )
        )
        session.flush()
        session.add_all(
            [RunInstanceRow(run_key="done", instance_key=1), RunInstanceRow(run_key="open", instance_key=2)]
        )
    for path in ("studies/1.2.3/1.dcm", "studies/1.2.3/2.dcm", "studies/1.2.3/3.dcm", "outbox/1.9.dcm"):
        (machine.state / path).parent.mkdir(parents=True, exist_ok=True)
        (machine.state / path).write_bytes(path.encode())
    with closing(sqlite3.connect(machine.state / "engine.sqlite")) as engine, engine:
        engine.execute("CREATE TABLE work (id TEXT)")
        engine.execute("INSERT INTO work VALUES ('journey:open')")
    (machine.config.infer.folder / "liver").mkdir(parents=True)
    (machine.config.infer.folder / "liver" / "model.pt").write_bytes(b"weights")
    AuditTrail.of(machine.config).started("engine")
    yield machine, index
    index.close()


def saved(site: tuple[Machine, Index], target: Path, *, with_studies: bool = False) -> Path:
    machine, index = site
    save(machine.config, machine.file, index, target, with_studies=with_studies)
    return target


def test_a_node_comes_back_on_an_empty_machine(site: tuple[Machine, Index], tmp_path: Path) -> None:
    backup = saved(site, tmp_path / "node.tar", with_studies=True)
    other = Machine(tmp_path / "other")

    restored = restore(backup, other.config)

    assert restored.missing_instances == 0
    index = other.index()
    with index.snapshot() as session:
        assert session.get(ModelVersionRow, "ab").approved_by == "meier"
        assert {row.run_key: row.status for row in session.query(RunRow)} == {"done": "done", "open": "running"}
    index.close()
    with closing(sqlite3.connect(other.state / "engine.sqlite")) as engine:
        assert engine.execute("SELECT id FROM work").fetchall() == [("journey:open",)]
    assert (other.state / "outbox/1.9.dcm").read_bytes() == b"outbox/1.9.dcm"
    assert (other.state / "studies/1.2.3/3.dcm").exists()
    assert (other.config.infer.folder / "liver/model.pt").read_bytes() == b"weights"
    assert len(list((other.state / "audit").iterdir())) == 1


def test_without_studies_the_images_of_unfinished_runs_are_kept_and_the_others_are_forgotten(
    site: tuple[Machine, Index], tmp_path: Path
) -> None:
    backup = saved(site, tmp_path / "node.tar")
    other = Machine(tmp_path / "other")

    restored = restore(backup, other.config)

    assert restored.missing_instances == 2
    index = other.index()
    with index.snapshot() as session:
        assert [row.instance_key for row in session.query(InstanceRow)] == [2]  # the others can be sent again
    index.close()
    assert (other.state / "studies/1.2.3/2.dcm").exists()


def test_the_configuration_comes_back_where_the_machine_has_none(site: tuple[Machine, Index], tmp_path: Path) -> None:
    backup = saved(site, tmp_path / "node.tar")

    write_config(backup, tmp_path / "new" / "config.toml")

    assert (tmp_path / "new" / "config.toml").read_text() == CONFIG
    with pytest.raises(ConfigFault, match="exists already"):
        write_config(backup, tmp_path / "new" / "config.toml")


def test_a_state_folder_that_is_not_empty_is_left_alone(site: tuple[Machine, Index], tmp_path: Path) -> None:
    backup = saved(site, tmp_path / "node.tar")
    other = Machine(tmp_path / "other")
    other.state.mkdir()
    (other.state / "something").write_text("mine")

    with pytest.raises(ConfigFault, match="is not empty"):
        restore(backup, other.config)
    assert [path.name for path in other.state.iterdir()] == ["something"]


def altered(backup: Path, target: Path, contents: dict[str, bytes] | None = None, **changes: object) -> Path:
    """The same backup with another manifest, or with other bytes of an entry."""
    with tarfile.open(backup) as old, tarfile.open(target, "w") as new:
        for member in old.getmembers():
            content = old.extractfile(member).read()
            if member.name == NAME:
                content = json.dumps(json.loads(content) | changes).encode()
            content = (contents or {}).get(member.name, content)
            member.size = len(content)
            path = target.with_suffix(".part")
            path.write_bytes(content)
            with path.open("rb") as file:
                new.addfile(member, file)
    return target


@pytest.mark.parametrize("changes", [{"index_version": "9999"}, {"flow_version": 999}, {"format": 2}])
def test_a_backup_of_a_newer_program_is_refused_before_anything_is_written(
    site: tuple[Machine, Index], tmp_path: Path, changes: dict[str, object]
) -> None:
    newer = altered(saved(site, tmp_path / "node.tar"), tmp_path / "newer.tar", **changes)
    other = Machine(tmp_path / "other")

    with pytest.raises(NoBackup):
        restore(newer, other.config)
    assert sorted(path.name for path in other.file.parent.iterdir()) == ["config.toml"]


@pytest.mark.parametrize("name", ["state/../../outside", "/etc/outside", "elsewhere/file", "state/./x"])
def test_a_name_that_leads_out_of_the_state_is_refused(site: tuple[Machine, Index], tmp_path: Path, name: str) -> None:
    bad = altered(saved(site, tmp_path / "node.tar"), tmp_path / "bad.tar", files={name: "00"})

    with pytest.raises(NoBackup, match="which no backup of ours would"):
        restore(bad, Machine(tmp_path / "other").config)


def test_a_backup_that_was_altered_leaves_an_empty_state(site: tuple[Machine, Index], tmp_path: Path) -> None:
    bad = altered(saved(site, tmp_path / "node.tar"), tmp_path / "bad.tar", {"state/outbox/1.9.dcm": b"other bytes"})
    other = Machine(tmp_path / "other")

    with pytest.raises(NoBackup, match="was altered"):
        restore(bad, other.config)
    assert not other.state.exists()


def test_a_truncated_backup_is_refused(site: tuple[Machine, Index], tmp_path: Path) -> None:
    backup = saved(site, tmp_path / "node.tar")
    backup.write_bytes(backup.read_bytes()[: backup.stat().st_size // 2])

    with pytest.raises(NoBackup):
        restore(backup, Machine(tmp_path / "other").config)


def test_a_backup_is_for_its_owner_alone_and_overwrites_nothing(site: tuple[Machine, Index], tmp_path: Path) -> None:
    backup = saved(site, tmp_path / "node.tar")

    assert backup.stat().st_mode & 0o777 == 0o600
    with pytest.raises(ConfigFault, match="exists already"):
        saved(site, backup)


def test_both_databases_are_copied_as_of_one_moment(site: tuple[Machine, Index], tmp_path: Path) -> None:
    machine, index = site
    sources = {"index.sqlite": machine.state / "index.sqlite", "engine.sqlite": machine.state / "engine.sqlite"}
    (tmp_path / "copies").mkdir()
    with closing(sqlite3.connect(sources["engine.sqlite"])) as busy:
        busy.execute("PRAGMA journal_mode=WAL")
        busy.execute("BEGIN IMMEDIATE")
        busy.execute("INSERT INTO work VALUES ('not committed')")
        copies = copy_databases(sources, tmp_path / "copies")
        busy.execute("ROLLBACK")

    with closing(sqlite3.connect(copies["engine.sqlite"])) as copy:
        assert copy.execute("SELECT count(*) FROM work").fetchone() == (1,)
    with index.transaction() as session:  # the lock is given back
        session.add(StudyRow(study_uid="1.9", first_received_s=time.time(), last_received_s=time.time()))


def test_nobody_who_writes_waits_for_a_backup_and_the_copies_are_of_one_moment(
    site: tuple[Machine, Index], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    state = site[0].state
    sources = {"index.sqlite": state / "index.sqlite", "engine.sqlite": state / "engine.sqlite"}
    (tmp_path / "copies").mkdir()
    with closing(sqlite3.connect(sources["engine.sqlite"])) as engine:
        engine.execute("PRAGMA journal_mode=WAL")  # as the engine opens it
    plain = save_module._copied

    def copied(source: sqlite3.Connection, target: Path) -> Path:
        """Both databases are written to while each is copied."""
        with closing(sqlite3.connect(sources["index.sqlite"], timeout=0)) as other, other:
            other.execute("UPDATE studies SET description = 'later'")
        with closing(sqlite3.connect(sources["engine.sqlite"], timeout=0)) as other, other:
            other.execute("INSERT INTO work VALUES ('later')")
        return plain(source, target)

    monkeypatch.setattr(save_module, "_copied", copied)
    copies = copy_databases(sources, tmp_path / "copies")

    with closing(sqlite3.connect(copies["index.sqlite"])) as copy:
        assert copy.execute("SELECT description FROM studies").fetchall() == [("",)]
    with closing(sqlite3.connect(copies["engine.sqlite"])) as copy:
        assert copy.execute("SELECT id FROM work").fetchall() == [("journey:open",)]


def test_of_two_backups_to_one_name_at_once_the_first_is_kept_and_the_other_is_told(
    site: tuple[Machine, Index], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = tmp_path / "backups" / "node.tar"
    target.parent.mkdir()
    plain = save_module.copy_databases

    def another_first(databases: dict[str, Path], folder: Path) -> dict[str, Path]:
        monkeypatch.setattr(save_module, "copy_databases", plain)
        saved(site, target)
        return plain(databases, folder)

    monkeypatch.setattr(save_module, "copy_databases", another_first)

    with pytest.raises(ConfigFault, match="another backup was written to"):
        saved(site, target)

    assert [path.name for path in target.parent.iterdir()] == ["node.tar"]
    assert target.stat().st_mode & 0o777 == 0o600
    restore(target, Machine(tmp_path / "other").config)


def test_a_model_that_is_there_already_is_left_as_it_is(site: tuple[Machine, Index], tmp_path: Path) -> None:
    backup = saved(site, tmp_path / "node.tar")
    other = Machine(tmp_path / "other")
    (other.config.infer.folder / "liver").mkdir(parents=True)
    (other.config.infer.folder / "liver" / "model.pt").write_bytes(b"newer weights")

    assert restore(backup, other.config).kept_models == ("liver",)
    assert (other.config.infer.folder / "liver/model.pt").read_bytes() == b"newer weights"


def test_a_database_server_is_backed_up_with_its_own_tools(site: tuple[Machine, Index], tmp_path: Path) -> None:
    machine, index = site
    elsewhere = machine.config.index.model_copy(update={"engine_url": "postgresql+psycopg://db.example/engine"})

    with pytest.raises(ConfigFault, match="pg_dump"):
        save(
            machine.config.model_copy(update={"index": elsewhere}),
            machine.file,
            index,
            tmp_path / "node.tar",
            with_studies=False,
        )


def test_the_commands_say_what_is_in_the_file_and_what_came_back(site: tuple[Machine, Index], tmp_path: Path) -> None:
    app = Typer()
    backup_command.add_to(app)
    backup = str(tmp_path / "node.tar")

    written = CliRunner().invoke(app, ["backup", backup], obj=Opened(site[0].file))
    config_to = str(tmp_path / "new" / "config.toml")
    returned = CliRunner().invoke(app, ["restore", backup, "--write-config", config_to], obj=Opened(None))

    assert "Images of finished runs are not in it" in written.stdout
    assert "2 images were not in the backup" in returned.stdout
    assert (tmp_path / "new" / "state" / "index.sqlite").exists()
