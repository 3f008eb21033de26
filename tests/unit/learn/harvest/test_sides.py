"""What is said of one side is no label of an output for the other."""

from collections.abc import Sequence

import pytest
from pydicom import Dataset

from dicomnode.bundles.dicom_toml import Code, DicomToml
from dicomnode.config.learning import Mapping
from dicomnode.learn.harvest.drawing_labels import outputs_meant
from dicomnode.learn.harvest.evaluations import statements
from dicomnode.learn.harvest.meanings import Meanings
from dicomnode.learn.harvest.segmentations import parts_of
from tests.unit.encode.examples import FINDINGS, SEGMENTS
from tests.unit.learn.harvest.labels_made import MODEL

LEFT, RIGHT, BOTH, OLD_RIGHT = "7771000/SCT", "24028007/SCT", "51440002/SCT", "G-A100/SRT"
EITHER_SIDE: Sequence[tuple[str, bool]] = [("", True), (LEFT, True), (BOTH, True), (RIGHT, False), (OLD_RIGHT, False)]


def left(rules: DicomToml) -> DicomToml:
    """The same model, whose input fixes the side of every output."""
    side = Code(value="7771000", scheme="SCT", meaning="Left")
    told = {
        name: tuple(one.model_copy(update={"laterality": side}) for one in getattr(rules, name))
        for name in ("findings", "segments")
    }
    return rules.model_copy(update=told)


def code(text: str) -> Dataset:
    value, _, scheme = text.partition("/")
    made = Dataset()
    made.CodeValue, made.CodingSchemeDesignator, made.CodeMeaning = value, scheme, text
    return made


def coded(name: str, value: str, *below: Dataset) -> Dataset:
    item = Dataset()
    item.ValueType, item.ConceptNameCodeSequence, item.ConceptCodeSequence = "CODE", [code(name)], [code(value)]
    if below:
        item.ContentSequence = list(below)
    return item


@pytest.mark.parametrize(("side", "means"), EITHER_SIDE)
@pytest.mark.parametrize("mapped", [True, False])
def test_a_finding_on_the_other_side_says_nothing_of_an_output(side: str, means: bool, mapped: bool) -> None:
    entries = [Mapping(model=MODEL, output=0, codes=("233604007/SCT",))] if mapped else []
    where = [coded("363698007/SCT", "39607008/SCT", coded("272741003/SCT", side))] if side else []
    report = Dataset()
    report.ContentSequence = [coded("121071/DCM", "233604007/SCT", *where)]

    said = statements(report, [], Meanings(entries, {MODEL: left(FINDINGS)}))

    assert [one.output for one in said] == ([0] if means else [])


@pytest.mark.parametrize(("side", "means"), EITHER_SIDE)
@pytest.mark.parametrize("place", ["type", "region"])
def test_a_segment_of_the_other_side_means_no_segment_of_a_model(side: str, means: bool, place: str) -> None:
    seg, segment, kind = Dataset(), Dataset(), code("1/99SITE")
    segment.SegmentNumber, segment.SegmentLabel = 1, "Anterior hippocampus"
    modifiers = [code(side)] if side else []
    if place == "type":
        kind.SegmentedPropertyTypeModifierCodeSequence = modifiers
    else:
        region = code("2/99SITE")
        region.AnatomicRegionModifierSequence = modifiers
        segment.AnatomicRegionSequence = [region]
    segment.SegmentedPropertyTypeCodeSequence = [kind]
    seg.SegmentSequence = [segment]
    (part,) = parts_of(seg)

    assert outputs_meant(part, Meanings((), {"hippocampus": left(SEGMENTS)})) == ({"hippocampus": 1} if means else {})
