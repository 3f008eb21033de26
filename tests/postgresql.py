"""A private PostgreSQL server, for tests that need one; `make peers` installs it."""

import importlib.util
import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

PROGRAMS = next(iter(sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)), Path("/nonexistent"))


def account() -> list[str]:
    """How to become someone whom PostgreSQL lets start a server: it refuses root."""
    return ["runuser", "-u", "postgres", "--"] if os.geteuid() == 0 else []


def is_possible() -> bool:
    known = {entry.pw_name for entry in pwd.getpwall()}
    may = os.geteuid() != 0 or ("postgres" in known and shutil.which("runuser") is not None)
    return may and (PROGRAMS / "initdb").exists() and importlib.util.find_spec("psycopg") is not None


@contextmanager
def postgresql() -> Iterator[str]:
    """URL of a fresh server on a Unix socket, that ends with the block."""
    folder = Path(tempfile.mkdtemp(prefix="pg-"))
    if os.geteuid() == 0:
        shutil.chown(folder, "postgres")
    control = [*account(), str(PROGRAMS / "pg_ctl"), "-D", str(folder / "data"), "-w"]
    options = f"-k {folder} -c listen_addresses='' -c fsync=off"
    try:
        initdb = [*account(), str(PROGRAMS / "initdb"), "-D", str(folder / "data"), "-U", "postgres", "-A", "trust"]
        subprocess.run(initdb, check=True, capture_output=True, cwd=folder)
        subprocess.run([*control, "-o", options, "-l", str(folder / "log"), "start"], check=True, cwd=folder)
        yield f"postgresql+psycopg://postgres@/postgres?host={folder}"
    finally:
        subprocess.run([*control, "-m", "immediate", "stop"], check=False, cwd=folder, capture_output=True)
        shutil.rmtree(folder, ignore_errors=True)
