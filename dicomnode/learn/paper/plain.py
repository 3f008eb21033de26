"""Figures as a person reads them. What is not known is said so, never shown as NaN."""

import math
import time

from dicomnode.learn.values import Estimate

UNKNOWN = "not known"
NONE = "–"
NAMES = {
    "auc": "AUC", "dice": "Dice", "froc": "Mean sensitivity (FROC)", "se": "Standard error", "cv": "Cross-validation",
    "trainable": "Parameters trained", "total": "Parameters in all", "wise_alpha": "WiSE-FT: share of the new weights",
    "seconds": "Training time in seconds", "items_seen": "Items seen", "patients": "Training patients",
}  # fmt: skip
"""Fields that do not speak for themselves."""
WHOLE = 10.0
"""From here on a whole figure is a count."""
TRUTH = {"True": "yes", "False": "no"}


def number(value: object, digits: int = 3) -> str:
    """A figure with so many decimals; small ones by their first digits, whole ones whole."""
    if isinstance(value, bool):
        return TRUTH[str(value)]
    if isinstance(value, int):
        return f"{value:,}".replace(",", " ")
    if not isinstance(value, float):
        return TRUTH.get(str(value), str(value)) if value not in (None, "") else NONE
    if not math.isfinite(value):
        return UNKNOWN
    if value and abs(value) < 10**-digits:
        return f"{value:.1e}".replace("-", "−")
    if (abs(value) >= WHOLE or not value) and value == round(value):
        return number(int(value))
    return _fixed(value, digits)


def interval(found: Estimate | None) -> str:
    """The bounds of an estimate."""
    if found is None or not (math.isfinite(found.low) and math.isfinite(found.high)):
        return "no interval"
    return f"{_fixed(found.low)} to {_fixed(found.high)}"


def estimate(found: Estimate | None) -> str:
    """An estimate with its bounds: "0.912 (0.871 to 0.941)"."""
    if found is None or not math.isfinite(found.value):
        return "too few data"
    return f"{_fixed(found.value)} ({interval(found)})"


def figure(found: object) -> str:
    """One figure of a rule, of whatever kind."""
    if not isinstance(found, Estimate):
        return number(found)
    level = "" if abs(found.level - 0.95) < 1e-9 else f", {100 * found.level:.4g} % interval"
    patients = f", n\u00a0=\u00a0{number(found.n)}" if found.n else ""
    return f"{estimate(found)}{level}{patients}"


def percent(share: float) -> str:
    """A share in per cent."""
    return f"{100 * share:.0f} %" if math.isfinite(share) else UNKNOWN


def day(at_s: float, *, with_time: bool = False) -> str:
    """A local date."""
    return time.strftime("%Y-%m-%d %H:%M" if with_time else "%Y-%m-%d", time.localtime(at_s)) if at_s else UNKNOWN


def words(name: str) -> str:
    """A field's name as a person writes it: "age_band" is "Age band"."""
    plain = NAMES.get(name, name.replace("_", " ").strip())
    return plain[:1].upper() + plain[1:]


def _fixed(value: float, digits: int = 3) -> str:
    return f"{value:.{digits}f}".replace("-", "−")
