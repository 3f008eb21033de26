"""Content items: what each value type must hold, and numbers in units that fit the quantity (PS3.3 C.17.3, C.18)."""

from collections.abc import Iterator

from pydicom import Dataset
from pydicom.datadict import tag_for_keyword

from dicomnode.encode.door.attributes import is_empty
from dicomnode.encode.door.expected import Expected
from dicomnode.encode.door.items import code_text, concept, meaning
from dicomnode.encode.door.standard import Visited

BY_REFERENCE = "by reference"
"""What stands for an item elsewhere in the tree, and has no value type of its own (PS3.3 C.17.3.2.5)."""
HOLDS: dict[str, tuple[str, ...]] = {
    "CONTAINER": ("ContinuityOfContent",),
    "TEXT": ("TextValue",),
    "CODE": ("ConceptCodeSequence",),
    "NUM": ("MeasuredValueSequence",),
    "UIDREF": ("UID",),
    "PNAME": ("PersonName",),
    "DATE": ("Date",),
    "TIME": ("Time",),
    "DATETIME": ("DateTime",),
    "IMAGE": ("ReferencedSOPSequence",),
    "COMPOSITE": ("ReferencedSOPSequence",),
    "SCOORD": ("GraphicType", "GraphicData"),
    "SCOORD3D": ("GraphicType", "GraphicData", "ReferencedFrameOfReferenceUID"),
    BY_REFERENCE: ("ReferencedContentItemIdentifier",),
}
"""Type 1 for a content item of each value type."""
UNNAMED = {"IMAGE", "COMPOSITE", BY_REFERENCE}
"""May stand without a concept name (PS3.3 C.17.3.2.2)."""
HELD = {kind: tuple((tag_for_keyword(k) or 0, k) for k in keywords) for kind, keywords in HOLDS.items()}
NAME, RELATIONSHIP = (0x0040A043, "ConceptNameCodeSequence"), (0x0040A010, "RelationshipType")
VALUE_TYPE, REFERENCE = (tag_for_keyword(k) or 0 for k in ("ValueType", "ReferencedContentItemIdentifier"))

LENGTH, SHARE = frozenset({"mm"}), frozenset({"1", "%"})
UNITS: dict[str, frozenset[str]] = {
    "118565006/SCT": frozenset({"ml", "mm3", "cm3"}),
    "42798000/SCT": frozenset({"mm2", "cm2"}),
    "122157/DCM": SHARE,
    "371886008/SCT": SHARE,
    "371885007/SCT": SHARE,
    **{f"{name}/99DICOMNODE": SHARE for name in ("THRESHOLD", "UNCERTAINTY")},
    **{f"CENTRE_{axis}/99DICOMNODE": LENGTH for axis in "XYZ"},
    **{f"{name}/SCT": LENGTH for name in ("81827009", "103339001", "103340004", "410668003")},
    **{f"{name}/DCM": LENGTH for name in ("110901", "110902", "110903", "111026", "111066", "112225")},
    **{f"{name}/DCM": frozenset({"{-1:1}"}) for name in range(110904, 110910)},
    **{f"{name}/DCM": frozenset({"{pixels}"}) for name in (110910, 110911)},
    "112031/DCM": frozenset({"[hnsf'U]"}),
    **{name: frozenset({"[arb'U]"}) for name in ("110852/DCM", "PIXEL_VALUE/99DICOMNODE")},
    "110821/DCM": frozenset({"Bq/ml"}),
    "126401/DCM": frozenset({"g/ml{SUVbw}"}),
    "126402/DCM": frozenset({"g/ml{SUVlbm}"}),
    "111012/DCM": frozenset({"%"}),
    **{f"{name}/DCM": frozenset({"deg"}) for name in ("112011", "112012")},
}
"""UCUM units in which each quantity may be told."""
ANY_UNIT = frozenset({"mm", "mm2", "cm2", "mm3", "cm3", "ml", "1", "%", "{ratio}", "{pixels}", "{-1:1}", "[hnsf'U]"})
ANY_UNIT |= frozenset({"[arb'U]", "Bq/ml", "{counts}", "{propcounts}", "g/ml", "{SUVbw}g/ml", "{US}", "d", "mo", "a"})
"""Of a quantity that is not in the table."""


def item_faults(expected: Expected) -> Iterator[str]:
    """Content items without what their value type must hold, and units that do not fit."""
    for one in expected.encoded:
        for visited in expected.visits(one):
            if VALUE_TYPE in visited.elements or visited.place[-1:] == ("ContentSequence",):
                yield from (f"{one.role}: {fault}" for fault in _faults(visited))
                yield from (f"{one.role}: {fault}" for fault in _uid_faults(visited.dataset, expected))


def _faults(visited: Visited) -> Iterator[str]:
    elements, item = visited.elements, visited.dataset
    kind = str(elements[VALUE_TYPE].value) if VALUE_TYPE in elements else ""
    if not kind and REFERENCE in elements:
        kind = BY_REFERENCE
    if kind not in HOLDS:
        yield f"{meaning(item)}: {kind or 'nothing'} is no value type"
        return
    is_item = visited.place[-1:] == ("ContentSequence",)
    needed = (*HELD[kind], *((RELATIONSHIP,) if is_item else ()), *(() if is_item and kind in UNNAMED else (NAME,)))
    lacks = (keyword for tag, keyword in needed if tag not in elements or is_empty(elements[tag]))
    yield from (f"{meaning(item)}: {kind} without {keyword}" for keyword in lacks)
    if kind == "NUM":
        yield from _unit_faults(item)


def _uid_faults(item: Dataset, expected: Expected) -> Iterator[str]:
    """The observer is the model version that made the result; a frame of reference is a received one."""
    if item.get("ValueType") != "UIDREF":
        return
    name, uid = concept(item), str(item.get("UID", ""))
    if name == "121012/DCM" and uid != expected.run.model.device_uid:
        yield "the Device Observer UID is not the model version's"
    if name == "112227/DCM" and uid not in expected.received_uids:
        yield "Frame of Reference UID is not the source's"


def _unit_faults(item: Dataset) -> Iterator[str]:
    for measured in item.get("MeasuredValueSequence") or ():
        unit, scheme = unit_of(measured)
        if scheme != "UCUM" or unit not in UNITS.get(concept(item), ANY_UNIT):
            yield f"{meaning(item)} is told in {unit or 'no unit'}"


def unit_of(measured: Dataset) -> tuple[str, str]:
    """Code and scheme of the unit of a measured value."""
    unit, _, scheme = code_text(measured, "MeasurementUnitsCodeSequence").rpartition("/")
    return unit, scheme
