"""The procedure that a report names is the study's own, where the study says it in codes."""

from pathlib import Path

from pydicom import Dataset

from dicomnode.encode.door.items import children
from tests.phantom import mr_series
from tests.unit.encode.examples import segmentation_results


def code(value: str, scheme: str, meaning: str) -> Dataset:
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = value, scheme, meaning
    return item


def reported(codes: list[Dataset], folder: Path) -> list[tuple[str, str, str]]:
    """Value, scheme and meaning of every Procedure Reported."""
    images = mr_series()
    for image in images:
        image.ProcedureCodeSequence = codes
    items = children(segmentation_results(images, folder).report, "121058/DCM")
    found = [item.ConceptCodeSequence[0] for item in items]
    return [(one.CodeValue, one.CodingSchemeDesignator, one.CodeMeaning) for one in found]


def test_the_studys_own_codes_are_reported(tmp_path: Path) -> None:
    codes = [code("MRHIP", "99SITE", "MR Hippocampus"), code("24590-2", "LN", "MR Brain")]

    assert reported(codes, tmp_path) == [("MRHIP", "99SITE", "MR Hippocampus"), ("24590-2", "LN", "MR Brain")]


def test_without_whole_codes_the_models_procedure_is_reported(tmp_path: Path) -> None:
    assert reported([code("", "99SITE", "MR Hippocampus")], tmp_path) == [("24590-2", "LN", "MR Brain")]
