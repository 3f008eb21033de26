"""A patient as a report names them: every part of the name that can be drawn."""

from datetime import date

from dicomnode.encode.context import Context
from dicomnode.encode.pictures.fonts import can_draw

MISSING = "–"
SEXES = {"F": "female", "M": "male", "O": "other"}


def name_in_words(context: Context, name: str) -> str:
    """A person's name (PS3.5 6.2.1): "Yamada, Tarou (山田 太郎)"; a part that no face can draw is left out."""
    alphabetic, *others = name.split("=")
    first, rest = _group(alphabetic, ", "), [_group(group, " ") for group in others[:1]]
    if context.node.language == "ja":
        first, rest = (rest or [""])[0], [first]
    drawn = [words for words in (first, *rest) if words and can_draw(words)]
    if not drawn:
        return context.say("cannot be drawn here: see the viewer") if name.strip("=^ ") else MISSING
    return drawn[0] if len(drawn) == 1 else f"{drawn[0]} ({drawn[1]})"


def date_in_words(value: object) -> str:
    """A DICOM date as everybody reads it: 2026-03-04."""
    text = str(value or "").strip()
    try:
        return date(int(text[:4]), int(text[4:6]), int(text[6:8])).isoformat()
    except ValueError:
        return text or MISSING


def sex_in_words(context: Context, value: object) -> str:
    """Patient's Sex in words."""
    return context.say(SEXES[str(value)]) if str(value) in SEXES else MISSING


def text_in_words(context: Context, value: object) -> str:
    """A text of the source; a dash where it is empty."""
    text = str(value or "").strip()
    if not text:
        return MISSING
    return text if can_draw(text) else context.say("cannot be drawn here: see the viewer")


def _group(group: str, between: str) -> str:
    """One component group: family, given and middle name, prefix and suffix."""
    family, given, middle, prefix, suffix = [*group.split("^"), "", "", "", "", ""][:5]
    names = " ".join(part.strip() for part in (given, middle) if part.strip())
    whole = between.join(part for part in (family.strip(), names) if part)
    return " ".join(part for part in (prefix.strip(), whole, suffix.strip()) if part)
