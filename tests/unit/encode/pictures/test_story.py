"""What a picture and a report say, in words."""

from pathlib import Path

import numpy as np
import pytest
from highdicom.sr import CodedConcept

from dicomnode.encode import concepts
from dicomnode.encode.context import Context
from dicomnode.encode.contours import Contour
from dicomnode.encode.pictures.fonts import SYSTEM
from dicomnode.encode.pictures.person import name_in_words
from dicomnode.encode.pictures.sheet import said_of
from dicomnode.encode.pictures.story import line_of, story_of
from dicomnode.encode.pictures.values import Value, in_short, values_of
from dicomnode.encode.pictures.view import slices_to_show
from dicomnode.encode.prior import CHANGE_ML, CHANGE_PERCENT
from dicomnode.encode.report.document import Content
from dicomnode.encode.shown import Figure, Shown
from dicomnode.encode.source import Sources
from dicomnode.encode.told import Told
from dicomnode.encode.tracking import Tracking
from dicomnode.values import Classification, DomainAnswer, Prediction, Segmentation, Volume
from tests.phantom import mr_series, study_of
from tests.unit.encode.examples import FRONT, MADE_AT, SEGMENTS, node_of, run_of


def context_in(language: str, folder: Path) -> Context:
    node = node_of(folder).model_copy(update={"language": language})
    return Context(run_of(study_of(mr_series()), SEGMENTS), SEGMENTS, node, MADE_AT, Sources((), ""), ())


def figure(name: CodedConcept, value: float, unit: CodedConcept, how: CodedConcept | None = None) -> Figure:
    return Figure(name, value, unit, how)


FIGURES = (
    figure(concepts.VOLUME, 12.345, concepts.MILLILITRE),
    figure(concepts.DIAMETER, 45.6, concepts.MILLIMETRE, concepts.MAXIMUM),
    figure(concepts.LONG_AXIS, 40.12, concepts.MILLIMETRE),
    figure(concepts.SHORT_AXIS, 9.876, concepts.MILLIMETRE),
    figure(concepts.ATTENUATION, 108.4, concepts.HOUNSFIELD, concepts.MEAN),
    figure(concepts.ATTENUATION, 12.6, concepts.HOUNSFIELD, concepts.STANDARD_DEVIATION),
    figure(concepts.ATTENUATION, -20.0, concepts.HOUNSFIELD, concepts.MINIMUM),
    figure(concepts.ATTENUATION, 190.0, concepts.HOUNSFIELD, concepts.MAXIMUM),
)


def test_figures_that_belong_together_are_read_together(tmp_path: Path) -> None:
    assert values_of(context_in("en", tmp_path), FIGURES) == (
        Value("Volume", "12.3 ml"),
        Value("Largest diameter", "45.6 mm"),
        Value("Diameters on the slice", "40.1 × 9.88 mm"),
        Value("Attenuation, mean ± SD", "108 ± 13 HU"),
    )


def test_figures_are_read_in_the_language_of_the_site(tmp_path: Path) -> None:
    context = context_in("de", tmp_path)

    assert in_short(values_of(context, FIGURES), context, 2) == (
        Value("Volumen", "12,3 ml"),
        Value("Durchmesser auf der Schicht", "40,1 × 9,88 mm"),
    )


def test_a_change_since_the_prior_study_is_read_in_millilitres_and_percent(tmp_path: Path) -> None:
    changed = (figure(CHANGE_ML, 0.2, concepts.MILLILITRE), figure(CHANGE_PERCENT, 13.04, concepts.PERCENT))

    assert values_of(context_in("en", tmp_path), changed) == (Value("Change since prior", "+0.20 ml (+13 %)"),)


def test_values_on_the_scanners_own_scale_are_left_out(tmp_path: Path) -> None:
    signal = figure(concepts.MR_SIGNAL, 463.0, concepts.ARBITRARY, concepts.MEAN)

    assert values_of(context_in("en", tmp_path), (signal,)) == ()


