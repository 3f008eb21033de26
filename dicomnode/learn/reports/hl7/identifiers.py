"""Whom a PID or an MRG segment names: IDs with the names of their issuers.

Source: HL7 v2.5.1 chapter 2A (CX, HD), chapter 3 (PID-2, PID-3, MRG-1), table HL70203.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace

from dicomnode.learn.harvest.named import Named

VISITS = frozenset({"AN", "ANC", "AND", "ANT", "VN"})
"""Kinds of number (CX-5) that are of an account or a visit, not of a patient."""


@dataclass(frozen=True)
class Identifier:
    """One ID of a patient."""

    named: Named
    kind: str = ""
    """CX-5: MR, PI, ..."""


def patient_ids(segment: str, separators: str, plain: Callable[[str], str]) -> tuple[Identifier, ...]:
    """The IDs of PID-3; of PID-2 where it is empty, as up to version 2.3.

    Args:
        segment: as it came.
        separators: field, component, repetition, escape and subcomponent separator.
        plain: takes escape sequences out of a value.
    """
    parts = [*segment.split(separators[0], 5), "", "", "", ""]
    told = tuple(identifiers(parts[3], separators, plain))
    return told or tuple(identifiers(parts[2], separators, plain))


def identifiers(field: str, separators: str, plain: Callable[[str], str]) -> Iterator[Identifier]:
    """The IDs of a field of type CX that are a patient's."""
    component, repetition, within = separators[1], separators[2], (separators[4:] or "&")[0]
    for one in field.split(repetition):
        parts = [*one.split(component), "", "", "", ""]
        patient_id, kind = plain(parts[0]).strip(), parts[4].strip().upper()
        names = (plain(name).strip() for name in parts[3].split(within)[:2])
        if patient_id and patient_id != '""' and kind not in VISITS:
            yield Identifier(Named(patient_id, tuple(name for name in names if name)), kind)


def as_in_images(named: Named, issuers: Mapping[str, str]) -> Named:
    """An ID with the issuer's name as images have it, after [learn.hl7].issuers; an empty one: they do not tell it."""
    told = [issuers.get(name, name) for name in named.issuers]
    known = [issuers[name] for name in named.issuers if name in issuers]
    return replace(named, issuers=tuple(name for name in known or told if name))
