"""Letters for pictures and PDFs: Noto Sans, then a Japanese face, then what the system has for the rest.

Noto Sans (SIL Open Font License) comes with PyPI's pymupdf-fonts and has Latin, Greek and Cyrillic; IPAexGothic (IPA
Font License) comes with matplotlib-fontja and has Kanji and Kana. Both licences let a document embed them. Hangul and
the other Hanzi come from Debian's fonts-droid-fallback (Apache 2.0) or fonts-nanum where they are installed.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache, lru_cache
from importlib.util import find_spec
from io import BytesIO
from itertools import groupby
from pathlib import Path

from reportlab.pdfbase.ttfonts import TTFontFace

REGULAR, BOLD, JAPANESE = "NotoSans", "NotoSans-Bold", "IPAexGothic"
SYSTEM = {
    "DroidSansFallback": Path("/usr/share/fonts/truetype/droid/DroidSansFallbackFull.ttf"),
    "NanumGothic": Path("/usr/share/fonts/truetype/nanum/NanumGothic.ttf"),
}
"""Further faces, used where they are installed."""


@dataclass(frozen=True)
class Face:
    """One font file."""

    name: str
    data: bytes
    """TrueType."""
    letters: frozenset[int]
    """Code points that it can draw."""

    def draws(self, text: str) -> bool:
        """Whether it has a glyph for every letter."""
        return all(ord(letter) in self.letters for letter in text)


def faces(*, bold: bool = False) -> Iterator[Face]:
    """The faces to try, in order; each is read when it is first needed."""
    yield face(BOLD if bold else REGULAR)
    yield face(JAPANESE)
    yield from (face(name) for name, path in SYSTEM.items() if path.exists())


@cache
def face(name: str) -> Face:
    """One face by its name."""
    data = _data(name)
    return Face(name, data, frozenset(TTFontFace(BytesIO(data)).charToGlyph))


def can_draw(text: str) -> bool:
    """Whether every letter has a glyph in some face."""
    return all(any(one.draws(letter) for one in faces()) for letter in text)


@lru_cache(maxsize=1 << 15)
def runs(text: str, *, bold: bool = False) -> tuple[tuple[Face, str], ...]:
    """A text in pieces that one face draws each; a letter that none has is drawn as the first face's empty box."""
    first = face(BOLD if bold else REGULAR)
    found: list[tuple[Face, str]] = []
    for is_first, letters in groupby(text, key=lambda letter: letter.isspace() or first.draws(letter)):
        run = "".join(letters)
        found += [(first, run)] if is_first else _others(run, bold)
    return tuple(found)


def _others(run: str, bold: bool) -> list[tuple[Face, str]]:
    """A run that the first face cannot draw: by one face if there is one for all of it, else letter by letter."""
    first, *rest = faces(bold=bold)
    whole = next((one for one in rest if one.draws(run)), None)
    if whole is not None:
        return [(whole, run)]
    return [(next((one for one in rest if one.draws(letter)), first), letter) for letter in run]


def _data(name: str) -> bytes:
    if name in SYSTEM:
        return SYSTEM[name].read_bytes()
    if name == JAPANESE:
        spec = find_spec("matplotlib_fontja")  # only its folder is wanted: importing it would set up matplotlib
        return (Path(str(spec and spec.origin)).parent / "fonts" / "ipaexg.ttf").read_bytes()
    import pymupdf_fonts  # 4 MB, wanted for pictures alone

    return bytes(pymupdf_fonts.myfont("notosbo" if name == BOLD else "notos"))
