"""A labeler's table of words: a TOML file that a radiologist can read, check and change.

A phrase is written as it stands in a report. `a/b` means either word; a word ending in `*` may go on; `(word)` may be
missing; `..` stands for up to four words. Case does not matter.
"""

import re
import tomllib
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, Field, ValidationError

from dicomnode.config.conditions import Table
from dicomnode.errors import ConfigFault

FOLDER = Path(__file__).with_name("lexicons")
BETWEEN = r"[\s-]+"
GAP = r"(?:[^\s.,;:]+\s+){0,4}?"


def _phrase(phrase: str) -> str:
    if not phrase.strip():
        raise ValueError("an empty phrase would stand everywhere")
    return phrase


Phrase = Annotated[str, AfterValidator(_phrase)]


class Sections(Table):
    """Headings of a report."""

    read: tuple[Phrase, ...]
    """What stands below them is about this examination."""
    skipped: tuple[Phrase, ...]
    """What stands below them is not: history, indication, comparison, technique."""


class Cues(Table):
    """Words that change what a finding beside them means. Of two that overlap the longer one counts."""

    negation_before: tuple[Phrase, ...]
    """The finding that follows is absent."""
    negation_after: tuple[Phrase, ...]
    """The finding that stands before is absent."""
    uncertain_before: tuple[Phrase, ...]
    uncertain_after: tuple[Phrase, ...]
    not_now_before: tuple[Phrase, ...]
    """The finding that follows is of another time, or only asked about: it is not counted."""
    not_now_after: tuple[Phrase, ...] = ()
    neutral: tuple[Phrase, ...]
    """They hold a word of the lists above and change nothing ("no change in")."""
    ends: tuple[Phrase, ...]
    """No cue reaches across these."""
    ends_before: tuple[Phrase, ...] = ()
    """A cue does not reach back, to a finding before it, across these."""


class Finding(Table):
    """Words for one finding."""

    words: tuple[Phrase, ...]
    absent: tuple[Phrase, ...] = ()
    """Phrases that say by themselves that it is absent."""
    uncertain: tuple[Phrase, ...] = ()
    """Phrases that say by themselves that it is uncertain."""
    other: tuple[Phrase, ...] = ()
    """Phrases that hold a word of the above and mean something else."""


class Lexicon(Table):
    """One lexicon."""

    labeler_id: str
    version: str
    spaced: bool
    """Words are set apart by spaces."""
    letters: str
    """A character of this regular-expression class tells that a text is in this language."""
    standing: str
    """What is known of how good it is, for a person."""
    sections: Sections
    cues: Cues
    findings: dict[str, Finding] = Field(min_length=1)

    def pattern(self, phrases: tuple[str, ...]) -> re.Pattern[str]:
        """What finds any of some phrases, the longest first; nothing, where there are none."""
        ordered = sorted(phrases, key=len, reverse=True)
        either = "|".join(self._source(phrase) for phrase in ordered)
        return re.compile(either or r"(?!)", re.IGNORECASE)

    def _source(self, phrase: str) -> str:
        return _spaced(phrase) if self.spaced else _unspaced(phrase)


def read_lexicon(path: Path) -> Lexicon:
    """A lexicon from its file.

    Raises:
        ConfigFault: it cannot be read, or is none.
    """
    try:
        return Lexicon.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError, ValidationError) as fault:
        raise ConfigFault(f"the lexicon {path} cannot be used: {fault}") from fault


def _spaced(phrase: str) -> str:
    words = phrase.split()
    pieces = [_piece(word, last=number == len(words)) for number, word in enumerate(words, 1)]
    before = r"(?<!\w)" if phrase[0].isalnum() or phrase[0] == "(" else ""
    after = r"(?!\w)" if phrase[-1].isalnum() else ""
    return f"(?:{before}{''.join(pieces)}{after})"


def _piece(word: str, *, last: bool) -> str:
    if word == "..":
        return GAP
    if word.startswith("(") and word.endswith(")"):
        return f"(?:{_word(word[1:-1])}{BETWEEN})?"
    return _word(word) + ("" if last else BETWEEN)


def _word(word: str) -> str:
    either = [re.escape(one).replace(r"\*", r"\w*") for one in word.split("/")]
    return either[0] if len(either) == 1 else f"(?:{'|'.join(either)})"


def _unspaced(phrase: str) -> str:
    escaped = re.escape(phrase.replace("..", "\0")).replace("\0", r"[^。、\n]{0,8}?")
    return "(?:" + escaped.replace(r"\(", "(?:").replace(r"\)", ")?") + ")"
