"""What the standard asks of each attribute of our kinds of object, out of the tables that highdicom ships.

    python -m tests.iods > dicomnode/encode/door/standard.json

highdicom's tables are made from PS3.3 itself, for all IODs (22 MB); ours holds what the door looks at. A test compares
the two, so that a newer edition is seen.
"""

import json
import sys
from pathlib import Path
from typing import Any

import highdicom
from pydicom.datadict import tag_for_keyword

TABLES = Path(highdicom.__file__).parent / "_standard"
SOP_CLASSES = (
    "1.2.840.10008.5.1.4.1.1.66.4",
    "1.2.840.10008.5.1.4.1.1.88.34",
    "1.2.840.10008.5.1.4.1.1.88.33",
    "1.2.840.10008.5.1.4.1.1.88.50",
    "1.2.840.10008.5.1.4.1.1.88.65",
    "1.2.840.10008.5.1.4.1.1.88.59",
    "1.2.840.10008.5.1.4.1.1.11.1",
    "1.2.840.10008.5.1.4.1.1.7",
    "1.2.840.10008.5.1.4.1.1.30",
    "1.2.840.10008.5.1.4.1.1.104.1",
    "1.2.840.10008.5.1.4.1.1.481.3",
)
"""SEG; Comprehensive 3D and Comprehensive SR; mammography and chest CAD SR; KOS; GSPS; SC; PMAP; PDF; RTSTRUCT."""
STRICTEST = ("1", "1C", "2", "2C", "3")
CONTENT = "sr-document-content"
"""Its attributes depend on the value type of each item."""
GROUPS = ("SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence")
"""A functional group stands in one of them."""

Tree = dict[str, tuple[str, Any]]


def standard() -> dict[str, Any]:
    """The whole table: `iods` maps a SOP class to a shape, a shape an attribute to its type and its items' shape."""
    modules, attributes, classes = (
        _table(name) for name in ("iod_module_map", "module_attribute_map", "sop_class_iod_map")
    )
    shapes: dict[str, int] = {}
    iods = {uid: _shape(_pruned(_tree(modules[classes[uid]], attributes)), shapes) for uid in SOP_CLASSES}
    return {"iods": iods, "shapes": [json.loads(shape) for shape in shapes]}


def _table(name: str) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads((TABLES / f"{name}.json").read_text(encoding="utf-8"))
    return loaded


def _tree(modules: list[dict[str, str]], attributes: dict[str, Any]) -> dict[str, Any]:
    """Attributes of all modules of an IOD, the strictest type where two name the same one."""
    tree: dict[str, Any] = {}
    for module in modules:
        for attribute in attributes[module["key"]]:
            level = tree
            for keyword in attribute["path"]:
                level = level.setdefault(keyword, ["3", {}])[1]
            kind = _kind(attribute, module)
            entry = level.setdefault(attribute["keyword"], [kind, {}])
            entry[0] = min(entry[0], kind, key=STRICTEST.index)
    return tree


def _kind(attribute: dict[str, Any], module: dict[str, str]) -> str:
    """Its type; conditional where its module, functional group or value type is."""
    kind, path = str(attribute["type"]), attribute["path"]
    depends = module["usage"] != "M" and not path
    depends = depends or (module["key"] == CONTENT and path in ([], ["ContentSequence"]))
    depends = depends or (len(path) == 1 and path[0] in GROUPS)
    return f"{kind}C" if depends and kind in ("1", "2") else kind


def _pruned(tree: dict[str, Any]) -> Tree:
    """Without what nothing is asked of, and without overlays (one keyword for the tags of many groups)."""
    kept = ((k, kind, _pruned(items)) for k, (kind, items) in tree.items() if tag_for_keyword(k) is not None)
    return {keyword: (kind, items) for keyword, kind, items in kept if kind != "3" or items}


def _shape(tree: Tree, shapes: dict[str, int]) -> int:
    """The number of a shape; equal ones are one."""
    rows = {k: [kind, _shape(items, shapes)] if items else kind for k, (kind, items) in sorted(tree.items())}
    return shapes.setdefault(json.dumps(rows), len(shapes))


if __name__ == "__main__":
    table = standard()
    lines = ",\n".join(json.dumps(shape, separators=(",", ":")) for shape in table["shapes"])
    sys.stdout.write(f'{{"iods": {json.dumps(table["iods"])},\n"shapes": [\n{lines}\n]}}\n')
