"""A labeler made of rules: words for findings, and cues for absence and doubt with a reach of one clause.

A mention is what its nearest cue in the same clause says, and present where there is none. A report says of a finding
what its strongest mention says: present, then uncertain, then absent.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TypeVar

from dicomnode.learn.reports.facts import Fact, Span, Status
from dicomnode.learn.reports.lexicon import Cues, Finding, Lexicon, read_lexicon
from dicomnode.learn.reports.sentences import Text, in_one_form, sentences

Found = TypeVar("Found")
STRENGTH = (Status.PRESENT, Status.UNCERTAIN, Status.ABSENT)


class Kind(StrEnum):
    """What a cue does. Of two cues of one length the earlier kind counts."""

    NEUTRAL = "neutral"
    UNCERTAIN = "uncertain"
    NOT_NOW = "not now"
    NEGATION = "negation"
    ENDS = "ends"
    ENDS_BEFORE = "ends before"


ORDER = tuple(Kind)
SAYS = {Kind.UNCERTAIN: Status.UNCERTAIN, Kind.NEGATION: Status.ABSENT, Kind.NOT_NOW: None}


@dataclass(frozen=True)
class Cue:
    """A cue in a sentence."""

    kind: Kind
    forward: bool
    """It changes what follows; else what stands before it."""
    start: int
    end: int


@dataclass(frozen=True)
class Mention:
    """A finding in a sentence."""

    finding: str
    start: int
    end: int
    status: Status | None
    """What its own words say; None: its cues tell."""


class RuleLabeler:
    """A lexicon at work."""

    def __init__(self, lexicon: Lexicon) -> None:
        self.lexicon = lexicon
        self._cues = tuple(_cue_patterns(lexicon, lexicon.cues))
        self._words = {name: _finding_patterns(lexicon, finding) for name, finding in lexicon.findings.items()}
        self._letters = re.compile(lexicon.letters)

    @classmethod
    def of(cls, path: Path) -> "RuleLabeler":
        """From a lexicon file.

        Raises:
            ConfigFault: it cannot be used.
        """
        return cls(read_lexicon(path))

    @property
    def labeler_id(self) -> str:
        """Its name."""
        return self.lexicon.labeler_id

    @property
    def version(self) -> str:
        """Of the lexicon."""
        return self.lexicon.version

    @property
    def findings(self) -> tuple[str, ...]:
        """In the order of the lexicon."""
        return tuple(self.lexicon.findings)

    def reads(self, text: str) -> bool:
        """Whether the text holds letters of its language."""
        return self._letters.search(in_one_form(text).form) is not None

    def facts(self, text: str) -> tuple[Fact, ...]:
        """What the text says of each finding."""
        read = in_one_form(text)
        said: dict[str, list[tuple[Status, Span]]] = {name: [] for name in self.findings}
        for start, end in sentences(read.form, self.lexicon):
            for mention, status in self._sentence(read, start, end):
                said[mention.finding].append((status, read.span(mention.start, mention.end)))
        return tuple(_strongest(name, found) for name, found in said.items())

    def _sentence(self, text: Text, start: int, end: int) -> Iterator[tuple[Mention, Status]]:
        mentions = [one for name in self.findings for one in self._mentions(name, text.form, start, end)]
        if not mentions:
            return
        cues = self._found_cues(text.form, start, end)
        for mention in mentions:
            status = mention.status or _governed(mention, cues)
            if status is not None:
                yield mention, status

    def _mentions(self, name: str, form: str, start: int, end: int) -> Iterator[Mention]:
        found = [
            (match.start(), match.end(), rank, status)
            for rank, (pattern, status) in enumerate(self._words[name])
            for match in pattern.finditer(form, start, end)
        ]
        for begin, stop, rank, status in _longest(found):
            if rank:
                yield Mention(name, begin, stop, status)

    def _found_cues(self, form: str, start: int, end: int) -> tuple[Cue, ...]:
        found = [
            (match.start(), match.end(), ORDER.index(kind), (kind, forward))
            for pattern, kind, forward in self._cues
            for match in pattern.finditer(form, start, end)
        ]
        return tuple(Cue(kind, forward, begin, stop) for begin, stop, _, (kind, forward) in _longest(found))


def _cue_patterns(lexicon: Lexicon, cues: Cues) -> Iterator[tuple[re.Pattern[str], Kind, bool]]:
    yield lexicon.pattern(cues.neutral), Kind.NEUTRAL, True
    yield lexicon.pattern(cues.uncertain_before), Kind.UNCERTAIN, True
    yield lexicon.pattern(cues.uncertain_after), Kind.UNCERTAIN, False
    yield lexicon.pattern(cues.not_now_before), Kind.NOT_NOW, True
    yield lexicon.pattern(cues.not_now_after), Kind.NOT_NOW, False
    yield lexicon.pattern(cues.negation_before), Kind.NEGATION, True
    yield lexicon.pattern(cues.negation_after), Kind.NEGATION, False
    yield lexicon.pattern(cues.ends), Kind.ENDS, True
    yield lexicon.pattern(cues.ends_before), Kind.ENDS_BEFORE, True


def _finding_patterns(lexicon: Lexicon, finding: Finding) -> tuple[tuple[re.Pattern[str], Status | None], ...]:
    return (
        (lexicon.pattern(finding.other), None),
        (lexicon.pattern(finding.uncertain), Status.UNCERTAIN),
        (lexicon.pattern(finding.absent), Status.ABSENT),
        (lexicon.pattern(finding.words), None),
    )


def _longest(found: Iterable[tuple[int, int, int, Found]]) -> list[tuple[int, int, int, Found]]:
    """Of places that overlap the longest, and of one length the lowest rank; in the order of the text."""
    kept: list[tuple[int, int, int, Found]] = []
    for one in sorted(found, key=lambda place: (place[0] - place[1], place[2], place[0])):
        if one[1] > one[0] and all(_apart_or_same(one, other) for other in kept):
            kept.append(one)
    return sorted(kept, key=lambda place: place[0])


def _apart_or_same(one: tuple[int, int, int, Found], other: tuple[int, int, int, Found]) -> bool:
    return one[1] <= other[0] or one[0] >= other[1] or one[:3] == other[:3]


def _governed(mention: Mention, cues: tuple[Cue, ...]) -> Status | None:
    """What the nearest cue that reaches a mention makes of it; none: it is not counted."""
    reaching = [cue for cue in cues if cue.kind in SAYS and _reaches(cue, mention, cues)]
    if not reaching:
        return Status.PRESENT
    return SAYS[min(reaching, key=lambda cue: (_gap(cue, mention), ORDER.index(cue.kind))).kind]


def _reaches(cue: Cue, mention: Mention, cues: tuple[Cue, ...]) -> bool:
    if cue.forward:
        return cue.end <= mention.start and not _ended(cues, cue.end, mention.start, (Kind.ENDS,))
    return cue.start >= mention.end and not _ended(cues, mention.end, cue.start, (Kind.ENDS, Kind.ENDS_BEFORE))


def _ended(cues: tuple[Cue, ...], start: int, end: int, kinds: tuple[Kind, ...]) -> bool:
    return any(cue.kind in kinds and start <= cue.start and cue.end <= end for cue in cues)


def _gap(cue: Cue, mention: Mention) -> int:
    return mention.start - cue.end if cue.forward else cue.start - mention.end


def _strongest(name: str, found: list[tuple[Status, Span]]) -> Fact:
    for status in STRENGTH:
        spans = tuple(span for said, span in found if said is status)
        if spans:
            return Fact(name, status, spans)
    return Fact(name, Status.UNMENTIONED)
