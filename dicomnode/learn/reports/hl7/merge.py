"""ADT^A40: the patient of MRG-1 is from now on the patient of PID-3, as `dicomnode learn merge` would say.

All of a message is done or nothing of it. Nothing is guessed: an ID is merged into the one of the same issuer, or into
the only one that there is where one of the two does not tell its issuer. An ID of MRG-1 that has no counterpart beside
others that have one is left as it is.

Source: HL7 v2.5.1 chapter 3, 3.3.40 (A40), 3.4.10 (MRG).
"""

from collections.abc import Sequence

import structlog

from dicomnode.learn.harvest.merging import merge_patients
from dicomnode.learn.harvest.named import Named
from dicomnode.learn.reports.hl7.identifiers import Identifier, as_in_images, identifiers, patient_ids
from dicomnode.learn.reports.hl7.keep import KNOWN, Keeping, Kept, looked_at, note
from dicomnode.learn.reports.hl7.message import NotUnderstood, read_segments
from dicomnode.learn.reports.hl7.text import unescaped
from dicomnode.learn.split.merge import OneAlready

log = structlog.get_logger()

Pair = tuple[Identifier, Identifier]
"""Who is no longer used, and who stays."""


def keep_merge(keeping: Keeping, raw: bytes) -> Kept:
    """Merge the patients of an ADT^A40; they are one when the transaction has ended.

    Raises:
        NotUnderstood: it does not say which patient is merged into which.
        BadCharacters: its characters cannot be told.
        SplitKeyLost: the split key is gone.
    """
    if looked_at(keeping, raw):
        return Kept(KNOWN, known=True)
    pairs = read_merges(raw, keeping.learn.hl7.encoding)
    done = sum(_merged(keeping, *pair) for pair in pairs)
    said = f"{done} merge(s)" if done else "one patient already"
    note(keeping, raw, reason=said)
    log.info("hl7.merged", merges=done, of=len(pairs))
    return Kept(said)


def read_merges(raw: bytes, otherwise: str) -> list[Pair]:
    """Which IDs an ADT^A40 merges into which.

    Raises:
        NotUnderstood: it does not say.
        BadCharacters: its characters cannot be told.
    """
    head, lines, name = read_segments(raw, otherwise)

    def plain(text: str) -> str:
        return unescaped(text, head.separators, name)

    found: list[Pair] = []
    into: Sequence[Identifier] = ()
    for line in lines:
        if line[:3] == "PID":
            into = patient_ids(line, head.separators, plain)
        elif line[:3] == "MRG":
            field = [*line.split(head.separators[0], 3), "", ""][1]
            found += _pairs(tuple(identifiers(field, head.separators, plain)), into)
            into = ()
    if not found:
        raise NotUnderstood("it holds no MRG segment")
    return found


def _pairs(old: Sequence[Identifier], into: Sequence[Identifier]) -> list[Pair]:
    if not old or not into:
        raise NotUnderstood(f"{'MRG-1' if not old else 'PID-3'} names no patient")
    found = [(one, other) for one in old for other in _of_one_issuer(one, into)]
    if not found and len(old) == len(into) == 1 and not (old[0].named.issuers and into[0].named.issuers):
        found = [(old[0], into[0])]
    if not found:
        raise NotUnderstood("no ID of PID-3 is of the issuer of an ID of MRG-1")
    if len({id(one) for one, _ in found}) < len(found):
        raise NotUnderstood("several IDs of PID-3 are of the issuer of one ID of MRG-1")
    pairs = [(one, other) for one, other in found if one.named != other.named]
    if not pairs:
        raise NotUnderstood("MRG-1 and PID-3 name one patient by one ID")
    return pairs


def _of_one_issuer(one: Identifier, into: Sequence[Identifier]) -> Sequence[Identifier]:
    """IDs of the same issuer; of several, those of the same kind."""
    names = set(one.named.issuers)
    fits = [other for other in into if names & set(other.named.issuers) or not (names or other.named.issuers)]
    return [other for other in fits if other.kind == one.kind] or fits


def _merged(keeping: Keeping, old: Identifier, into: Identifier) -> bool:
    """Whether they were two."""
    by = f"HL7 ADT^A40 of {keeping.sender.replace(chr(0), ' at ')}"[:255]
    pair = [_issuer_and_id(as_in_images(one.named, keeping.learn.hl7.issuers)) for one in (old, into)]
    try:
        merge_patients(keeping.session, keeping.state, *pair, by=by, reason="merged at the sender")
    except OneAlready:
        return False
    return True


def _issuer_and_id(named: Named) -> tuple[str, str]:
    return (named.issuers or ("",))[0], named.patient_id
