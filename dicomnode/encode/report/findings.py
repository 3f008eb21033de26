"""The report with its findings in place: figures by the SEG's segments, and an outline of each."""

from collections.abc import Iterator
from dataclasses import replace

from highdicom.sr import ContentSequence

from dicomnode.encode import concepts
from dicomnode.encode.report.document import Content
from dicomnode.encode.report.segmentation import name_in_words
from dicomnode.encode.report.segments import centre_figures, planar_group, volumetric_group
from dicomnode.encode.shown import Figure, Shown
from dicomnode.encode.told import Told
from dicomnode.values import Role, Segmentation

CENTRES = "Centres of mass in the patient coordinate system, mm to the left, to the back and to the head: {places}"


def with_findings(told: Told) -> Content:
    """The content of a plain report: beside a SEG its segments are measured; without one, the outline carries all.

    Outlines stand first: OHIF writes the first five figures of a finding beside it, without saying mean or deviation.
    """
    seg = told.made.get(Role.SEG)
    outlines = [group for one in told.shown for group in _outline(told, one, measured=seg is not None)]
    groups = [*outlines, *volumes(told), *told.content.groups]
    return with_groups(told, groups)


def with_groups(told: Told, groups: list[ContentSequence]) -> Content:
    """The content around these groups: the SEG as evidence, and where the findings lie in words."""
    seg = told.made.get(Role.SEG)
    comments = (*told.content.comments, *_centres_in_words(told))
    return replace(told.content, groups=groups, comments=comments, objects=(seg,) if seg is not None else ())


def _centres_in_words(told: Told) -> Iterator[str]:
    """Where the findings lie, for software that reads no codes and people who compare."""
    context = told.context
    placed = [(name_in_words(context, one), one.centre_mm) for one in told.shown if one.centre_mm is not None]
    places = (f"{name} ({' / '.join(context.number(mm, 1) for mm in at)})" for name, at in placed)
    if placed:
        yield context.say(CENTRES, places="; ".join(places))


def volumes(told: Told) -> list[ContentSequence]:
    """A group of figures for each segment of the SEG (TID 1411); none where there is no SEG."""
    seg = told.made.get(Role.SEG)
    if seg is None:
        return []
    return [
        volumetric_group(told.context, one, seg, [*volume_figures(told, one), *centre_figures(one)])
        for one in told.shown
        if one.segment
    ]


def volume_figures(told: Told, one: Shown) -> list[Figure]:
    """What was measured in the whole volume, with the model's own uncertainty."""
    return [*(figure for figure in one.figures if not figure.on_slice), *_uncertainty(told, one)]


def slice_figures(one: Shown) -> list[Figure]:
    """What was measured on the key slice."""
    return [figure for figure in one.figures if figure.on_slice]


def _outline(told: Told, one: Shown, *, measured: bool) -> Iterator[ContentSequence]:
    if one.key is None or told.volume is None:
        return
    figures = slice_figures(one)
    if not measured:
        figures = [*volume_figures(told, one), *centre_figures(one), *figures]
    yield planar_group(told.context, one, told.volume, figures)


def _uncertainty(told: Told, one: Shown) -> Iterator[Figure]:
    answer = told.prediction.answer if told.prediction else None
    if isinstance(answer, Segmentation) and one.label in answer.uncertainty:
        yield Figure(concepts.VOXEL_UNCERTAINTY, round(answer.uncertainty[one.label], 3), concepts.NO_UNITS)
