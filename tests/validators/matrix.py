"""Every validator over every object: which kinds each reads, and what it says of all of them, asked once."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from dicomnode.values import Role
from tests.validators import programs
from tests.validators.pixelmed import pixelmed, with_known_title

REPORTS_1500 = frozenset({Role.SR, Role.SR_OHIF})
DOCUMENTS = REPORTS_1500 | {Role.CAD_SR, Role.KOS}
MAMMOGRAMS = ("MG",)
NO_TEMPLATE = "Content Item not in template"
"""PixelMed has no rules for TID 4100, and says so of every item; of a chest CAD report it checks the relationships."""


@dataclass(frozen=True)
class Made:
    """One object as a file."""

    path: Path
    role: Role
    source: str
    answer: str


@dataclass(frozen=True)
class Validator:
    """One program that reads objects, of all kinds or of some."""

    name: str
    findings: Callable[[Sequence[Made]], dict[Path, list[str]]]
    """What it says of each object that it was given, or of a sample of them."""
    peers: tuple[str, ...] = ()
    """Programs that must be on the machine."""
    roles: frozenset[Role] = frozenset(Role)


def one_by_one(check: Callable[[Path], list[str]]) -> Callable[[Sequence[Made]], dict[Path, list[str]]]:
    """A program that reads one file, over many."""
    return lambda objects: {one.path: check(one.path) for one in objects}


def by_pixelmed(objects: Sequence[Made]) -> dict[Path, list[str]]:
    """PixelMed over a sample at once: a report takes it seconds of processor time."""
    folder = objects[0].path.parent / "titled"
    folder.mkdir(exist_ok=True)
    chosen = sample(objects)
    given = {with_known_title(o.path, folder) if o.role in REPORTS_1500 else o.path: o.path for o in chosen}
    chest = {one.path for one in chosen if one.role is Role.CAD_SR and one.source not in MAMMOGRAMS}
    return {
        given[path]: [line for line in findings if given[path] not in chest or NO_TEMPLATE not in line]
        for path, findings in pixelmed(tuple(given)).items()
    }


def sample(objects: Sequence[Made]) -> list[Made]:
    """The first object of each kind on each source; of the report, the first of each answer too."""
    cells = {(one.role, one.source): one for one in reversed(objects)}
    answers = {one.answer: one for one in reversed(objects) if one.role is Role.SR}
    return [one for one in objects if one in cells.values() or one in answers.values()]


VALIDATORS = (
    Validator("dciodvfy", one_by_one(programs.dciodvfy), ("dciodvfy",)),
    Validator("dsrdump", one_by_one(programs.dsrdump), ("dsrdump",), DOCUMENTS),
    Validator("dcmpschk", one_by_one(programs.dcmpschk), ("dcmpschk",), frozenset({Role.GSPS})),
    Validator("tid1500reader", one_by_one(programs.tid1500reader), ("tid1500reader",), REPORTS_1500),
    Validator(
        "segimage2itkimage", one_by_one(programs.segimage2itkimage), ("segimage2itkimage",), frozenset({Role.SEG})
    ),
    Validator("paramap2itkimage", one_by_one(programs.paramap2itkimage), ("paramap2itkimage",), frozenset({Role.PMAP})),
    Validator("PixelMed", by_pixelmed, ("javac", "pixelmed.jar"), DOCUMENTS | {Role.SEG, Role.PMAP}),
    Validator("highdicom", one_by_one(programs.read_by_highdicom), roles=frozenset(Role) - {Role.CAD_SR}),
)
