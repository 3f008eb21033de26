"""One PACS, one viewer and one browser for all tests of this folder; they end with its last test."""

from collections.abc import Iterator

import pytest

from dicomnode.config.profiles import OBJECTS, PROFILES
from dicomnode.values import Role
from tests.acceptance.viewer.bench import Desk, desk
from tests.acceptance.viewer.phantoms_made import Shown, classified_study, refused_study, segmented_study
from tests.phantom import OBLIQUE

FLIPPED = (-1.0, 0.0, 0.0, 0.0, 1.0, 0.0)
"""Rows run to the patient's right: the stack's normal points to the feet."""

DRAWN = (Role.SEG, Role.SR, Role.PMAP)
EVERYTHING = tuple(role for role in OBJECTS if role is not Role.SR_OHIF)


@pytest.fixture(scope="package")
def reading(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    with desk(tmp_path_factory.mktemp("viewer")) as made:
        yield made


@pytest.fixture(scope="package")
def studies(reading: Desk, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Shown]:
    """Every phantom with its results, in the PACS."""
    folder = tmp_path_factory.mktemp("phantoms")
    made = {
        "axial": segmented_study(folder, "axial", objects=DRAWN),
        "oblique": segmented_study(folder, "oblique", OBLIQUE, objects=DRAWN),
        "reversed": segmented_study(folder, "reversed", backwards=True, objects=DRAWN),
        "flipped": segmented_study(folder, "flipped", FLIPPED, objects=DRAWN),
        "everything": segmented_study(folder, "everything", objects=EVERYTHING),
        "editable": segmented_study(folder, "editable", objects=PROFILES["ohif"]),
        "corrected": segmented_study(folder, "corrected", objects=PROFILES["ohif"]),
        "healthy": segmented_study(folder, "healthy", blind=True),
        "refused": refused_study(folder, "refused"),
        "radiograph": classified_study(folder, "radiograph"),
    }
    for study in made.values():
        for file in study.files():
            reading.pacs.post("/instances", file)
    return made
