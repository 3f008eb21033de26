"""From report text to labels: the labeler that reads its language, and the site's mapping of findings to outputs.

The text is about a patient and is not kept: a label carries where in it the words stood, and the digest of the whole.
"""

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from sqlalchemy.orm import Session

from dicomnode.config.learning import Learn, Mapping
from dicomnode.index.learning import LabelerRow
from dicomnode.learn.harvest.labels import NewLabel
from dicomnode.learn.reports.facts import Fact, Labeler, Status, name_of
from dicomnode.learn.reports.labeler import labelers
from dicomnode.learn.values import MEASURED, SOURCE_WEIGHT, Source

VALUES = {Status.PRESENT: 1.0, Status.ABSENT: 0.0, Status.UNCERTAIN: None}


@dataclass(frozen=True)
class Report:
    """A report whose text is read for labels."""

    text: str
    object_uid: str
    """Of the report, whatever its version."""
    object_digest: str
    """Of this version."""
    made_s: float
    study_uid: str = ""
    accession_number: str = ""
    assisted: bool | None = None
    """True: it refers to our results. None: the clock decides."""


@dataclass(frozen=True)
class Read:
    """What a labeler said of a text."""

    labeler: str
    """Id and version; empty where none reads the language."""
    facts: tuple[Fact, ...] = ()


def facts(text: str, chosen: Sequence[Labeler]) -> Read:
    """What the first labeler that reads this text's language says of it."""
    for one in chosen:
        if one.reads(text):
            return Read(name_of(one), one.facts(text))
    return Read("")


def report_labels(session: Session, report: Report, learn: Learn) -> tuple[NewLabel, ...]:
    """The labels of a report, after [[learn.map]]; none where its findings are mapped to no output.

    Raises:
        ConfigFault: `learn.labelers` names one that does not exist.
    """
    read = facts(report.text, labelers(learn.labelers))
    digest = hashlib.sha256(report.text.encode()).hexdigest()[:16]
    return tuple(
        _label(session, report, read.labeler, fact, mapping, digest) for fact, mapping in _mapped(read.facts, learn.map)
    )


def weight_of(session: Session, labeler: str, finding: str) -> float:
    """What a labeler's word counts in training: more, where it was measured on this site's reports and is good."""
    row = session.get(LabelerRow, (labeler, finding))
    return MEASURED if row is not None and row.unreviewed else SOURCE_WEIGHT[Source.REPORT]


def _mapped(said: Iterable[Fact], mappings: Sequence[Mapping]) -> Iterator[tuple[Fact, Mapping]]:
    """Each output once: where several findings mean it, the one that is present speaks, then uncertain, then absent."""
    order = (Status.PRESENT, Status.UNCERTAIN, Status.ABSENT)
    by_output: dict[tuple[str, int], tuple[Fact, Mapping]] = {}
    for fact in sorted((one for one in said if one.status in order), key=lambda one: order.index(one.status)):
        for mapping in mappings:
            if mapping.finding.casefold() == fact.finding.casefold() and _says(fact, mapping):
                by_output.setdefault((mapping.model, mapping.output), (fact, mapping))
    yield from by_output.values()


def _says(fact: Fact, mapping: Mapping) -> bool:
    """A finding that means absence says so only where it is present."""
    return mapping.value == "present" or fact.status is Status.PRESENT


def _label(session: Session, report: Report, labeler: str, fact: Fact, mapping: Mapping, digest: str) -> NewLabel:
    value = VALUES[fact.status] if mapping.value == "present" else 0.0
    places = ", ".join(f"{span.start}-{span.end}" for span in fact.evidence[:4])
    return NewLabel(
        model=mapping.model,
        output=mapping.output,
        value=value,
        source=Source.REPORT,
        who=labeler,
        made_s=report.made_s,
        study_uid=report.study_uid,
        accession_number=report.accession_number,
        object_uid=report.object_uid,
        object_digest=report.object_digest,
        rule=f"{fact.finding} {fact.status} at {places} of text {digest}",
        assisted=report.assisted,
        weight=weight_of(session, labeler, fact.finding),
    )
