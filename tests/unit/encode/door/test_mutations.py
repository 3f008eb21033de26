"""Whatever is broken in a finished object, the door's own checks catch it, without a validator installed."""

from io import BytesIO
from pathlib import Path

import pytest
from pydicom import dcmread

from dicomnode.encode.context import Encoded
from dicomnode.encode.door import CHECKS
from dicomnode.encode.door.expected import Expected
from dicomnode.encode.results import MAKERS
from dicomnode.values import Role
from tests.phantoms.answers import Given, given
from tests.unit.encode.door.mutations import WAYS, Broken, Way, attributes_of, put_back

EXAMPLES = (("oblique MR", "segmentation"), ("DX", "classification"))
HARMLESS = {
    "FloatingPointValue (1C) deleted": "Numeric Value tells the same (PS3.3 C.18.1)",
    "ConceptNameCodeSequence (1C) deleted": "an image may stand without a name (PS3.3 C.17.3.2.2); others may not",
    "GraphicAnnotationSequence/TextObjectSequence (1C) deleted": "an outline may stand without words (PS3.3 C.10.5)",
}
"""What may be missing without telling anything else, by the end of its name."""
ALONE = {
    "UIDREF 112040/DCM/UID (1C) another UID": "no other object of this answer tracks the finding",
    "FrameOfReferenceUID (1) another UID": "a projection's map has a frame of reference of its own",
}
"""What only another object could contradict; with a SEG or a stack both are caught."""
CAD_EXAMPLES = (("MG", "segmentation"), ("axial CT", "segmentation"))
CASES = [(role, *example) for role, _ in MAKERS for example in EXAMPLES]
CASES += [(Role.CAD_SR, *example) for example in CAD_EXAMPLES]


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    "each", [pytest.param(3, id="one way in three"), pytest.param(1, marks=pytest.mark.soak, id="each way")]
)
@pytest.mark.parametrize(("role", "source", "answer"), CASES)
def test_whatever_is_broken_is_caught(role: Role, source: str, answer: str, each: int, tmp_path: Path) -> None:
    objects = [kind for kind, _ in MAKERS if kind in (Role.SEG, Role.SR, role)]
    one = given(source, answer, tmp_path, objects=objects)
    if role not in [encoded.role for encoded in one.made]:
        pytest.skip(f"no {role} is made of a {answer} of a {source}")

    missed = [what for what in uncaught(one, role, each) if not is_harmless(what)]

    assert [what for what in missed if source != "DX" or not what.endswith(tuple(ALONE))] == []


def is_harmless(what: str) -> bool:
    """Whether the list above gives a reason; a name may be missing from images alone."""
    return what.endswith(tuple(HARMLESS)) and ("ConceptName" not in what or "/IMAGE " in what)


def uncaught(one: Given, role: Role, each: int) -> list[str]:
    """Ways to break an object that no check notices; tried is one way of so many."""
    (content,) = [encoded.content for encoded in one.made if encoded.role is role]
    dataset = dcmread(BytesIO(content))
    made = tuple(Encoded(e.role, dataset) if e.role is role else e for e in one.made)
    assert not says_anything(one, made)
    ways = [(broken, name) for broken in attributes_of(dataset, role) for name in WAYS if WAYS[name].applies(broken)]
    missed = [(broken, name) for broken, name in ways[::each] if not is_caught(broken, WAYS[name], one, made)]
    return [f"{broken.place} ({broken.kind}) {name}" for broken, name in missed]


def is_caught(broken: Broken, way: Way, one: Given, made: tuple[Encoded, ...]) -> bool:
    with put_back(broken):
        way.change(broken)
        return says_anything(one, made)


def says_anything(one: Given, made: tuple[Encoded, ...]) -> bool:
    """Whether any of the node's own checks finds a fault."""
    expected = Expected(made, one.run, one.rules, one.series)
    return any(True for check in CHECKS for _ in check(expected))
