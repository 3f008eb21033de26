"""The five kinds of source that every kind of result is proven on."""

from collections.abc import Callable

from pydicom import Dataset

from tests.phantom import SUBJECT, Subject
from tests.phantoms.projections import dx, mg
from tests.phantoms.stacks import axial_ct, enhanced_mr, oblique_mr

SOURCES: dict[str, Callable[[Subject], list[Dataset]]] = {
    "axial CT": axial_ct,
    "oblique MR": oblique_mr,
    "enhanced MR": enhanced_mr,
    "DX": dx,
    "MG": mg,
}
STACKS = ("axial CT", "oblique MR", "enhanced MR")


def source(name: str, subject: Subject = SUBJECT) -> list[Dataset]:
    """The images of one source, a study of their own for each name."""
    return SOURCES[name](Subject(**(vars(subject) | {"study": f"{subject.study} {name}"})))
