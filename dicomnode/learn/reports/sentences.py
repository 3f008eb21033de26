"""The sentences of a report that are about this examination, each with its place in the text."""

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass

from dicomnode.learn.reports.facts import Span
from dicomnode.learn.reports.lexicon import Lexicon

END = re.compile(
    r"(?<=[.!])(?:\s+|$)|(?<=\?)\s+|(?<=[。．！])|[;；]|\n\s*\n|\n(?=\s*(?:[-*•・●]|\(?\d{1,2}[.)]))|(?<=\s)(?=\d\.\s)"
)
"""Where a sentence ends; a full stop within a number is none."""
NO_END = re.compile(r"\b(?:dr|vs|approx|e\.g|i\.e|no|st|mr|mrs|ca)\.$", re.IGNORECASE)
"""A full stop that only shortens a word."""

LONGEST = 2000
"""Characters; a "sentence" that is longer is cut, so that no text takes long to read."""


@dataclass(frozen=True)
class Text:
    """A report in one form of its characters (NFKC), with the place of each in the text that came in."""

    form: str
    places: tuple[int, ...]
    """For each character of the form, and for the end: its offset in the text as it came."""

    def span(self, start: int, end: int) -> Span:
        """A place in the text as it came."""
        return Span(self.places[start], self.places[end])


def in_one_form(text: str) -> Text:
    """Full and half width, composed and decomposed characters as one; offsets are kept."""
    form: list[str] = []
    places: list[int] = []
    for place, piece in _clusters(text):
        plain = unicodedata.normalize("NFKC", piece)
        form.append(plain)
        places.extend([place] * len(plain))
    return Text("".join(form), (*places, len(text)))


def sentences(form: str, lexicon: Lexicon) -> Iterator[tuple[int, int]]:
    """Start and end of each sentence that stands in a section which counts."""
    for start, end in _sections(form, lexicon):
        for begin, stop in _split(form, start, end):
            yield from ((cut, min(cut + LONGEST, stop)) for cut in range(begin, stop, LONGEST))


def _clusters(text: str) -> Iterator[tuple[int, str]]:
    start = 0
    for place in range(1, len(text) + 1):
        follows = place < len(text) and (unicodedata.combining(text[place]) or text[place] in "ﾞﾟ")
        if not follows:
            yield start, text[start:place]
            start = place


def _sections(form: str, lexicon: Lexicon) -> Iterator[tuple[int, int]]:
    read, skipped = (_heading(lexicon, names) for names in (lexicon.sections.read, lexicon.sections.skipped))
    found = [(match.start(), match.end(), True) for match in read.finditer(form)]
    found += [(match.start(), match.end(), False) for match in skipped.finditer(form)]
    start, counts = 0, True
    for place, after, next_counts in sorted(found):
        if counts and place > start:
            yield start, place
        start, counts = max(start, after), next_counts
    if counts and start < len(form):
        yield start, len(form)


def _heading(lexicon: Lexicon, names: tuple[str, ...]) -> re.Pattern[str]:
    named = lexicon.pattern(names).pattern
    marked = rf"[\[【<《■●◆*#]+[ \t]*(?:{named})[ \t]*[\]】>》*]*[ \t]*:?"
    return re.compile(rf"(?:^|\n)[ \t]*(?:{marked}|(?:{named})[ \t]*(?::|(?=\n)))", re.IGNORECASE)


def _split(form: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    begin = start
    for match in END.finditer(form, start, end):
        if NO_END.search(form, begin, match.start()):
            continue
        yield begin, match.start()
        begin = match.end()
    if begin < end:
        yield begin, end
