"""The report on paper: whose it is, what was found, how sure, by which model, and what it is not."""

import threading
from collections.abc import Iterator
from dataclasses import dataclass
from io import BytesIO

from reportlab.pdfgen.canvas import Canvas

from dicomnode.encode.context import Context
from dicomnode.encode.language import sentence
from dicomnode.encode.pictures.fonts import REGULAR, face
from dicomnode.encode.pictures.panel import caption, panel
from dicomnode.encode.pictures.person import MISSING, date_in_words, name_in_words, sex_in_words, text_in_words
from dicomnode.encode.pictures.quill import (
    ALARM,
    CALM,
    DARK,
    FOOT,
    HAIR,
    HEIGHT,
    MARGIN,
    SOFT,
    WASH,
    WIDTH,
    Quill,
    Type,
    known,
    width_of,
)
from dicomnode.encode.pictures.story import WARNING, Story, Tone, story_of
from dicomnode.encode.pictures.table import findings_table
from dicomnode.encode.pictures.view import View, views_of
from dicomnode.encode.report.words import series_words
from dicomnode.encode.told import Told

INNER = WIDTH - 2 * MARGIN
HEAD, SECTION, BODY, NOTE, LABEL = (
    Type(20, bold=True),
    Type(10.5, bold=True),
    Type(9.5),
    Type(8.5, SOFT),
    Type(7.5, SOFT),
)
TONES = {Tone.FOUND: ALARM, Tone.CLEAR: CALM, Tone.SILENT: SOFT}
PIXELS = 720
"""Height and width into which a view is drawn: at most 190 pixels to the inch."""
QUALITY = 90
"""Of the JPEG pictures."""
WRITING = threading.Lock()
"""A font embeds its subset in one document at a time."""
TALLEST = (270.0, 240.0, 210.0, 180.0, 155.0, 130.0)
"""Points that a row of pictures may take: the most with which all fits on one page, else the most."""


@dataclass(frozen=True)
class Shot:
    """One view, drawn."""

    jpeg: bytes
    size: tuple[int, int]
    caption: str


def report_pdf(told: Told) -> bytes:
    """The report as a PDF; the same answer gives the same bytes."""
    shots = tuple(_shot(told.context, view) for view in views_of(told))
    lengths = ((tallest, _laid_out(told, shots, tallest, total=0)[1].page) for tallest in TALLEST)
    fitting = next(((tallest, 1) for tallest, pages in lengths if pages == 1), None)
    tallest, pages = fitting or (TALLEST[0], _laid_out(told, shots, TALLEST[0], total=0)[1].page)
    buffer, quill = _laid_out(told, shots, tallest, total=pages)
    with WRITING:
        quill.canvas.save()
    return buffer.getvalue()


def _shot(context: Context, view: View) -> Shot:
    image, buffer = panel(context, view, (PIXELS, PIXELS)), BytesIO()
    image.save(buffer, "JPEG", quality=QUALITY, subsampling=0)
    return Shot(buffer.getvalue(), image.size, caption(context, view))


def _laid_out(told: Told, shots: tuple[Shot, ...], tallest: float, total: int) -> tuple[BytesIO, Quill]:
    """The pages, drawn and not yet written; `total`: how many there are, 0 while they are counted."""
    context, story, buffer = told.context, story_of(told), BytesIO()
    first = known(face(REGULAR))
    canvas = Canvas(buffer, pagesize=(WIDTH, HEIGHT), invariant=1, initialFontName=first, lang=context.node.language)
    canvas.setTitle(context.description)
    canvas.setAuthor("dicomnode")
    canvas.setDateFormatter(lambda *_: f"D:{context.made_at:%Y%m%d%H%M%S}")
    quill = Quill(canvas, lambda quill: _foot(quill, context, total), is_draft=not total)
    _head(quill, context, story)
    _identity(quill, context)
    _answer(quill, told, story)
    below = _pictures(quill, shots, tallest)
    _sure(quill, told, story)
    _not(quill, context, story)
    quill.y, quill.x, quill.width = max(quill.y, below), MARGIN, INNER
    _model(quill, context)
    quill.finish()
    return buffer, quill


