"""The language of results: every sentence and word that a reader reads is said in the site's language, here alone.

The English sentence, with its placeholders, is the key of each language's table; what a table lacks is said in
English. Code meanings stay English wherever a code carries the meaning.
"""

import re
from collections.abc import Iterable, Mapping
from functools import cache

from dicomnode.encode.language.german import GERMAN
from dicomnode.encode.language.german_pictures import GERMAN_PICTURES
from dicomnode.encode.language.german_reasons import GERMAN_REASONS
from dicomnode.encode.language.japanese import JAPANESE
from dicomnode.encode.language.japanese_pictures import JAPANESE_PICTURES
from dicomnode.encode.language.japanese_reasons import JAPANESE_REASONS

ENGLISH = "en"
TABLES: dict[str, dict[str, str]] = {
    "de": {**GERMAN, **GERMAN_PICTURES, **GERMAN_REASONS},
    "ja": {**JAPANESE, **JAPANESE_PICTURES, **JAPANESE_REASONS},
}
"""For each language: the English sentence, and the same in that language. None was reviewed by a native clinician."""
REASONS = {"de": GERMAN_REASONS, "ja": JAPANESE_REASONS}
"""What other rooms say in English, as templates to recognise."""
NAMES = {"en": "English", "de": "German", "ja": "Japanese"}
"""Code meaning of each language (RFC 5646)."""
PLACEHOLDER = re.compile(r"\\\{(\w+)\\\}")
STOPS = (".", "!", "?", "。")


def said(language: str, words: str, **facts: object) -> str:
    """A sentence of ours, given as the English one with placeholders, in a language."""
    return TABLES.get(language, {}).get(words, words).format(**facts)


def number(language: str, value: float, digits: int) -> str:
    """A number rounded to digits after the decimal mark of the language."""
    rounded = f"{value:.{digits}f}"
    return rounded.replace(".", ",") if language == "de" else rounded


def percent(language: str, probability: float, uncertainty: float | None) -> str:
    """A probability in percent with its standard deviation: "87 ± 3 %"; never 0 or 100, which nobody knows."""
    shown = 100 * probability
    if not 0.5 <= shown < 99.5:
        return "< 1 %" if shown < 50 else "> 99 %"
    spread = "" if not uncertainty or uncertainty < 0.005 else f" ± {number(language, 100 * uncertainty, 0)}"
    return f"{number(language, shown, 0)}{spread} %"


def joined(language: str, sentences: Iterable[str]) -> str:
    """Sentences one after the other; Japanese puts no space between them."""
    told = list(sentences)
    return ("" if language == "ja" and all(words.endswith("。") for words in told[:-1]) else " ").join(told)


def listed(language: str, parts: Iterable[str]) -> str:
    """Names one after the other."""
    return ("、" if language == "ja" else ", ").join(parts)


def sentence(words: str) -> str:
    """The words with a capital first and a full stop last."""
    words = words.strip()
    return words[:1].upper() + words[1:] + ("" if words.endswith(STOPS) else ".")


def heard(language: str, words: str, names: Mapping[str, str] | None = None) -> str | None:
    """What another room said in English, in a language; None where its table has no such sentence.

    Args:
        language: en, de or ja.
        words: an English sentence, several with a semicolon between, or a name.
        names: further words of a model and their translations.
    """
    if language == ENGLISH:
        return words
    told = (names or {}).get(words) or _matched(language, words.strip().rstrip("."), names)
    if told is not None or "; " not in words:
        return told
    parts = [heard(language, part, names) for part in words.split("; ")]
    return None if None in parts else "; ".join(str(part) for part in parts)


def _matched(language: str, words: str, names: Mapping[str, str] | None) -> str | None:
    """By the template that the words were made of, the more particular first."""
    for pattern, translation in _patterns(language):
        if found := pattern.fullmatch(words):
            return translation.format(**{key: _fact(language, fact, names) for key, fact in found.groupdict().items()})
    return None


def _fact(language: str, fact: str, names: Mapping[str, str] | None) -> str:
    """A placeholder's value: a number with its decimal mark, words where they are known, else as it is."""
    if re.fullmatch(r"-?\d+\.\d+", fact):
        return fact.replace(".", ",") if language == "de" else fact
    told = heard(language, fact, names)
    return fact if told is None else told


@cache
def _patterns(language: str) -> tuple[tuple[re.Pattern[str], str], ...]:
    """Each English template as a pattern, with its translation; those with most words of their own first."""
    names = {english: told for english, told in TABLES[language].items() if "{" not in english}
    templates = sorted((names | REASONS[language]).items(), key=lambda pair: -len(re.sub(r"\{\w+\}", "", pair[0])))
    return tuple((_pattern(english), translation) for english, translation in templates)


def _pattern(english: str) -> re.Pattern[str]:
    escaped = re.escape(english.rstrip("."))
    return re.compile(PLACEHOLDER.sub(r"(?P<\1>.+?)", escaped), re.IGNORECASE)