def test_of_a_detected_finding_its_probability_is_said_first(tmp_path: Path) -> None:
    context = context_in("en", tmp_path)
    diameter = figure(concepts.DIAMETER, 8.25, concepts.MILLIMETRE)
    one = Shown(Tracking("Nodule 1", "1.2.3"), FRONT.type, figures=(diameter,), probability=0.87, positive=True)

    said = said_of(line_of(context, 1, one), context, 2)

    assert [value.text for value in said] == ["87 %", "8.25 mm"]


@pytest.mark.parametrize(
    ("probability", "uncertainty", "said"),
    [(0.874, 0.031, "87 ± 3 %"), (0.9999, 0.0001, "> 99 %"), (0.001, 0.0, "< 1 %"), (0.5, None, "50 %")],
)
def test_a_probability_is_never_said_to_be_nought_or_certain(
    tmp_path: Path, probability: float, uncertainty: float | None, said: str
) -> None:
    assert context_in("en", tmp_path).percent(probability, uncertainty) == said


@pytest.mark.parametrize(
    ("language", "name", "said"),
    [
        ("en", "Yamada^Tarou=山田^太郎=やまだ^たろう", "Yamada, Tarou (山田 太郎)"),
        ("ja", "Yamada^Tarou=山田^太郎=やまだ^たろう", "山田 太郎 (Yamada, Tarou)"),
        ("en", "Иванов^Иван", "Иванов, Иван"),
        ("en", "Doe^Jane^Q^Dr.", "Dr. Doe, Jane Q"),
        ("en", "", "–"),
        ("en", "Ibn^Sina=\u0627\u0628\u0646", "Ibn, Sina"),
        ("en", "\u0e01\u0e02", "cannot be drawn here: see the viewer"),
    ],
)
def test_a_name_is_written_as_far_as_it_can_be_drawn(tmp_path: Path, language: str, name: str, said: str) -> None:
    assert name_in_words(context_in(language, tmp_path), name) == said


@pytest.mark.parametrize(
    ("face", "name", "said"),
    [
        ("NanumGothic", "Kim^Cheolsu=김^철수", "Kim, Cheolsu (김 철수)"),
        ("DroidSansFallback", "Zhang^Wei=张^伟", "Zhang, Wei (张 伟)"),
    ],
)
def test_hangul_and_hanzi_are_drawn_where_their_font_is_installed(
    tmp_path: Path, face: str, name: str, said: str
) -> None:
    if not SYSTEM[face].exists():
        pytest.skip(f"{face} is not installed (make peers)")

    assert name_in_words(context_in("en", tmp_path), name) == said


def on(label: int, k: int) -> Shown:
    points = np.array([[0, 0], [1, 0], [1, 1], [0, 0]], float)
    concept = FRONT.type
    return Shown(Tracking(f"{label}", f"1.{label}"), concept, key=Contour(k, points, 1.0, 1), label=label)


def test_few_slices_are_shown_and_every_finding_is_on_one() -> None:
    labels = np.zeros((6, 4, 4), np.uint8)
    labels[1:4, 0, 0], labels[2, 1, 1], labels[5, 2, 2] = 1, 2, 3
    prediction = Prediction(Segmentation(labels), DomainAnswer(inside=True), "cpu")
    volume = Volume(np.zeros((6, 4, 4), np.float32), np.eye(4), (), "1.2", None, has_geometry=True)

    assert slices_to_show((on(1, 1), on(2, 2), on(3, 5)), prediction, volume) == (2, 5)
    assert slices_to_show((), prediction, volume) == (3,)


def test_a_headline_names_few_findings_and_counts_many(tmp_path: Path) -> None:
    concept = FRONT.type
    positive = tuple(
        Shown(Tracking(f"Finding {n}", f"1.{n}"), concept, probability=0.9, threshold=0.5, positive=True)
        for n in range(5)
    )

    few, many = (headline_of(tmp_path, positive[:count]) for count in (2, 5))

    assert few == "Suspected: Finding 0, Finding 1"
    assert many == "Suspected: 5 findings"


def headline_of(folder: Path, shown: tuple[Shown, ...]) -> str:
    prediction = Prediction(Classification(()), DomainAnswer(inside=True), "cpu")
    content = Content(title=concepts.AI_RESULT, groups=[], summary="")
    return story_of(Told(context_in("en", folder), content, None, prediction, shown=shown)).headline
