"""The index's database: opened, migrated, and one transaction at a time."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from alembic import command
from alembic.config import Config as AlembicConfig
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, create_engine, event, make_url
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.orm import Session
from sqlalchemy.pool import ConnectionPoolEntry

from dicomnode.errors import ConfigFault

MIGRATIONS = Path(__file__).parent / "migrations"
BUSY_MS = 30_000
BETWEEN_S = 0.15
"""Between the transactions of long work: who waits for SQLite's write lock looks every 0.1 s, and must find it free."""
KEYS_AT_ONCE = 500
"""Keys in one question to the database."""
CHECKPOINT_PAGES = 4000
"""Pages of 4 KiB in SQLite's write-ahead log before they go into the database, which waits for the disk twice."""

PATIENCE = {
    "connect_timeout": 10,
    "tcp_user_timeout": 60_000,
    "keepalives_idle": 20,
    "keepalives_interval": 10,
    "keepalives_count": 3,
}
"""Of libpq (seconds, the second in ms): what waits for a PostgreSQL server that vanished fails within a minute."""
T = TypeVar("T")


def in_parts(rows: Sequence[T], size: int = KEYS_AT_ONCE) -> Iterator[Sequence[T]]:
    """So many at once, in order, the last part with what is left."""
    return (rows[start : start + size] for start in range(0, len(rows), size))


class Index:
    """An open index. Many processes may hold one each."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.engine = _engine(url)
        self.reader = self.engine.execution_options(**_reading(self.engine))

    @contextmanager
    def transaction(self) -> Iterator[Session]:
        """A session that commits when the block ends and rolls back when it raises.

        On SQLite it begins IMMEDIATE, so that a read followed by a write never loses a race.
        """
        with Session(self.engine, expire_on_commit=False) as session, session.begin():
            yield session

    @contextmanager
    def snapshot(self) -> Iterator[Session]:
        """A session to read one consistent state, that never waits for a writer."""
        with Session(self.reader, expire_on_commit=False) as session, session.begin():
            yield session

    def migrate(self) -> None:
        """Bring the tables to this program's version.

        Raises:
            ConfigFault: the database was written by a newer program; nothing is changed.
        """
        self._require_not_newer()
        command.upgrade(self._alembic(), "head")

    def close(self) -> None:
        """Give every connection back."""
        self.engine.dispose()

    def _alembic(self) -> AlembicConfig:
        config = AlembicConfig()
        config.set_main_option("script_location", str(MIGRATIONS))
        config.attributes["engine"] = self.engine
        return config

    def _require_not_newer(self) -> None:
        with self.engine.connect() as connection:
            found = MigrationContext.configure(connection).get_current_revision()
        known = {script.revision for script in ScriptDirectory(str(MIGRATIONS)).walk_revisions()}
        if found is not None and found not in known:
            raise ConfigFault(f"the index is at version {found}, newer than this program knows: install the newer one")


def _engine(url: str) -> Engine:
    if make_url(url).get_backend_name() != "sqlite":
        return create_engine(url, pool_pre_ping=True, connect_args=_patience(url))
    database = make_url(url).database
    if database:
        Path(database).parent.mkdir(parents=True, exist_ok=True)
    engine = create_engine(url, connect_args={"timeout": BUSY_MS / 1000})
    event.listen(engine, "connect", _on_connect)
    event.listen(engine, "begin", _on_begin)
    return engine


def _reading(engine: Engine) -> dict[str, object]:
    """How a snapshot begins: on SQLite without the lock of who writes, on others with one state for every question."""
    if engine.name == "sqlite":
        return {"reading": True}
    return {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True}


def _patience(url: str) -> dict[str, int]:
    """As the URL says, and where it does not, PATIENCE."""
    if make_url(url).get_driver_name() != "psycopg":
        return {}
    return {name: value for name, value in PATIENCE.items() if name not in make_url(url).query}


def _on_connect(connection: DBAPIConnection, _: ConnectionPoolEntry) -> None:
    connection.isolation_level = None  # we begin transactions ourselves
    cursor = connection.cursor()
    for pragma in (
        "journal_mode=WAL",
        "synchronous=FULL",
        "foreign_keys=ON",
        f"busy_timeout={BUSY_MS}",
        f"wal_autocheckpoint={CHECKPOINT_PAGES}",
    ):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _on_begin(connection: Connection) -> None:
    reading = connection.get_execution_options().get("reading", False)
    connection.exec_driver_sql("BEGIN" if reading else "BEGIN IMMEDIATE")
