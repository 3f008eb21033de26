"""Groups that a patient of a training set belongs to, from headers: coarse enough to name nobody."""

from datetime import date, datetime

from dicomnode.values import Header

BANDS = ((0, 17), (18, 39), (40, 59), (60, 74), (75, 89))
OLDEST = "90+"
"""Pooled: the very old are few (45 CFR 164.514(b)(2)(i)(C))."""
UNKNOWN = "unknown"
YEARS = {"Y": 1.0, "M": 12.0, "W": 52.18, "D": 365.25}
"""Units of VR AS in a year."""


def groups_of(header: Header, site: str) -> dict[str, str]:
    """Sex, age band, scanner, site, view and modality; "unknown" where the header does not say."""
    sex = header.text("PatientSex").strip().upper()
    return {
        "sex": sex if sex in {"M", "F", "O"} else UNKNOWN,
        "age_band": age_band(age_years(header)),
        "scanner": header.scanner,
        "site": site,
        "view": header.text("ViewPosition").strip() or UNKNOWN,
        "modality": header.text("Modality").strip() or UNKNOWN,
    }


def age_band(years: float | None) -> str:
    """The band of an age."""
    if years is None:
        return UNKNOWN
    return next((f"{low}-{high}" for low, high in BANDS if years < high + 1), OLDEST)


def age_years(header: Header) -> float | None:
    """Age at the study: as told (VR AS, PS3.5 6.2), else from the date of birth."""
    told = header.text("PatientAge").strip().upper()
    if len(told) == 4 and told[:3].isdigit() and told[3] in YEARS:
        return int(told[:3]) / YEARS[told[3]]
    born, studied = _day(header.text("PatientBirthDate")), _day(header.text("StudyDate"))
    return (studied - born).days / 365.25 if born and studied and studied >= born else None


def _day(text: str) -> date | None:
    try:
        return datetime.strptime(text.strip(), "%Y%m%d").date()
    except ValueError:
        return None
