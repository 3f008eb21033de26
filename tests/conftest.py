"""What every test shares: tests whose outside is missing are skipped by name, or fail where it must be there."""

import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import event
from sqlalchemy.orm import Session

if TYPE_CHECKING:
    from xdist.remote import Producer
    from xdist.scheduler import LoadScopeScheduling

BIN = Path(sys.executable).parent
HERE = [place for place in os.environ["PATH"].split(os.pathsep) if Path(place) != BIN]
PLACES = (*HERE, "/usr/sbin", "/usr/local/sbin", str(BIN))
os.environ["PATH"] = os.pathsep.join(PLACES)  # Orthanc lies in sbin; dciodvfy and dcmqi are from pip, after DCMTK
os.environ.pop("COLUMNS", None)  # a table is as wide as a test says
os.environ.setdefault("OMP_NUM_THREADS", "1")  # small networks; several processes share the processor already

PEERS = ("Orthanc", "storescu", "storescp", "echoscu", "findscu", "movescu", "dcmdump", "dsrdump", "dciodvfy")
"""Programs that a test marked `peers` needs where it names none: @pytest.mark.peers("Orthanc") names one."""

PYNETDICOM = frozenset({"storescu", "storescp", "echoscu", "findscu", "movescu", "getscu", "qrscp"})
"""Scripts that pynetdicom installs under the names of DCMTK's programs: a peer is not ourselves."""

JARS = Path("/usr/share/java")
"""Where Debian puts Java archives."""

CACHES = (sys.dont_write_bytecode, sys.pycache_prefix)
"""Where Python keeps what it compiled, before a bundle is loaded into this process."""


@pytest.fixture(autouse=True)
def imports_as_before() -> Iterator[None]:
    """A bundle's folder is importable once it is loaded, and nothing compiled is kept: for one test alone."""
    path = list(sys.path)
    sys.dont_write_bytecode, sys.pycache_prefix = CACHES
    yield
    sys.path[:] = path
    sys.dont_write_bytecode, sys.pycache_prefix = CACHES


@event.listens_for(Session, "before_flush")
def require_room(session: Session, *_: object) -> None:
    """PostgreSQL refuses a text that is longer than its column; SQLite, on which most tests run, takes it."""
    for row in (*session.new, *session.dirty):
        for attribute in row.__mapper__.column_attrs:
            (column,), text = attribute.columns, getattr(row, attribute.key)
            room = getattr(column.type, "length", None)
            if text is not None and room is not None and len(text) > room:
                raise ValueError(f"{column} has room for {room} characters, not for {len(text)}")


def missing_peers(item: pytest.Item) -> list[str]:
    """Programs that a test marked `peers` needs and this machine lacks."""
    marks = list(item.iter_markers("peers"))
    if not marks:
        return []
    named = {str(name) for mark in marks for name in mark.args} or set(PEERS)
    return sorted(name for name in named if not _is_installed(name))


def _is_installed(name: str) -> bool:
    if name.endswith(".jar"):
        return (JARS / name).exists()
    found = shutil.which(name)
    return found is not None and (Path(found).parent != BIN or name not in PYNETDICOM)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave soak tests out unless asked for; skip what lacks its peers or its device."""
    asked = os.environ.get("DICOMNODE_SOAK") == "1" or "soak" in config.getoption("-m")
    soak = [] if asked else [item for item in items if item.get_closest_marker("soak")]
    if soak:
        config.hook.pytest_deselected(items=soak)
        items[:] = [item for item in items if item not in soak]
    for item in items:
        if missing := missing_peers(item):
            item.add_marker(pytest.mark.skip(reason=f"{', '.join(missing)} not installed: run `make peers`"))
        if item.get_closest_marker("gpu") and not Path("/proc/driver/nvidia/version").exists():
            item.add_marker(pytest.mark.skip(reason="no NVIDIA device"))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    """Where DICOMNODE_REQUIRE_PEERS=1, a test skipped for want of a peer is a failure."""
    report = yield
    if report.skipped and os.environ.get("DICOMNODE_REQUIRE_PEERS") == "1" and wants_a_peer(item, report):
        report.outcome = "failed"
        report.longrepr = f"{item.nodeid} was skipped, and peers are required here: {report.longrepr}"
    return report


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: "Producer") -> "LoadScopeScheduling":
    """Where several processes share the tests, a room's tests go to one: what they share is then made once."""
    from xdist.scheduler import LoadScopeScheduling

    class Rooms(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            return room_of(Path(nodeid.partition("::")[0]))

    return Rooms(config, log)


def room_of(path: Path) -> str:
    """Tests that run one after the other in one process: those of a file, and all that share one viewer."""
    return "viewer" if "viewer" in path.parts else str(path)


def wants_a_peer(item: pytest.Item, report: pytest.TestReport) -> bool:
    """Whether a test is about a peer, by its mark or by what it said when it was skipped."""
    words = ("make peers", "not installed")
    return item.get_closest_marker("peers") is not None or any(word in str(report.longrepr) for word in words)
