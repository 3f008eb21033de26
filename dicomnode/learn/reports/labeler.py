"""The labelers that the configuration names: two in the box, and plug-ins of entry-point group `dicomnode.labelers`.

A plug-in's code is loaded only when `learn.labelers` names it.
"""

from collections.abc import Iterable
from functools import lru_cache
from importlib.metadata import entry_points
from pathlib import Path

from dicomnode.errors import ConfigFault
from dicomnode.learn.reports.facts import Labeler
from dicomnode.learn.reports.lexicon import FOLDER
from dicomnode.learn.reports.rules import RuleLabeler

GROUP = "dicomnode.labelers"


def labelers(names: Iterable[str]) -> tuple[Labeler, ...]:
    """Labelers by name, in the order given.

    Raises:
        ConfigFault: there is none of a name, or it is none.
    """
    return tuple(labeler(name) for name in names)


@lru_cache(maxsize=16)
def labeler(name: str) -> Labeler:
    """One labeler: of the box, a plug-in, or the rules of a lexicon file by its path.

    Raises:
        ConfigFault: there is none of this name, or it is none.
    """
    boxed = {path.stem: path for path in FOLDER.glob("*.toml")}
    if name in boxed:
        return RuleLabeler.of(boxed[name])
    if name.endswith(".toml"):
        return RuleLabeler.of(Path(name))
    found = entry_points(group=GROUP, name=name)
    if not found:
        raise ConfigFault(f"there is no labeler {name!r}: in the box are {', '.join(sorted(boxed))}")
    made = next(iter(found)).load()()
    if not all(hasattr(made, part) for part in ("labeler_id", "version", "findings", "reads", "facts")):
        raise ConfigFault(f"the plug-in {name!r} is no labeler")
    plugin: Labeler = made
    return plugin
