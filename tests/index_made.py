"""An index without rows; its tables are made once in a process, since that takes longer than most tests."""

from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

from sqlalchemy import make_url

from dicomnode.index.database import Index


def index_made(where: Path | str) -> Index:
    """The index of this file or URL at this program's version: a new file of SQLite is a copy of an empty one."""
    url = f"sqlite:///{where}" if isinstance(where, Path) else where
    name = make_url(url).database if url.startswith("sqlite") else None
    if name is None or Path(name).exists():
        index = Index(url)
        index.migrate()
        return index
    Path(name).parent.mkdir(parents=True, exist_ok=True)
    Path(name).write_bytes(empty_index())
    return Index(url)


@cache
def empty_index() -> bytes:
    """The file of an index without rows."""
    with TemporaryDirectory() as folder:
        index = Index(f"sqlite:///{folder}/index.sqlite")
        index.migrate()
        index.close()  # which takes the log into the file
        return (Path(folder) / "index.sqlite").read_bytes()
