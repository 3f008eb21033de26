"""Reading an SR's content tree back, without the library that wrote it."""

from collections.abc import Iterator

from pydicom import Dataset

from dicomnode.encode.door.standard import elements_of


def tree(document: Dataset) -> Iterator[tuple[Dataset, Dataset]]:
    """Every content item below the root with its parent, depth first."""
    for item in document.get("ContentSequence") or ():
        yield document, item
        yield from tree(item)


def concept(item: Dataset) -> str:
    """Code value and scheme of an item's name ("126010/DCM"); empty where it has none."""
    return code_text(item, "ConceptNameCodeSequence")


def code_text(item: Dataset, keyword: str) -> str:
    """Code value and scheme of the first code of a sequence."""
    codes = item.get(keyword)
    return f"{codes[0].get('CodeValue', '')}/{codes[0].get('CodingSchemeDesignator', '')}" if codes else ""


def meaning(item: Dataset) -> str:
    """An item's name in words."""
    codes = item.get("ConceptNameCodeSequence")
    return str(codes[0].get("CodeMeaning", "")) if codes else str(item.get("ValueType", "item"))


def children(item: Dataset, name: str) -> list[Dataset]:
    """Items directly below one, by their name ("112040/DCM")."""
    return [child for child in item.get("ContentSequence") or () if concept(child) == name]


def groups(document: Dataset) -> list[Dataset]:
    """The measurement groups (125007, DCM) in the Imaging Measurements (126010, DCM)."""
    containers = children(document, "126010/DCM")
    return [group for container in containers for group in children(container, "125007/DCM")]


def tracking_of(group: Dataset) -> tuple[str, str]:
    """Tracking identifier and UID of a measurement group; empty where missing."""
    names = [str(child.get("TextValue", "")) for child in children(group, "112039/DCM")]
    uids = [str(child.get("UID", "")) for child in children(group, "112040/DCM")]
    return (names or [""])[0], (uids or [""])[0]


def name_of(group: Dataset) -> str:
    """A measurement group's finding by name: its comment where the tracking identifier belongs to a viewer's tool."""
    names = [str(child.get("TextValue", "")) for child in children(group, "121106/DCM")]
    return (names or [tracking_of(group)[0]])[0]


def references(dataset: Dataset) -> Iterator[tuple[str, str]]:
    """SOP Class and Instance UID of every object referred to below a data set, at any depth."""
    for element in elements_of(dataset).values():
        if element.VR != "SQ":
            continue
        for item in element.value:
            if "ReferencedSOPInstanceUID" in item:
                yield str(item.get("ReferencedSOPClassUID", "")), str(item.ReferencedSOPInstanceUID)
            yield from references(item)


def part(dataset: Dataset, *keywords: str) -> Dataset:
    """Some of the attributes of a data set, the same elements."""
    chosen = Dataset()
    for keyword in keywords:
        if keyword in dataset:
            chosen.add(dataset[keyword])
    return chosen
