"""No validator finds anything new in any kind of object, on any kind of source."""

from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from dicomnode.encode.known_findings import is_known
from dicomnode.encode.results import MAKERS
from dicomnode.values import Role
from tests.phantom import write
from tests.phantoms.answers import ANSWERS, COULD_NOT, Given, given
from tests.phantoms.sources import SOURCES, STACKS, source
from tests.validators.matrix import VALIDATORS, Made, Validator
from tests.validators.programs import dcentvfy, dciodvfy

KINDS = tuple(role for role, _ in MAKERS)
ONLY_IN_A_STACK = frozenset({Role.SEG, Role.RTSTRUCT})
"""Kinds of object that need a place in the patient; a projection image has none."""
ONLY_OF_BREAST_OR_CHEST = frozenset({Role.CAD_SR})
HEADS = ("oblique MR", "enhanced MR")


@pytest.fixture(scope="module")
def matrix(tmp_path_factory: pytest.TempPathFactory) -> "Matrix":
    return Matrix(tmp_path_factory.mktemp("matrix"))


class Matrix:
    """All objects of all answers on all sources as files, and each validator's findings, asked for once."""

    def __init__(self, folder: Path) -> None:
        self.objects = tuple(one for name in SOURCES for one in objects_on(name, folder))
        self.findings = cache(self._findings)

    def of(self, role: Role, name: str) -> list[Made]:
        """The objects of one kind on one source."""
        return [one for one in self.objects if (one.role, one.source) == (role, name)]

    def _findings(self, validator: Validator) -> dict[Path, list[str]]:
        return validator.findings([one for one in self.objects if one.role in validator.roles])


def objects_on(name: str, folder: Path) -> Iterator[Made]:
    for answer in (*ANSWERS, COULD_NOT):
        one: Given = given(name, answer, folder)
        for encoded in one.made:
            path = folder / f"{name} {answer} {encoded.role}.dcm".replace(" ", "-")
            path.write_bytes(encoded.content)
            yield Made(path, encoded.role, name, answer)


def cells() -> Iterator[object]:
    for validator in VALIDATORS:
        for role in KINDS:
            for name in SOURCES if role in validator.roles else ():
                if is_made(role, name):
                    marks = pytest.mark.peers(*validator.peers) if validator.peers else ()
                    yield pytest.param(validator, role, name, marks=marks, id=f"{validator.name}: {role}, {name}")


def is_made(role: Role, name: str) -> bool:
    """Whether a source has objects of a kind at all."""
    return (name in STACKS or role not in ONLY_IN_A_STACK) and (
        name not in HEADS or role not in ONLY_OF_BREAST_OR_CHEST
    )


@pytest.mark.timeout(900)
@pytest.mark.parametrize(("validator", "role", "name"), list(cells()))
def test_nothing_new_is_found(validator: Validator, role: Role, name: str, matrix: Matrix) -> None:
    found = matrix.findings(validator)
    said = {one.path.name: found[one.path] for one in matrix.of(role, name) if one.path in found}

    assert said, f"no {role} was made on {name}"
    assert {path: new for path, lines in said.items() if (new := unknown(validator.name, lines))} == {}


@pytest.mark.peers("dcentvfy")
@pytest.mark.parametrize("name", SOURCES)
def test_all_objects_of_a_study_agree_with_its_images(name: str, matrix: Matrix, tmp_path: Path) -> None:
    images = write(source(name), tmp_path)
    results = [one.path for one in matrix.objects if one.source == name]

    assert unknown("dcentvfy", dcentvfy([*images, *results])) == []


@pytest.mark.peers("dciodvfy")
@pytest.mark.parametrize("name", SOURCES)
def test_the_sources_conform_themselves(name: str, tmp_path: Path) -> None:
    assert {path.name: found for path in write(source(name), tmp_path) if (found := dciodvfy(path))} == {}


def unknown(validator: str, lines: list[str]) -> list[str]:
    """Findings that are not on the list, each once."""
    return [line for line in dict.fromkeys(lines) if not is_known(validator, line)]
