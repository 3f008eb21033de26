"""What becomes of a node's work when this program takes over; a downgrade is refused before anything changes.

`python -m dicomnode.backup.upgrade CONFIG` is asked by deploy/install.sh: exit code 0: go on; 3: do not.
"""

import sqlite3
import sys
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine, make_url

from dicomnode import __version__
from dicomnode.config.load import load
from dicomnode.config.tables import Config
from dicomnode.durable import FLOW_VERSION, waiting
from dicomnode.errors import NodeError
from dicomnode.index.database import MIGRATIONS

DO_NOT = 3


@dataclass(frozen=True)
class Outlook:
    """What an upgrade would do."""

    possible: bool
    says: str


def outlook(config: Config) -> Outlook:
    """Compare the state that lies on disk with this program, without changing it."""
    found = index_version(config.index_url)
    if found is None:
        return Outlook(True, "There is no state yet.")
    known = {script.revision for script in ScriptDirectory(str(MIGRATIONS)).walk_revisions()}
    if found not in known:
        said = f"The index was written by a newer program (version {found}): {__version__} would be a downgrade."
        return Outlook(False, f"{said} Install the newer one, or restore a backup of before.")
    flows = flow_versions(config.engine_url)
    jobs = sum(queue.count for queue in waiting(config.engine_url)) if flows else 0
    if flows - {FLOW_VERSION}:
        said = f"{jobs} piece(s) of work are in flight that this program cannot continue."
        return Outlook(
            False, f"{said} Let the old one finish them: dicomnode pause, until dicomnode status shows none."
        )
    return Outlook(True, f"{jobs} piece(s) of work are in flight: they go on where they were, under the same UIDs.")


def index_version(url: str) -> str | None:
    """The migration that an index is at; None where there is none."""
    if _missing(url):
        return None
    engine = create_engine(url)
    try:
        with engine.connect() as connection:
            return MigrationContext.configure(connection).get_current_revision()
    finally:
        engine.dispose()


def flow_versions(url: str) -> set[str]:
    """Versions of the workflows that are unfinished."""
    if not url.startswith("sqlite") or _missing(url):
        return set()
    question = (
        "SELECT DISTINCT application_version FROM workflow_status WHERE status IN ('PENDING', 'ENQUEUED', 'DELAYED')"
    )
    with closing(sqlite3.connect(make_url(url).database or "", timeout=30)) as engine:
        try:
            return {str(row[0]) for row in engine.execute(question)}
        except sqlite3.OperationalError:  # the engine never ran
            return set()


def _missing(url: str) -> bool:
    parsed = make_url(url)
    return parsed.get_backend_name() == "sqlite" and not Path(parsed.database or "").exists()


def main() -> int:
    """Print the outlook for the node of one configuration file."""
    try:
        found = outlook(load(Path(sys.argv[1])))
    except NodeError as fault:
        found = Outlook(False, str(fault))
    print(found.says)
    return 0 if found.possible else DO_NOT


if __name__ == "__main__":
    sys.exit(main())
