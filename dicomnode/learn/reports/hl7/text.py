"""The characters of a message: its character set (MSH-18) and its escape sequences.

Source: HL7 v2.5.1 chapter 2, 2.7 (escape sequences) and 2.15.9.18 (MSH-18), table HL70211; JAHIS for ISO-2022-JP.
"""

import re
from collections.abc import Sequence

JAPANESE = frozenset({"ISO IR13", "ISO IR14", "ISO IR87", "ISO IR159"})
NAMES = {
    "ASCII": "ascii",
    "ISO IR6": "ascii",
    "UNICODE UTF-8": "utf-8",
    "UTF-8": "utf-8",
    "UNICODE": "utf-8",
    "GB 18030-2000": "gb18030",
    "KS X 1001": "euc_kr",
    "BIG-5": "big5",
    "SHIFT_JIS": "cp932",
    "ISO-2022-JP": "iso2022_jp_ext",
}
LATIN = re.compile(r"8859/(\d{1,2})$")
TO_KANJI = b"\x1b$"
"""Begins two-byte characters of ISO-2022-JP."""
ESCAPE = r"{0}([A-Za-z.][^{0}\r\n]{{0,64}}){0}"
LINES = (".br", ".sp", ".ce")


class BadCharacters(ValueError):
    """The characters of a message cannot be told, or are not what it says they are."""


def codec(names: Sequence[str], raw: bytes, otherwise: str) -> str:
    """Python's name of a message's character set.

    Args:
        names: what MSH-18 says.
        raw: the message: ISO-2022-JP announces itself by escape sequences.
        otherwise: codec of messages that do not say.

    Raises:
        BadCharacters: it names one that is not known here.
    """
    said = [name.strip().upper() for name in names if name.strip()]
    if JAPANESE & set(said) or (not said and TO_KANJI in raw):
        return "iso2022_jp_ext"
    for name in said:
        latin = LATIN.match(name)
        if latin:
            return f"iso8859-{latin[1]}"
        if name not in NAMES:
            raise BadCharacters(f"the character set of MSH-18 is not known: {name[:32]!r}")
    return NAMES[said[-1]] if said else otherwise


def decoded(raw: bytes, name: str) -> str:
    """The characters of a message.

    Raises:
        BadCharacters: it holds bytes that its character set does not have.
    """
    try:
        return raw.decode(name)
    except (UnicodeDecodeError, LookupError) as fault:
        raise BadCharacters(f"it holds bytes that are no {name}: say the character set in MSH-18") from fault


def unescaped(text: str, separators: str, name: str) -> str:
    r"""Text without escape sequences: \.br\ is a new line, and what is only highlighting is left out.

    Args:
        text: a field.
        separators: field, component, repetition, escape and subcomponent separator.
        name: codec of hexadecimal sequences.
    """
    field, component, repetition, escape, *rest = tuple(separators)
    plain = {"F": field, "S": component, "R": repetition, "E": escape, "T": rest[0] if rest else "&"}

    def one(match: re.Match[str]) -> str:
        sequence = match[1]
        if sequence in plain:
            return plain[sequence]
        if sequence.startswith(LINES):
            return "\n"
        return _hexadecimal(sequence[1:], name) if sequence[0] == "X" else ""

    return re.sub(ESCAPE.format(re.escape(escape)), one, text)


def _hexadecimal(digits: str, name: str) -> str:
    try:
        return bytes.fromhex(digits).decode(name)
    except (ValueError, LookupError):
        return ""
