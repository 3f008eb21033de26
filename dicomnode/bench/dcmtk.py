"""DCMTK's own programs: pynetdicom installs namesakes (storescu, storescp, echoscu) of some of them."""

import os
import subprocess
from functools import cache
from pathlib import Path


@cache
def program(name: str) -> str:
    """Path of one of DCMTK's programs; empty where it is not installed."""
    folders = os.environ.get("PATH", "").split(os.pathsep)
    return next((str(Path(folder, name)) for folder in folders if _is_dcmtk(Path(folder, name))), "")


@cache
def version() -> str:
    """DCMTK's version; empty where it is not installed."""
    found = program("storescu")
    return _first_line(Path(found)).split()[2] if found else ""


def _is_dcmtk(path: Path) -> bool:
    return os.access(path, os.X_OK) and path.is_file() and _first_line(path).startswith("$dcmtk")


def _first_line(path: Path) -> str:
    said = subprocess.run([path, "--version"], capture_output=True, text=True, timeout=30, check=False).stdout
    return said.split("\n", 1)[0]