def _head(quill: Quill, context: Context, story: Story) -> None:
    tone = TONES[story.tone]
    pill = context.say("RESEARCH USE") if story.research else context.say("NOT VERIFIED")
    look = Type(9, ALARM, bold=True)
    wide = width_of(pill, look) + 22
    quill.canvas.setStrokeColorRGB(*(part / 255 for part in ALARM))
    quill.canvas.roundRect(WIDTH - MARGIN - wide, HEIGHT - quill.y - 17, wide, 18, 9, stroke=1, fill=0)
    quill.write((WIDTH - MARGIN - wide / 2, quill.y + 11), pill, look, align="centre")
    quill.write((MARGIN, quill.y + 11), context.say("AI result"), Type(10, tone, bold=True))
    after = MARGIN + width_of(context.say("AI result"), Type(10, tone, bold=True)) + 8
    quill.write((after, quill.y + 11), context.hear(context.rules.model.title), Type(10, SOFT))
    quill.y += 18
    quill.say(story.headline, HEAD)
    if story.revised:
        quill.say(story.revised, Type(10, ALARM, bold=True))
    quill.y += 10


def _identity(quill: Quill, context: Context) -> None:
    """Patient, study and request in three columns."""
    fields, columns = list(_fields(context)), 3
    height = 30.0 * -(-len(fields) // columns) + 12
    quill.box((MARGIN, quill.y), (INNER, height), WASH, radius=4)
    wide = (INNER - 24) / columns
    for n, (label, value) in enumerate(fields):
        x, y = MARGIN + 12 + (n % columns) * wide, quill.y + 8 + 30 * (n // columns)
        quill.write((x, y + 9), label, LABEL)
        quill.write((x, y + 21), _cut(value, BODY, wide - 8), BODY)
    quill.y += height + 12


def _fields(context: Context) -> Iterator[tuple[str, str]]:
    """Label and value; who asked what is left out where the source does not say."""
    source = context.source
    yield context.say("Patient"), name_in_words(context, context.sources.patient_name)
    yield context.say("Patient ID"), text_in_words(context, source.get("PatientID"))
    about = (date_in_words(source.get("PatientBirthDate")), sex_in_words(context, source.get("PatientSex")))
    yield context.say("Born, sex"), ", ".join(words for words in about if words != MISSING) or MISSING
    yield context.say("Study"), text_in_words(context, source.get("StudyDescription"))
    yield context.say("Study date"), date_in_words(source.get("StudyDate"))
    yield context.say("Accession number"), text_in_words(context, source.get("AccessionNumber"))
    yield context.say("Institution"), text_in_words(context, context.node.institution or source.get("InstitutionName"))
    if asked := source.get("RequestedProcedureDescription") or source.get("ReasonForTheRequestedProcedure"):
        yield context.say("Asked"), text_in_words(context, asked)
    if physician := str(source.get("ReferringPhysicianName") or ""):
        yield context.say("Referring physician"), name_in_words(context, physician)


def _answer(quill: Quill, told: Told, story: Story) -> None:
    context = told.context
    if told.prediction is None:
        for words in story.reasons:
            quill.say(words, Type(12))
        quill.say(context.say("There is no AI result for this study."), Type(11, bold=True))
        quill.y += 12
        return
    if story.lines:
        findings_table(quill, context, story.lines)
    if story.absent:
        quill.say(context.say("Looked for and not found: {names}.", names=context.listed(story.absent)), Type(10.5))
        quill.y += 6
    for words in story.comparison:
        quill.say(words, BODY)
    quill.y += 6 if story.comparison else 0
    if story.tone is not Tone.FOUND:
        quill.y += 2
        for words in story.reasons:
            quill.say(words, Type(10.5))
        quill.y += 6


def _pictures(quill: Quill, shots: tuple[Shot, ...], most: float) -> float:
    """Side by side; beside a single one there is room for what follows. Where the pictures end."""
    if not shots:
        return 0.0
    wide = (INNER - 10 * (len(shots) - 1)) / len(shots) if len(shots) > 1 else 0.55 * INNER
    sizes = [_fitted(shot, (wide, most)) for shot in shots]
    tallest = max(height for _, height in sizes)
    quill.need(tallest + 30)
    quill.y += 4
    for n, (shot, size) in enumerate(zip(shots, sizes, strict=True)):
        x = MARGIN + n * (wide + 10)
        quill.picture(shot.jpeg, (x, quill.y), size)
        _caption(quill, shot.caption, (x, quill.y + size[1]), wide if len(shots) > 1 else size[0])
    below = quill.y + tallest + 26
    if len(shots) == 1:
        quill.x, quill.width = MARGIN + sizes[0][0] + 18, INNER - sizes[0][0] - 18
    else:
        quill.y = below
    return below


def _fitted(shot: Shot, box: tuple[float, float]) -> tuple[float, float]:
    zoom = min(box[0] / shot.size[0], box[1] / shot.size[1])
    return shot.size[0] * zoom, shot.size[1] * zoom


def _caption(quill: Quill, words: str, at: tuple[float, float], width: float) -> None:
    before = quill.x, quill.y, quill.width
    quill.x, quill.y, quill.width = at[0], at[1] + 2, width
    quill.say(words, LABEL)
    quill.x, quill.y, quill.width = before


def _sure(quill: Quill, told: Told, story: Story) -> None:
    if told.prediction is None:
        return
    _section(quill, told.context.say("How sure"))
    quill.say(
        told.context.say("{statement}.", statement=story.domain),
        Type(9.5, DARK if told.prediction.domain.inside else ALARM, bold=True),
    )
    for words in (*(story.reasons if story.tone is Tone.FOUND else ()), *story.comments):
        quill.say(words, BODY)
    quill.y += 8


def _model(quill: Quill, context: Context) -> None:
    model = context.run.model
    _section(quill, context.say("Model and images"))
    rows = (
        (context.say("Model"), f"{context.hear(context.rules.model.title)} ({model.name})"),
        (context.say("Version"), f"{model.version}, {model.digest[:16]}"),
        (context.say("Device UID"), model.device_uid),
        (context.say("Manufacturer"), context.rules.model.manufacturer),
        (context.say("Images read"), series_words(context, context.instances)),
        (context.say("Intended use"), sentence(context.hear(context.rules.model.intended_use))),
        (context.say("Analysed"), f"{context.made_at:%Y-%m-%d %H:%M}, {context.node.station_name}"),
    )
    for label, value in rows:
        top = quill.y
        quill.say(value, BODY, indent=92)
        first = top if quill.y > top else MARGIN
        quill.write((MARGIN, first + BODY.leading - 2.7), label, NOTE)
    quill.y += 8


def _not(quill: Quill, context: Context, story: Story) -> None:
    _section(quill, context.say("What this is not"))
    quill.say(context.say(NOT_A_DIAGNOSIS), BODY)
    for words in story.remarks:
        quill.say(words, BODY)
    quill.y += 8


NOT_A_DIAGNOSIS = (
    "This report was made by software and was not reviewed by a physician. It is no diagnosis and replaces no reading "
    "of the images; what it does not mention was not looked for."
)


def _section(quill: Quill, title: str) -> None:
    quill.need(34)
    quill.box((quill.x, quill.y), (quill.width, 0.7), HAIR)
    quill.y += 4
    quill.say(title, SECTION)
    quill.y += 1


def _foot(quill: Quill, context: Context, total: int) -> None:
    top = HEIGHT - FOOT + 18
    quill.box((MARGIN, top), (INNER, 0.7), HAIR)
    quill.write((MARGIN, top + 14), context.say(WARNING), Type(8.5, ALARM, bold=True))
    words = context.say("Page {page} of {total}", page=quill.page, total=total)
    quill.write((WIDTH - MARGIN, top + 14), words, Type(8.5, SOFT), align="right")
    patient = name_in_words(context, context.sources.patient_name)
    whose = f"{patient} · {text_in_words(context, context.source.get('PatientID'))}"
    quill.write((MARGIN, top + 26), _cut(whose, LABEL, INNER - 60), LABEL)


def _cut(text: str, look: Type, width: float) -> str:
    while text and width_of(text, look) > width:
        text = text[:-2] + "…" if len(text) > 2 else ""
    return text
