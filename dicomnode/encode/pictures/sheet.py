"""The summary as one picture: headline, key slices, findings beside them, and the warning below."""

from dataclasses import dataclass

from PIL import Image, ImageDraw

from dicomnode.encode.context import Context
from dicomnode.encode.pictures.arrangement import CAPTION, Area, arranged_in
from dicomnode.encode.pictures.colours import AMBER, BLACK, BLUE, CARD, DIM, GREY, INK, RULE
from dicomnode.encode.pictures.panel import RADIUS, caption, disc, heat_colour, panel
from dicomnode.encode.pictures.pen import Style, fitted, paragraph, width_of, write
from dicomnode.encode.pictures.story import WARNING, Line, Story, Tone, series_in_short, story_of
from dicomnode.encode.pictures.values import Value, in_short
from dicomnode.encode.pictures.view import View, views_of
from dicomnode.encode.told import Told

WIDTH, HEIGHT, SHORT = 1600, 1200, 720
"""Of the picture; a picture of words alone is short."""
MARGIN, GAP = 48, 40
TOP, BOTTOM = 196, 1096
"""Between which the pictures and the column beside them stand."""
COLUMN = 468
"""Width of the column of findings."""
PICTURES = Area(MARGIN, TOP, WIDTH - 2 * MARGIN - GAP - COLUMN, BOTTOM - TOP)
TONES = {Tone.FOUND: AMBER, Tone.CLEAR: BLUE, Tone.SILENT: GREY}
TITLE, HEAD, NAME = Style(24, DIM), Style(46, INK, bold=True), Style(26, INK, bold=True)
BODY, NOTE, SMALL = Style(23, INK), Style(22, DIM), Style(20, DIM)


