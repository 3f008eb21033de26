"""The findings as a table: a row each, a column for each figure that any of them has."""

from dataclasses import dataclass

from dicomnode.encode.context import Context
from dicomnode.encode.pictures.colours import Colour
from dicomnode.encode.pictures.quill import ALARM, CALM, DARK, HAIR, MARGIN, SOFT, WIDTH, Quill, Type, width_of
from dicomnode.encode.pictures.story import Line

INNER = WIDTH - 2 * MARGIN
HEADER, CELL, NAME = Type(8, SOFT), Type(9.5), Type(9.5, DARK, bold=True)
ROW = 18.0


@dataclass(frozen=True)
class Column:
    """One column of figures."""

    title: str
    cells: tuple[str, ...]
    """One for each finding, empty where it has none."""

    @property
    def width(self) -> float:
        """What its widest cell or line of its title needs."""
        titles = (width_of(line, HEADER) for line in two_lines(self.title))
        return max(*titles, *(width_of(cell, NAME) for cell in self.cells)) + 14


def findings_table(quill: Quill, context: Context, lines: tuple[Line, ...]) -> None:
    """Every finding with every figure."""
    rest = list(columns_of(context, lines))
    name_width = min(max(width_of(line.name, NAME) for line in lines) + 32, 0.4 * INNER)
    while True:
        fitting = _fitting(rest, INNER - name_width)
        _table(quill, context, lines, rest[:fitting])
        rest = rest[fitting:]
        if not rest:
            return


def _fitting(columns: list[Column], room: float) -> int:
    """How many columns stand beside each other."""
    count = 0
    while count < len(columns) and sum(column.width for column in columns[: count + 1]) <= room:
        count += 1
    return max(count, 1)


def columns_of(context: Context, lines: tuple[Line, ...]) -> tuple[Column, ...]:
    """The columns, in the order in which their figures first stand."""
    titles = dict.fromkeys(value.label for line in lines for value in line.values)
    found = [Column(title, tuple(_cell(line, title) for line in lines)) for title in titles]
    if any(line.probability is not None for line in lines):
        verdicts = tuple(line.verdict for line in lines)
        chances = tuple("" if x.probability is None else context.percent(x.probability, x.uncertainty) for x in lines)
        limits = tuple("" if x.threshold is None else context.percent(x.threshold) for x in lines)
        answers = (("Assessment", verdicts), ("Probability", chances), ("Decision threshold", limits))
        found += [Column(context.say(title), cells) for title, cells in answers if any(cells)]
    return tuple(found)


def _cell(line: Line, title: str) -> str:
    return next((value.text for value in line.values if value.label == title), "")


def _table(quill: Quill, context: Context, lines: tuple[Line, ...], columns: list[Column]) -> None:
    ends = _ends(columns)
    quill.need(3 * ROW)
    _header(quill, context, columns, ends)
    for n, line in enumerate(lines):
        if quill.need(ROW):
            _header(quill, context, columns, ends)
        quill.y += ROW
        _disc(quill, line)
        name_end = ends[0] - columns[0].width if columns else MARGIN + INNER
        quill.write((MARGIN + 20, quill.y - 5), _cut(line.name, name_end - MARGIN - 26), NAME)
        for column, end in zip(columns, ends, strict=True):
            colour = _colour(line, column.cells[n])
            quill.write((end, quill.y - 5), column.cells[n], Type(CELL.size, colour, colour != DARK), align="right")
        quill.box((MARGIN, quill.y), (INNER, 0.4), HAIR)
    quill.y += 10


def _ends(columns: list[Column]) -> list[float]:
    """Right edge of each column: what is left over is shared among them."""
    spare = (INNER - 150 - sum(column.width for column in columns)) / max(len(columns), 1)
    ends = [MARGIN + INNER]
    for column in reversed(columns[1:]):
        ends.insert(0, ends[0] - column.width - max(0.0, spare))
    return ends if columns else []


def _header(quill: Quill, context: Context, columns: list[Column], ends: list[float]) -> None:
    """Titles in one or two lines above a rule."""
    titles = [two_lines(column.title) for column in columns]
    quill.y += 11 * max((len(title) for title in titles), default=1)
    quill.write((MARGIN, quill.y - 2), context.say("Finding"), HEADER)
    for title, end in zip(titles, ends, strict=True):
        for n, words in enumerate(reversed(title)):
            quill.write((end, quill.y - 2 - 10 * n), words, HEADER, align="right")
    quill.y += 3
    quill.box((MARGIN, quill.y), (INNER, 1.0), SOFT)


def two_lines(title: str) -> list[str]:
    """A long title, broken at the space nearest its middle."""
    if len(title) <= 12 or " " not in title:
        return [title]
    middle = min((n for n, letter in enumerate(title) if letter == " "), key=lambda n: abs(n - len(title) / 2))
    return [title[:middle], title[middle + 1 :]]


def _disc(quill: Quill, line: Line) -> None:
    """Number and colour of a finding that is outlined in the pictures."""
    if not line.is_outlined:
        return
    quill.box((MARGIN, quill.y - 14.5), (12, 12), line.colour, radius=6)
    quill.write((MARGIN + 6, quill.y - 5.6), str(line.number), Type(7.5, (0, 0, 0), bold=True), align="centre")


def _colour(line: Line, cell: str) -> Colour:
    if not cell or cell != line.verdict:
        return DARK
    return ALARM if line.positive else CALM


def _cut(text: str, width: float) -> str:
    while len(text) > 1 and width_of(text, NAME) > width:
        text = text[:-2] + "…"
    return text
