"""Whether an image lies within the domain its model was evaluated on, as far as its header tells."""

import datetime
import re

from dicomnode.bundles.dicom_toml import Domain
from dicomnode.values import Header

DAYS_PER_YEAR = 365.2425
AGE_UNIT_YEARS = {"D": 1 / DAYS_PER_YEAR, "W": 7 / DAYS_PER_YEAR, "M": 1 / 12, "Y": 1.0}
SAME_AGE_YEARS = 1.5
"""Patient's Age and Patient's Birth Date may differ by this much (ages are rounded)."""


def reasons_outside(domain: Domain, header: Header) -> tuple[str, ...]:
    """Why this image is outside, in words for the reader; empty where nothing speaks against it."""
    failed = (condition for condition in domain.require if not condition.holds(header))
    found = (*_age_reasons(domain, header), *_view_reasons(domain, header), *_scanner_reasons(domain, header))
    return (*found, *(f"not: {c.words()}" for c in failed))


def age_years(header: Header) -> float | None:
    """Age at the study, from Patient's Age (VR AS, PS3.5 6.2) or the birth date; None where unknown.

    Raises:
        ValueError: both are there and contradict each other.
    """
    said, counted = _age_said(header.text("PatientAge")), _age_counted(header)
    if said is not None and counted is not None and abs(said - counted) > SAME_AGE_YEARS:
        raise ValueError(f"Patient's Age says {said:.1f} years, the birth date {counted:.1f}")
    return counted if counted is not None else said


def _age_reasons(domain: Domain, header: Header) -> tuple[str, ...]:
    low, high = domain.min_age_years, domain.max_age_years
    if low is None and high is None:
        return ()
    try:
        age = age_years(header)
    except ValueError as contradiction:
        return (f"the patient's age is contradictory ({contradiction}); evaluated on {_span(low, high)}",)
    if age is None:
        return (f"the patient's age is unknown; evaluated on {_span(low, high)}",)
    if (low is not None and age < low) or (high is not None and _beyond(age, high)):
        return (f"the patient's age is {_spoken(age)}; evaluated on {_span(low, high)}",)
    return ()


def _view_reasons(domain: Domain, header: Header) -> tuple[str, ...]:
    if not domain.views:
        return ()
    view = header.text("ViewPosition").strip().upper()
    if view in {known.upper() for known in domain.views}:
        return ()
    return (f"the view position is {view or 'unknown'}; evaluated on {', '.join(domain.views)}",)


def _scanner_reasons(domain: Domain, header: Header) -> tuple[str, ...]:
    if not domain.scanners or header.scanner.casefold() in {known.casefold() for known in domain.scanners}:
        return ()
    return (f"the scanner is {header.scanner}; evaluated on {', '.join(domain.scanners)}",)


def _age_said(text: str) -> float | None:
    match = re.fullmatch(r"(\d{3})([DWMY])", text.strip())
    return int(match[1]) * AGE_UNIT_YEARS[match[2]] if match else None


def _age_counted(header: Header) -> float | None:
    born = _date(header.text("PatientBirthDate"))
    taken = next(filter(None, (_date(header.text(k)) for k in ("StudyDate", "SeriesDate", "AcquisitionDate"))), None)
    if born is None or taken is None or taken < born:
        return None
    birthdays = taken.year - born.year - ((taken.month, taken.day) < (born.month, born.day))
    since_last = (taken - born).days / DAYS_PER_YEAR - birthdays
    return birthdays + min(max(since_last, 0.0), 0.999)


def _date(text: str) -> datetime.date | None:
    try:
        return datetime.datetime.strptime(text.strip(), "%Y%m%d").date()
    except ValueError:
        return None


def _beyond(age: float, high: float) -> bool:
    """Ages are counted as people do: with a limit of 5 years, 5 years and 11 months are within."""
    return age >= high + 1 if float(high).is_integer() else age > high


def _span(low: float | None, high: float | None) -> str:
    if low is None:
        return f"up to {high:g} years"
    return f"{low:g} years and older" if high is None else f"{low:g} to {high:g} years"


def _spoken(age: float) -> str:
    return f"{int(age)} years" if age >= 2 else f"{int(age * 12)} months"