@dataclass
class Column:
    """A column of text that grows downwards."""

    draw: ImageDraw.ImageDraw
    x: float
    y: float
    width: float
    bottom: float = BOTTOM

    def say(self, text: str, style: Style, *, indent: float = 0.0, most: int = 99) -> None:
        """A paragraph."""
        self.y = paragraph(self.draw, (self.x + indent, self.y), text, style, self.width - indent, most=most)

    def room(self, style: Style) -> int:
        """Lines that still fit."""
        return int((self.bottom - self.y) // style.leading)


def sheet(told: Told) -> Image.Image:
    """The summary of one answer, RGB, without the patient's identity."""
    story, views = story_of(told), views_of(told)
    picture = Image.new("RGB", (WIDTH, HEIGHT if views else SHORT), BLACK)
    draw = ImageDraw.Draw(picture)
    _header(draw, told, story)
    if views:
        _pictures(picture, told.context, views)
        _findings(_column(draw), told.context, story, has_heat=any(view.saliency is not None for view in views))
    else:
        _words(draw, told, story)
    _footer(draw, told.context, picture.height)
    return picture


def _header(draw: ImageDraw.ImageDraw, told: Told, story: Story) -> None:
    context, model, tone = told.context, told.context.rules.model, TONES[story.tone]
    draw.rectangle((MARGIN, 44, MARGIN + 8, 160), fill=tone)
    x = MARGIN + 30
    write(draw, (x, 68), context.say("AI result"), Style(24, tone, bold=True))
    after = x + width_of(context.say("AI result"), Style(24, tone, bold=True)) + 18
    pill = context.say("RESEARCH USE") if story.research else context.say("NOT VERIFIED")
    room = WIDTH - MARGIN - 60 - width_of(pill, Style(24, AMBER, bold=True)) - after
    write(draw, (after, 68), fitted(context.hear(model.title), TITLE, room), TITLE)
    write(draw, (x, 126), fitted(story.headline, HEAD, WIDTH - x - MARGIN), HEAD)
    subtitle = " · ".join(part for part in (series_in_short(told), story.domain, story.revised) if part)
    write(draw, (x, 162), fitted(subtitle, NOTE, WIDTH - x - MARGIN), NOTE)
    _pill(draw, pill)


def _pill(draw: ImageDraw.ImageDraw, words: str) -> None:
    style = Style(24, AMBER, bold=True)
    right, left = WIDTH - MARGIN, WIDTH - MARGIN - width_of(words, style) - 40
    draw.rounded_rectangle((left, 40, right, 80), radius=20, outline=AMBER, width=2)
    write(draw, (left + 20, 69), words, style)


def _pictures(picture: Image.Image, context: Context, views: tuple[View, ...]) -> None:
    """Every view in a box of its own, in the arrangement in which they come out largest."""
    draw = ImageDraw.Draw(picture)
    for view, (x, y, width, height) in zip(views, arranged_in(PICTURES, views), strict=True):
        shown = panel(context, view, (width, height - CAPTION))
        left = x + (width - shown.width) // 2
        picture.paste(shown, (left, y))
        draw.rectangle((left - 1, y - 1, left + shown.width, y + shown.height), outline=RULE)
        words = fitted(caption(context, view), SMALL, max(width, shown.width))
        write(draw, (x + width / 2, y + shown.height + 26), words, SMALL, align="centre")


def _column(draw: ImageDraw.ImageDraw) -> Column:
    return Column(draw, WIDTH - MARGIN - COLUMN, TOP - 4, COLUMN)


def _findings(column: Column, context: Context, story: Story, *, has_heat: bool) -> None:
    dense = len(story.lines) > 5
    lines = sorted(story.lines, key=lambda line: not line.positive) if dense else story.lines
    for line in lines[:MOST_LINES]:
        if line.verdict and (dense or len(lines) > MOST_SCORES):
            _scored_in_a_line(column, context, line)
        elif line.verdict:
            _scored(column, context, line)
        else:
            _outlined(column, line, said_of(line, context, 1 if dense else 3), dense=dense)
    column.y += 6
    if len(story.lines) > MOST_LINES:
        column.say(context.say("{count} more in the report", count=len(story.lines) - MOST_LINES), NOTE)
    if has_heat:
        _heat_legend(column, context)
    if story.absent:
        column.y += 10
        column.say(context.say("Looked for and not found: {names}.", names=context.listed(story.absent)), BODY, most=5)
    _notes(column, story)


def said_of(line: Line, context: Context, most: int) -> tuple[Value, ...]:
    """The first figures of an outlined finding; of a detected one, how probable it is before all."""
    figures = in_short(line.values, context, most)
    if line.probability is None:
        return figures
    likely = Value(context.say("Probability"), context.percent(line.probability, line.uncertainty))
    return (likely, *figures)[:most]


MOST_SCORES = 3
"""Findings whose probability stands large."""
MOST_LINES = 14
"""Findings that the column has room for."""


def _outlined(column: Column, line: Line, values: tuple[Value, ...], *, dense: bool) -> None:
    """A structure: its number and name, its first figures below or beside."""
    disc(column.draw, (column.x + RADIUS, column.y + (17 if dense else 21)), line.number, line.colour)
    if dense:
        text = values[0].text if values else ""
        write(column.draw, (column.x + column.width, column.y + 24), text, BODY, align="right")
        room = column.width - 40 - width_of(text, BODY) - 12
        column.y = paragraph(column.draw, (column.x + 40, column.y - 1), line.name, Style(24), room, most=2) + 10
        return
    column.say(line.name, NAME, indent=40, most=2)
    for value in values:
        column.y += NOTE.leading
        room = column.width - 40 - width_of(value.text, BODY) - 12
        write(column.draw, (column.x + 40, column.y - 8), fitted(value.label, NOTE, room), NOTE)
        write(column.draw, (column.x + column.width, column.y - 8), value.text, BODY, align="right")
    column.y += 18


def _scored(column: Column, context: Context, line: Line) -> None:
    """A classified finding: its verdict, and its probability on a bar with the threshold."""
    colour = AMBER if line.positive else BLUE
    column.say(line.name, NAME, most=2)
    column.say(line.verdict, Style(24, colour, bold=True))
    if line.probability is None:
        return
    column.y += 6
    column.y += 52
    write(
        column.draw,
        (column.x, column.y - 8),
        context.percent(line.probability, line.uncertainty),
        Style(44, INK, bold=True),
    )
    column.y += 12
    _probability_bar(column, line)
    threshold = context.percent(line.threshold or 0.0)
    column.say(context.say("decision threshold {threshold}", threshold=threshold), NOTE)
    column.y += 16


def _scored_in_a_line(column: Column, context: Context, line: Line) -> None:
    """A classified finding among many: its name and probability above a thin bar."""
    colour = AMBER if line.positive else BLUE
    words, style = context.percent(line.probability or 0.0, line.uncertainty), Style(22, colour, bold=True)
    column.y += 30
    write(column.draw, (column.x + column.width, column.y), words, style, align="right")
    room = column.width - width_of(words, style) - 16
    write(column.draw, (column.x, column.y), fitted(line.name, BODY, room), BODY)
    column.y += 10
    x, y, width = column.x, column.y, column.width
    column.draw.rectangle((x, y, x + width, y + 5), fill=CARD)
    column.draw.rectangle((x, y, x + max(3.0, (line.probability or 0.0) * width), y + 5), fill=colour)
    if line.threshold is not None:
        column.draw.rectangle((x + line.threshold * width - 1, y - 4, x + line.threshold * width + 1, y + 9), fill=INK)
    column.y += 14


def _probability_bar(column: Column, line: Line) -> None:
    draw, x, y, width = column.draw, column.x, column.y, column.width
    colour, probability = AMBER if line.positive else BLUE, line.probability or 0.0
    draw.rounded_rectangle((x, y, x + width, y + 18), radius=9, fill=CARD, outline=RULE)
    draw.rounded_rectangle((x, y, x + max(18.0, probability * width), y + 18), radius=9, fill=colour)
    if line.uncertainty:
        low, high = (min(max(probability + sign * line.uncertainty, 0), 1) * width for sign in (-1, 1))
        draw.rectangle((x + low, y + 7, x + high, y + 11), fill=BLACK)
        draw.rectangle((x + low + 1, y + 8, max(x + low + 1, x + high - 1), y + 10), fill=INK)
    if line.threshold is not None:
        at = x + line.threshold * width
        draw.rectangle((at - 3, y - 8, at + 3, y + 26), fill=BLACK)
        draw.rectangle((at - 1, y - 7, at + 1, y + 25), fill=INK)
    column.y += 30


def _heat_legend(column: Column, context: Context) -> None:
    draw, x, width = column.draw, column.x, column.width
    column.y += 8
    title = context.say("what the model looked at")
    column.say(title[:1].upper() + title[1:], BODY)
    top = column.y + 6
    for step in range(int(width)):
        draw.line((x + step, top, x + step, top + 14), fill=heat_colour(step / width))
    column.y = top + 14
    baseline = column.y + 24
    write(draw, (x, baseline), context.say("less"), SMALL)
    write(draw, (x + width, baseline), context.say("more"), SMALL, align="right")
    column.y += 40


def _notes(column: Column, story: Story) -> None:
    """Reasons first, then remarks, as far as there is room."""
    notes = [
        *((words, BODY) for words in story.reasons),
        *((words, NOTE) for words in (*story.comments, *story.remarks)),
    ]
    column.y += 14
    column.draw.line((column.x, column.y, column.x + column.width, column.y), fill=RULE, width=2)
    column.y += 6
    for words, style in notes:
        if column.room(style) < 2:
            return
        column.say(words, style, most=min(column.room(style), 6))
        column.y += 8


def _words(draw: ImageDraw.ImageDraw, told: Told, story: Story) -> None:
    """Where there is no picture: the reason, large."""
    column = Column(draw, MARGIN + 30, TOP + 20, WIDTH - 2 * MARGIN - 260, SHORT - 96)
    for words in story.reasons:
        column.say(words, Style(38, INK), most=6)
        column.y += 16
    column.say(told.context.say("There is no AI result for this study."), Style(30, INK, bold=True))
    column.y += 30
    for words in story.remarks:
        if column.room(Style(26)) >= 2:
            column.say(words, Style(26, DIM), most=3)
            column.y += 10


def _footer(draw: ImageDraw.ImageDraw, context: Context, height: int) -> None:
    model, baseline = context.run.model, height - 36
    draw.line((MARGIN, height - 78, WIDTH - MARGIN, height - 78), fill=RULE, width=2)
    style = Style(28, AMBER, bold=True)
    write(draw, (MARGIN, baseline), context.say(WARNING), style)
    words = context.say("{model}, version {version}", model=model.name, version=model.version)
    room = WIDTH - 2 * MARGIN - width_of(context.say(WARNING), style) - 40
    write(draw, (WIDTH - MARGIN, baseline), fitted(words, NOTE, room), NOTE, align="right")
