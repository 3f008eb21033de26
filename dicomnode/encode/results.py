"""The result objects of one run: a prediction as SEG and SR, or an SR that says why there is none."""

from dataclasses import replace
from datetime import datetime
from io import BytesIO

from pydicom import dcmwrite

from dicomnode.bundles.dicom_toml import DicomToml
from dicomnode.config.tables import Node
from dicomnode.encode.context import Context, Encoded
from dicomnode.encode.regions import regions_of
from dicomnode.encode.report.classification import classification_content
from dicomnode.encode.report.document import Content, structured_report
from dicomnode.encode.report.segmentation import outside_content, segmentation_content, volume_groups
from dicomnode.encode.report.unable import reason_code, unable_content
from dicomnode.encode.report.words import with_circumstances
from dicomnode.encode.segmentation import segmentation
from dicomnode.encode.source import slice_gap_mm, sources_of
from dicomnode.encode.tracking import Structure, patient_key, segment_tracking
from dicomnode.values import Instance, Prediction, Role, Run, Segmentation, Series, Volume


def encode_results(  # noqa: PLR0913 (each is another room's value)
    run: Run, series: Series, volume: Volume, prediction: Prediction, rules: DicomToml, node: Node, made_at: datetime
) -> tuple[Encoded, ...]:
    """SEG and SR of one prediction; the same arguments give the same bytes.

    Args:
        run: whose results these are.
        series: the series that the volume was read from.
        volume: the images on their own grid.
        prediction: what the model said of them.
        rules: the model's dicom.toml.
        node: station, institution, UID root, and the state folder with the key of tracking UIDs.
        made_at: the run's moment, in the site's local time; every date of the results.

    Returns:
        the SEG first, where there is one, then the SR.

    Raises:
        ModelFault: the prediction does not fit the volume or dicom.toml.
        SeriesRefused: a SEG cannot refer to the images that the volume came from.
    """
    sources = sources_of((frame.path for frame in volume.frames), slice_gap_mm(volume))
    context = Context(run, rules, node, made_at, sources, instances_read(series, volume))
    if not isinstance(prediction.answer, Segmentation):
        content = classification_content(context, prediction.answer, prediction.domain)
        return (_report(context, with_circumstances(content, volume, prediction)),)
    return _segmentation_results(context, volume, prediction, prediction.answer)


def could_not_analyse(  # noqa: PLR0913 (each is another room's value)
    run: Run, series: Series | None, reason: str, rules: DicomToml, node: Node, made_at: datetime, *, family: str = ""
) -> tuple[Encoded, ...]:
    """The SR for the reader of a study that could not be analysed.

    Args:
        run: whose results these are.
        series: the series that failed; None where no series fits, and the whole study is listed.
        reason: why, in words for the reader.
        rules: the model's dicom.toml.
        node: station, institution and UID root.
        made_at: the run's moment, in the site's local time.
        family: branch of the error tree ("SeriesRefused"), for the coded reason.
    """
    instances = series.instances if series else tuple(i for s in run.study.series for i in s.instances)
    context = Context(run, rules, node, made_at, sources_of([instances[0].path]), instances)
    code = reason_code(family, has_series=series is not None)
    return (_report(context, unable_content(context, reason, code)),)


def to_bytes(encoded: Encoded) -> bytes:
    """The object as a DICOM Part 10 file (PS3.10 7), explicit VR little endian."""
    buffer = BytesIO()
    dcmwrite(buffer, encoded.dataset, enforce_file_format=True)
    return buffer.getvalue()


def instances_read(series: Series, volume: Volume) -> tuple[Instance, ...]:
    """The instances of a series that its volume was made of, in the order of the slices."""
    by_uid = {instance.sop_instance_uid: instance for instance in series.instances}
    return tuple(by_uid[uid] for uid in dict.fromkeys(frame.sop_instance_uid for frame in volume.frames))


def _segmentation_results(
    context: Context, volume: Volume, prediction: Prediction, answer: Segmentation
) -> tuple[Encoded, ...]:
    structures = _structures(context)
    regions = regions_of(answer.labels, volume, structures)
    if not (prediction.domain.inside or prediction.domain.overridden):
        return (_report(context, with_circumstances(outside_content(context, structures), volume, prediction)),)
    content = with_circumstances(segmentation_content(context, volume, answer, regions), volume, prediction)
    if not regions.found or not volume.has_geometry:
        return (_report(context, content),)
    seg = segmentation(context, volume, answer.labels, regions)
    groups = [*volume_groups(context, answer, regions, seg), *content.groups]
    return (Encoded(Role.SEG, seg), _report(context, replace(content, groups=groups, objects=(seg,))))


def _report(context: Context, content: Content) -> Encoded:
    return Encoded(Role.SR, structured_report(context, content))


def _structures(context: Context) -> tuple[Structure, ...]:
    """The configured segments with their tracking in this patient."""
    key, task = patient_key(context.node.state), context.run.model.name
    return tuple(
        Structure(segment, segment_tracking(segment, task, context.source, key)) for segment in context.rules.segments
    )
