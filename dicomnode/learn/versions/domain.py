"""Whom a version may answer for: those that its own sealed test covered, and nobody else."""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from dicomnode.bundles.dicom_toml import Domain
from dicomnode.config.conditions import Condition
from dicomnode.learn.values import Item, RecipeName

ENOUGH_PATIENTS = 10
"""Of a kind (an age band, a view, a scanner) in the sealed test; fewer say nothing of it."""
NOT_TOLD = ("", "unknown")
KEEPS_FEATURES = (RecipeName.RECALIBRATE, RecipeName.HEAD)
"""Recipes after which the network sees what the base saw: the base's learnt check still measures what it measured."""
REFITTED = "models/domain.npz"
UNCHECKED = (
    "Whether an image is like those this version was evaluated on is told by age, view and scanner alone: "
    "the learnt check of the model it was tuned from does not fit it."
)


@dataclass(frozen=True)
class Covered:
    """What the sealed test of a version covers, by patients."""

    patients: int
    age_years: tuple[float, float | None] | None
    """From and to, both within; None where too few ages are known."""
    views: tuple[str, ...]
    scanners: tuple[str, ...]
    modalities: tuple[str, ...]

    def words(self) -> str:
        """For the reader."""
        said = [f"{self.patients} patients of this site"]
        if self.age_years:
            low, high = self.age_years
            said.append(f"aged {low:g} years and older" if high is None else f"aged {low:g} to {high:g} years")
        said += [f"views {', '.join(self.views)}"] if self.views else []
        return ", ".join(said)


def covered(items: Iterable[Item]) -> Covered:
    """What the items of a sealed test cover; a label whose maker had seen our result is in none."""
    listed = tuple(item for item in items if not item.assisted)
    return Covered(
        len({item.patient for item in listed}),
        _ages(_kinds(listed, "age_band")),
        *(tuple(sorted(_enough(_kinds(listed, group)))) for group in ("view", "scanner", "modality")),
    )


def domain_of(base: Domain, found: Covered, recipe: RecipeName, *, refitted: bool) -> tuple[Domain, tuple[str, ...]]:
    """The evaluated domain of a version, and what its reports must say of it.

    Args:
        base: of the installed bundle.
        found: what the version's own sealed test covered.
        recipe: what was trained.
        refitted: a learnt check was fitted for this version, as REFITTED.

    Where the test covered enough patients of a kind, it alone says what is within; else the base's own limit stands.
    """
    changes: dict[str, object] = {}
    if found.age_years:
        changes["min_age_years"], changes["max_age_years"] = found.age_years
    if found.views:
        changes["views"] = found.views
    if found.scanners:
        changes["scanners"] = found.scanners
    if found.modalities:
        why = f"Modality one of {', '.join(found.modalities)}, which the sealed test covered"
        kept = tuple(condition for condition in base.require if condition.tag != "Modality")
        changes["require"] = (*kept, Condition(tag="Modality", one_of=found.modalities, why=why))
    check = REFITTED if refitted else base.check if recipe in KEEPS_FEATURES else None
    changes["check"] = check
    return base.model_copy(update=changes), () if check or not base.check else (UNCHECKED,)


def band_years(band: str) -> tuple[float, float | None] | None:
    """First and last year of an age band ("40-59", "80+", "under 18"); None where it is none."""
    if both := re.fullmatch(r"\s*(\d+)\s*[-\u2013]\s*(\d+).*", band):
        return float(both[1]), float(both[2])
    if above := re.match(r"\s*(?:≥|>=|from)?\s*(\d+)\s*(?:\+|and (?:older|over))|\s*(?:≥|>=)\s*(\d+)", band):
        return float(above[1] or above[2]), None
    if below := re.match(r"\s*(?:<|under|below)\s*(\d+)", band):
        return 0.0, float(below[1]) - 1
    return None


def _ages(kinds: dict[str, set[str]]) -> tuple[float, float | None] | None:
    """The span of neighbouring bands with enough patients; of several such spans the one with most patients."""
    bands = sorted((years, name) for name in _enough(kinds) if (years := band_years(name)) is not None)
    spans: list[tuple[float, float | None, int]] = []
    for (low, high), name in bands:
        size = len(kinds[name])
        if spans and (last := spans[-1])[1] is not None and low <= last[1] + 1:
            spans[-1] = (last[0], high, last[2] + size)
        else:
            spans.append((low, high, size))
    if not spans:
        return None
    low, high, _ = max(spans, key=lambda span: span[2])
    return low, high


def _kinds(items: Iterable[Item], group: str) -> dict[str, set[str]]:
    """Patients by the value of a group."""
    found: dict[str, set[str]] = {}
    for item in items:
        value = item.groups.get(group, "")
        if value.casefold() not in NOT_TOLD:
            found.setdefault(value, set()).add(item.patient)
    return found


def _enough(kinds: dict[str, set[str]]) -> list[str]:
    return [name for name, patients in kinds.items() if len(patients) >= ENOUGH_PATIENTS]
