"""The daily look at drift: what comes in and what goes out, against the first studies of the version in use.

It says that something changed, never that a model got worse, and it never makes a candidate: it alarms a person.
"""

import zlib
from collections.abc import Callable, Iterator, Sequence
from functools import partial

import numpy as np

from dicomnode.config.learning import Watch
from dicomnode.learn.watch.figures import (
    Figure,
    Numbers,
    categories,
    corrected,
    discrepancy,
    distribution,
    rate,
    stability,
)
from dicomnode.learn.watch.windows import Seen, Windows
from dicomnode.values import Header

WORDS = ("ViewPosition", "BodyPartExamined", "PatientSex", "PhotometricInterpretation", "ConvolutionKernel",
         "StationName", "MRAcquisitionType", "ScanOptions")  # fmt: skip
"""Attributes of which each value is counted."""
AMOUNTS = ("KVP", "SliceThickness", "PixelSpacing", "Rows", "PatientAge", "RepetitionTime", "EchoTime",
           "MagneticFieldStrength")  # fmt: skip
"""Attributes that are measured."""
SCANNER = "manufacturer and model"
FEW_LABELS = 20
"""Labelled studies below which corrections are not judged."""
YEARS = {"D": 365.25, "W": 52.18, "M": 12.0, "Y": 1.0}


def judged(found: Windows, watch: Watch) -> tuple[Figure, ...]:
    """Every figure of one look, p-values corrected for their number; what is too little to judge is named as such."""
    before, now = found.before, found.now
    if min(len(before), len(now)) < watch.min_studies:
        words = f"not judged: {len(before)} studies in the first window and {len(now)} in the last {watch.days:g} days"
        return (Figure("studies", None, None, len(now), f"{words}, each needs {watch.min_studies}"),)
    figures = [
        *_headers(before, now, watch),
        *_outputs(before, now, watch),
        *_rates(before, now, watch),
        *_embedding(found, watch),
    ]
    return corrected(figures)


def _headers(before: Sequence[Seen], now: Sequence[Seen], watch: Watch) -> Iterator[Figure]:
    yield _counted(SCANNER, before, now, _scanner)
    for keyword in WORDS:
        if any(keyword in seen.header.values for seen in (*before, *now)):
            yield _counted(keyword, before, now, partial(_text, keyword))
    for keyword in AMOUNTS:
        old, new = ([_amount(seen.header, keyword) for seen in window] for window in (before, now))
        measured = _measured(old), _measured(new)
        if min(map(len, measured)) >= watch.min_studies:
            yield _spread(f"header: {keyword}", *measured)


def _outputs(before: Sequence[Seen], now: Sequence[Seen], watch: Watch) -> Iterator[Figure]:
    for name in dict.fromkeys(name for seen in (*before, *now) for name in seen.outputs):
        old, new = (_measured([seen.outputs.get(name) for seen in window]) for window in (before, now))
        if min(len(old), len(new)) < watch.min_studies:
            continue
        yield _spread(f"output: {name}", old, new)
        index, p = stability(old, new)
        words = f"population stability index {index:.2f}, alarm at {watch.psi:g}"
        yield Figure(f"output, PSI: {name}", index, p, len(new), words, least=watch.psi)


def _rates(before: Sequence[Seen], now: Sequence[Seen], watch: Watch) -> Iterator[Figure]:
    yield _share("out of domain", [seen.outside for seen in before], [seen.outside for seen in now])
    yield _share("abstention", [seen.withheld for seen in before], [seen.withheld for seen in now])
    old, new = ([seen.corrected for seen in window if seen.corrected is not None] for window in (before, now))
    if min(len(old), len(new)) >= min(FEW_LABELS, watch.min_studies):
        yield _share("corrected by readers", old, new)
    else:
        words = f"not judged: {len(old)} and {len(new)} studies with a reader's label, each needs {FEW_LABELS}"
        yield Figure("corrected by readers", None, None, len(new), words)


def _embedding(found: Windows, watch: Watch) -> Iterator[Figure]:
    length = max((len(seen.embedding) for seen in found.now), default=0)
    old, new = (
        np.array([seen.embedding for seen in window if length and len(seen.embedding) == length], np.float64)
        for window in (found.before, found.now)
    )
    if min(len(old), len(new)) < watch.min_studies:
        words = f"not judged: {len(old)} and {len(new)} images with an embedding, each needs {watch.min_studies}"
        yield Figure("what images look like", None, None, len(new), words)
        return
    value, p = discrepancy(old, new, seed=zlib.crc32(found.digest.encode()))
    yield Figure("what images look like", value, p, len(new), f"maximum mean discrepancy {value:.4f} of embeddings")


def _counted(name: str, before: Sequence[Seen], now: Sequence[Seen], value: Callable[[Header], str]) -> Figure:
    old, new = [value(seen.header) for seen in before], [value(seen.header) for seen in now]
    size, p = categories(old, new)
    fresh = sorted(set(new) - set(old))
    words = f"Cramér's V {size:.2f}" + (f"; new: {', '.join(fresh[:5])}" if fresh else "")
    return Figure(f"header: {name}", size, p, len(new), words)


def _spread(name: str, before: Numbers, now: Numbers) -> Figure:
    size, p = distribution(before, now)
    words = f"median {np.median(before):.4g} before, {np.median(now):.4g} now (largest distance {size:.2f})"
    return Figure(name, size, p, len(now), words)


def _share(name: str, before: Sequence[bool], now: Sequence[bool]) -> Figure:
    share, p = rate(before, now)
    return Figure(f"rate: {name}", share, p, len(now), f"{sum(before) / len(before):.1%} before, {share:.1%} now")


def _text(keyword: str, header: Header) -> str:
    return header.text(keyword) or "none"


def _scanner(header: Header) -> str:
    said = (header.text(word).strip() for word in ("Manufacturer", "ManufacturerModelName"))
    return " ".join(word for word in said if word) or "none"


def _amount(header: Header, keyword: str) -> float | None:
    text = header.text(keyword).split("\\")[0].strip()
    unit = text[-1:].upper() if keyword == "PatientAge" else ""
    try:
        value = float(text[:-1] if unit in YEARS and unit else text)
    except ValueError:
        return None
    return value / YEARS.get(unit, 1.0) if np.isfinite(value) else None


def _measured(values: Sequence[float | None]) -> Numbers:
    return np.array([value for value in values if value is not None], np.float64)
