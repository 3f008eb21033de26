"""Walking a CAD report, whose items may refer to one another (PS3.3 C.17.3.2.5)."""

from dataclasses import dataclass

from pydicom import Dataset

from dicomnode.encode.door.items import tree


@dataclass(frozen=True)
class Tree:
    """The items of a report below its root."""

    pairs: tuple[tuple[Dataset, Dataset], ...]
    """Parent and child, depth first."""

    @classmethod
    def of(cls, document: Dataset) -> "Tree":
        """Read once for all checks."""
        return cls(tuple(tree(document)))

    @property
    def items(self) -> tuple[Dataset, ...]:
        """Every item."""
        return tuple(item for _, item in self.pairs)


def item_at(document: Dataset, reference: Dataset) -> Dataset | None:
    """The item that another refers to by its place; None where there is none."""
    place = reference.get("ReferencedContentItemIdentifier")
    numbers = [int(place)] if isinstance(place, int) else [int(number) for number in place or ()]
    found = document
    if numbers[:1] != [1]:
        return None
    for number in numbers[1:]:
        below = found.get("ContentSequence") or ()
        if not 1 <= number <= len(below):
            return None
        found = below[number - 1]
    return found
