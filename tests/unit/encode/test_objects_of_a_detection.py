"""The lesions of a detection in every object that shows findings."""

from pathlib import Path

from dicomnode.values import Lesion, Role
from tests.unit.encode.placed import door_says
from tests.unit.encode.report.test_detection_report import LARGE, SMALL, detected
from tests.unit.encode.test_key_objects import key_images, words
from tests.unit.encode.test_presentation import texts

OBJECTS = (Role.SR, Role.KOS, Role.GSPS, Role.PMAP, Role.RTSTRUCT)


def test_lesions_are_drawn_and_named_on_their_middle_slices(tmp_path: Path) -> None:
    example = detected(tmp_path, LARGE, SMALL, objects=OBJECTS)

    state = example.read(Role.GSPS)
    lines = [annotation.GraphicObjectSequence[0] for annotation in state.GraphicAnnotationSequence]
    assert list(lines[0].GraphicData) == [2, 1.5, 6, 1.5, 6, 4.5, 2, 4.5, 2, 1.5]
    assert [text.UnformattedTextValue for text, _ in texts(state)] == [
        "AI: Solitary nodule of lung 1 93 %",
        "AI: Solitary nodule of lung 2 61 %",
    ]
    assert door_says(example) == []


def test_the_middle_slices_are_key_images(tmp_path: Path) -> None:
    example = detected(tmp_path, LARGE, SMALL, objects=OBJECTS)

    document = example.read(Role.KOS)
    wanted = [example.volume.frames[k].sop_instance_uid for k in (2, 3)]
    assert [image.ReferencedSOPInstanceUID for image in key_images(document)] == wanted
    assert "Solitary nodule of lung 1: image 3." in words(document)


def test_a_box_is_no_region_of_a_planning_system_and_no_map(tmp_path: Path) -> None:
    example = detected(tmp_path, LARGE, objects=OBJECTS)

    assert [one.role for one in example.made] == [Role.SR, Role.KOS, Role.GSPS]


def test_a_box_beyond_the_edge_is_cut_off_there(tmp_path: Path) -> None:
    beyond = Lesion(0, 0.9, ((1.0, 2.0), (-0.5, 3.0), (5.0, 9.5)))
    example = detected(tmp_path, beyond, objects=(Role.GSPS,))

    line = example.read(Role.GSPS).GraphicAnnotationSequence[0].GraphicObjectSequence[0]
    assert list(line.GraphicData) == [5, 0, 8, 0, 8, 3, 5, 3, 5, 0]
