"""Text and pictures on PDF pages: several faces in one line, wrapped, a new page where there is no room."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from io import BytesIO

from reportlab.lib.pagesizes import A4
from reportlab.lib.utils import ImageReader
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.ttfonts import TTFont
from reportlab.pdfgen.canvas import Canvas

from dicomnode.encode.pictures.colours import Colour
from dicomnode.encode.pictures.fonts import BOLD, Face, runs
from dicomnode.encode.pictures.pen import THICKER, wrapped

WIDTH, HEIGHT = A4
MARGIN, FOOT = 44.0, 66.0
"""Points; the foot holds the warning and the page number."""
FILL_AND_STROKE = 2
"""Text rendering mode (ISO 32000-1, 9.3.6)."""
DARK, SOFT, HAIR, WASH = (24, 28, 34), (92, 98, 108), (206, 210, 216), (244, 245, 247)
"""Inks on white."""
ALARM, CALM = (168, 84, 0), (0, 92, 158)


@dataclass(frozen=True)
class Type:
    """How letters look on paper."""

    size: float
    colour: Colour = DARK
    bold: bool = False

    @property
    def leading(self) -> float:
        """From one baseline to the next, in points."""
        return 1.36 * self.size


@dataclass
class Quill:
    """A document that grows downwards; y is measured from the top of the page."""

    canvas: Canvas
    on_page: Callable[["Quill"], None]
    """Draws what every page carries."""
    y: float = MARGIN
    page: int = 1
    is_draft: bool = False
    """Laid out to be counted: pictures take their room and are not drawn."""
    x: float = MARGIN
    """Left edge of what is said."""
    width: float = WIDTH - 2 * MARGIN
    """Of what is said."""

    def say(self, text: str, look: Type, *, indent: float = 0.0) -> None:
        """A paragraph below what is there."""
        x, width = self.x + indent, self.width - indent
        for line in wrapped(text, lambda words: width_of(words, look), width):
            self.need(look.leading)
            self.y += look.leading
            self.write((x, self.y - 0.28 * look.size), line, look)

    def write(self, at: tuple[float, float], text: str, look: Type, *, align: str = "left") -> None:
        """One line with its baseline at a point."""
        x = at[0] - {"left": 0.0, "right": 1.0, "centre": 0.5}[align] * width_of(text, look)
        self.ink(look.colour)
        for face, run in runs(text, bold=look.bold):
            self.canvas.setFont(known(face), look.size)
            self.canvas.drawString(x, HEIGHT - at[1], run, mode=self._thicker(look) if face.name != BOLD else None)
            x += pdfmetrics.stringWidth(run, known(face), look.size)

    def _thicker(self, look: Type) -> int | None:
        """Fill and stroke, for a face without a bold cut."""
        if not look.bold:
            return None
        self.canvas.setStrokeColorRGB(*(part / 255 for part in look.colour))
        self.canvas.setLineWidth(look.size / THICKER)
        return FILL_AND_STROKE

    def picture(self, jpeg: bytes, at: tuple[float, float], size: tuple[float, float]) -> None:
        """A picture with its upper left corner at a point."""
        if not self.is_draft:
            self.canvas.drawImage(ImageReader(BytesIO(jpeg)), at[0], HEIGHT - at[1] - size[1], *size)

    def box(self, at: tuple[float, float], size: tuple[float, float], colour: Colour, *, radius: float = 0.0) -> None:
        """A filled box, its upper left corner at a point."""
        self.ink(colour)
        self.canvas.roundRect(at[0], HEIGHT - at[1] - size[1], size[0], size[1], radius, stroke=0, fill=1)

    def ink(self, colour: Colour) -> None:
        """What is filled from here on."""
        self.canvas.setFillColorRGB(*(part / 255 for part in colour))

    def need(self, height: float) -> bool:
        """Go to the next page unless there is room for so much; whether it did."""
        turns = bool(self.y + height > HEIGHT - FOOT)
        if turns:
            self.turn()
        return turns

    def turn(self) -> None:
        """The next page."""
        self.on_page(self)
        self.canvas.showPage()
        self.page, self.y, self.x, self.width = self.page + 1, MARGIN, MARGIN, WIDTH - 2 * MARGIN

    def finish(self) -> None:
        """The last page is done."""
        self.on_page(self)
        self.canvas.showPage()


def known(face: Face) -> str:
    """The name of a face that the PDF writer has been given."""
    if face.name not in pdfmetrics.getRegisteredFontNames():
        pdfmetrics.registerFont(TTFont(face.name, BytesIO(face.data)))
    return face.name


@lru_cache(maxsize=1 << 15)
def width_of(text: str, look: Type) -> float:
    """Width of a line in points."""
    return float(sum(pdfmetrics.stringWidth(run, known(face), look.size) for face, run in runs(text, bold=look.bold)))
