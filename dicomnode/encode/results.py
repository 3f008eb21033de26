"""The result objects of one run: a prediction, or why there is none, as the objects of a viewer profile."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime

from pydicom import Dataset

from dicomnode.bundles.dicom_toml import DicomToml
from dicomnode.config.profiles import PROFILES
from dicomnode.config.tables import Node
from dicomnode.encode.boxes import shown_lesions, unseen_findings
from dicomnode.encode.cad.report import cad_report
from dicomnode.encode.context import Context, Encoded
from dicomnode.encode.key_objects import key_objects
from dicomnode.encode.lesions import lesion_by_lesion
from dicomnode.encode.parametric_map import parametric_map
from dicomnode.encode.pictures.capture import secondary_capture
from dicomnode.encode.pictures.document import pdf_report
from dicomnode.encode.pictures.view import pictured_slices
from dicomnode.encode.presentation import presentation_state
from dicomnode.encode.prior import compared, comparison_in_words, read_prior
from dicomnode.encode.quantity import quantity_of
from dicomnode.encode.regions import regions_of
from dicomnode.encode.report.classification import classification_content
from dicomnode.encode.report.detection import detection_content, no_detection_content
from dicomnode.encode.report.document import structured_report
from dicomnode.encode.report.findings import with_findings
from dicomnode.encode.report.ohif import with_editable_findings
from dicomnode.encode.report.segmentation import outside_content, segmentation_content
from dicomnode.encode.report.unable import reason_code, unable_content
from dicomnode.encode.report.words import with_circumstances
from dicomnode.encode.segmentation import segmentation
from dicomnode.encode.shown import shown_scores, shown_segments
from dicomnode.encode.source import slice_gap_mm, sources_of
from dicomnode.encode.structure_set import structure_set
from dicomnode.encode.told import Told
from dicomnode.encode.tracking import Structure, patient_key, segment_tracking
from dicomnode.values import (
    Classification,
    Detection,
    EarlierReport,
    Instance,
    Prediction,
    Role,
    Run,
    Segmentation,
    Series,
    Volume,
)

STANDARD = PROFILES["standard"]

Maker = Callable[[Told], Dataset | None]
"""Makes the object of one role; None where this answer has nothing for it."""


def encode_results(  # noqa: PLR0913 (each is another room's value)
    run: Run,
    series: Series,
    volume: Volume,
    prediction: Prediction,
    rules: DicomToml,
    node: Node,
    made_at: datetime,
    *,
    objects: Sequence[Role] = STANDARD,
    earlier: EarlierReport | None = None,
) -> tuple[Encoded, ...]:
    """The objects of one prediction; the same arguments give the same bytes.

    Args:
        run: whose results these are.
        series: the series that the volume was read from.
        volume: the images on their own grid.
        prediction: what the model said of them.
        rules: the model's dicom.toml.
        node: station, institution, language, UID root, and the state folder with the key of tracking UIDs.
        made_at: the run's moment, in the site's local time; every date of the results.
        objects: the kinds of object of the viewer profile.
        earlier: our report of the patient's prior study, to compare with.

    Returns:
        one object for each kind that this answer has something for, in the order of MAKERS.

    Raises:
        ModelFault: the prediction does not fit the volume or dicom.toml.
        SeriesRefused: a SEG cannot refer to the images that the volume came from.
    """
    sources = sources_of((frame.path for frame in volume.frames), slice_gap_mm(volume))
    context = Context(run, rules, node, made_at, sources, instances_read(series, volume))
    told = _told(context, volume, prediction)
    told = beside_prior(told, earlier) if earlier else told
    told = replace(told, content=with_circumstances(context, told.content, volume, prediction))
    return tuple(_made(told, objects))


def slices_to_keep(
    run: Run, series: Series, volume: Volume, prediction: Prediction, rules: DicomToml, node: Node
) -> tuple[int, ...]:
    """The slices (k) that pictures of this prediction will show; asked for while the volume is still at hand."""
    sources = sources_of((frame.path for frame in volume.frames), slice_gap_mm(volume))
    context = Context(run, rules, node, datetime.now().astimezone(), sources, instances_read(series, volume))
    return pictured_slices(_told(context, volume, prediction))


def could_not_analyse(  # noqa: PLR0913 (each is another room's value)
    run: Run,
    series: Series | None,
    reason: str,
    rules: DicomToml,
    node: Node,
    made_at: datetime,
    *,
    family: str = "",
    objects: Sequence[Role] = STANDARD,
) -> tuple[Encoded, ...]:
    """What tells the reader that a study could not be analysed.

    Args:
        run: whose results these are.
        series: the series that failed; None where no series fits, and the whole study is listed.
        reason: why, in words for the reader.
        rules: the model's dicom.toml.
        node: station, institution, language and UID root.
        made_at: the run's moment, in the site's local time.
        family: branch of the error tree ("SeriesRefused"), for the coded reason.
        objects: the kinds of object of the viewer profile.
    """
    instances = series.instances if series else tuple(i for s in run.study.series for i in s.instances)
    context = Context(run, rules, node, made_at, sources_of([instances[0].path]), instances)
    code = reason_code(family, has_series=series is not None)
    return tuple(_made(Told(context, unable_content(context, reason, code)), objects))


def beside_prior(told: Told, earlier: EarlierReport) -> Told:
    """The same answer with what has changed since the prior study."""
    prior = read_prior(earlier, told.context.source)
    if prior is None:
        return told
    said = tuple(comparison_in_words(told.context, told.shown, prior))
    summary = told.context.joined((told.content.summary, *said))
    return replace(
        told, shown=compared(told.shown, prior), content=replace(told.content, summary=summary, comparison=said)
    )


def instances_read(series: Series, volume: Volume) -> tuple[Instance, ...]:
    """The instances of a series that its volume was made of, in the order of the slices."""
    by_uid = {instance.sop_instance_uid: instance for instance in series.instances}
    return tuple(by_uid[uid] for uid in dict.fromkeys(frame.sop_instance_uid for frame in volume.frames))


def segmentation_object(told: Told) -> Dataset | None:
    """The SEG of what was found."""
    prediction, volume, regions = told.prediction, told.volume, told.regions
    if prediction is None or volume is None or regions is None or not regions.found or not volume.has_geometry:
        return None
    if not isinstance(prediction.answer, Segmentation):
        return None
    return segmentation(told.context, volume, prediction.answer.labels, regions)


def report(told: Told) -> Dataset:
    """The Comprehensive 3D SR."""
    return structured_report(told.context, with_findings(told))


def report_for_ohif(told: Told) -> Dataset:
    """The same with outlines that OHIF makes editable."""
    return structured_report(told.context, with_editable_findings(told), Role.SR_OHIF)


MAKERS: tuple[tuple[Role, Maker], ...] = (
    (Role.SEG, segmentation_object),
    (Role.SR, report),
    (Role.SR_OHIF, report_for_ohif),
    (Role.CAD_SR, cad_report),
    (Role.KOS, key_objects),
    (Role.GSPS, presentation_state),
    (Role.PMAP, parametric_map),
    (Role.RTSTRUCT, structure_set),
    (Role.SC, secondary_capture),
    (Role.PDF, pdf_report),
)
"""Who makes the object of each role; a later one may refer to an earlier one."""


def _made(told: Told, objects: Sequence[Role]) -> Iterator[Encoded]:
    for role, make in MAKERS:
        dataset = make(told) if role in objects else None
        if dataset is not None:
            told = told.having(role, dataset)
            yield Encoded(role, dataset)


def _told(context: Context, volume: Volume, prediction: Prediction) -> Told:
    """What a prediction has to tell; outside the evaluated domain no finding is shown."""
    answer, usable = prediction.answer, prediction.domain.inside or prediction.domain.overridden
    if isinstance(answer, Classification):
        content = classification_content(context, answer, prediction.domain)
        return Told(context, content, volume, prediction, shown=shown_scores(context, answer) if usable else ())
    if isinstance(answer, Detection):
        lesions = shown_lesions(context, answer, volume) if usable else ()
        missing = tuple(unseen_findings(context, lesions))
        content = detection_content(context, lesions, missing) if usable else no_detection_content(context, missing)
        return Told(context, content, volume, prediction, shown=lesions)
    structures = _structures(context)
    if not usable:
        return Told(context, outside_content(context, structures), volume, prediction)
    answer, structures = lesion_by_lesion(context, answer, volume, structures)
    regions = regions_of(answer.labels, volume, structures)
    shown = shown_segments(answer, volume, regions, quantity_of(context.source))
    content = segmentation_content(context, shown, answer, regions.absent)
    return Told(context, content, volume, replace(prediction, answer=answer), regions, shown)


def _structures(context: Context) -> tuple[Structure, ...]:
    """The configured segments with their tracking in this patient."""
    key, task = patient_key(context.node.state), context.run.model.name
    return tuple(
        Structure(segment, segment_tracking(segment, task, context.source, key)) for segment in context.rules.segments
    )
