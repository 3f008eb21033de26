"""Every check, in the order in which a person would fix what it finds."""

from collections.abc import Callable, Iterator

from sqlalchemy.exc import SQLAlchemyError

from dicomnode.check.bundles import bundles
from dicomnode.check.certificates import certificates
from dicomnode.check.clock import clock
from dicomnode.check.device import device
from dicomnode.check.disk import disk
from dicomnode.check.finding import Finding, fault, ok
from dicomnode.check.neighbours import neighbours
from dicomnode.cli.context import Opened
from dicomnode.config.tables import Config
from dicomnode.errors import ConfigFault
from dicomnode.index.database import Index

Look = Callable[[Config], list[Finding]]


def everything(opened: Opened) -> Iterator[Finding]:
    """Look at all of the node; where the configuration cannot be read, at nothing else."""
    try:
        config = opened.config
        yield ok("config", f"{opened.path} is complete: {_told(config)}")
    except ConfigFault as error:
        yield fault("config", str(error), "correct the lines named; the shipped config.toml explains every key")
        return
    found = disk(config)
    yield from found
    index = _index(opened)
    if isinstance(index, Finding):
        yield index
    else:
        yield from clock(index)
    yield from device(config)
    if isinstance(index, Index):
        yield from bundles(config, index)
    yield from certificates(config)
    yield from neighbours(config)


def _told(config: Config) -> str:
    return f"{len(config.routes)} route(s), {len(config.peers)} peer(s)"


def _index(opened: Opened) -> Index | Finding:
    try:
        return opened.index
    except ConfigFault as error:
        return fault("index", str(error), "install the newer program again, or restore a backup of before")
    except (OSError, SQLAlchemyError) as error:
        said = str(getattr(error, "orig", error)).strip().splitlines()[0]
        return fault("index", f"the database cannot be opened: {said}", "look at [index].url and at the disk")
