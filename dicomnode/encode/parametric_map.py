"""A map of probability or saliency as a Parametric Map: floating point, on the source's grid."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from highdicom import PlanePositionSequence, VOILUTTransformation
from highdicom.pm import ParametricMap, RealWorldValueMapping
from highdicom.sr import CodedConcept
from numpy.typing import NDArray
from pydicom import Dataset
from pydicom.sequence import Sequence as Items
from pydicom.uid import ExplicitVRLittleEndian

from dicomnode.encode import concepts
from dicomnode.encode.context import Context
from dicomnode.encode.equipment import identity, settle
from dicomnode.encode.grid import pixel_measures, settle_dimensions, spacing_mm
from dicomnode.encode.source import leading, slice_gap_mm
from dicomnode.encode.told import Told
from dicomnode.encode.uids import derived_uid
from dicomnode.values import Prediction, Role, Segmentation, Volume

LEAST = 0.01
"""A map whose values all lie below this is empty, and not made."""
AXES = {
    "L": (1.0, 0.0, 0.0),
    "R": (-1.0, 0.0, 0.0),
    "P": (0.0, 1.0, 0.0),
    "A": (0.0, -1.0, 0.0),
    "H": (0.0, 0.0, 1.0),
    "F": (0.0, 0.0, -1.0),
}
"""What the letters of Patient Orientation point to, in LPS."""
SALIENCY = concepts.ours("SALIENCY", "Saliency, relative to its largest value")


@dataclass(frozen=True)
class Map:
    """What is drawn."""

    values: NDArray[np.floating[Any]]
    """(slice, row, column) in 0..1."""
    label: str
    """LUT Label (SH)."""
    explanation: str
    """LUT Explanation (LO)."""
    quantity: CodedConcept


def parametric_map(told: Told) -> Dataset | None:
    """The Parametric Map of a prediction that has one, a frame a slice; None where it has none, or where it is empty.

    Of a volume from several multi-frame instances none is made: highdicom refers to one.

    Source: PS3.3 A.75, C.8.32.
    """
    found = map_of(told)
    if found is None or found.values.max() < LEAST:
        return None
    if told.volume is None or not is_placed(told.context, told.volume) or _is_of_several(told.volume):
        return None
    context, volume = told.context, told.volume
    dataset: Dataset = ParametricMap(
        pixel_array=np.ascontiguousarray(found.values, np.float32),
        contains_recognizable_visual_features=False,
        real_world_value_mappings=[_mapping(found)],
        voi_lut_transformations=[VOILUTTransformation(window_center=0.5, window_width=1.0)],
        transfer_syntax_uid=ExplicitVRLittleEndian,
        content_label="AI_RESULT",
        content_description=f"{told.caution} {context.description}".strip()[:64],
        **_place(context, volume),
        **identity(context, Role.PMAP),
    )
    _settle(dataset, context, volume)
    return dataset


def map_of(told: Told) -> Map | None:
    """The probability of a segmentation, else the saliency of a classification; none outside the evaluated domain."""
    prediction = told.prediction
    if prediction is None or not (prediction.domain.inside or prediction.domain.overridden):
        return None
    if isinstance(prediction.answer, Segmentation):
        return _probability(prediction.answer, told)
    return _saliency(prediction, told)


def _is_of_several(volume: Volume) -> bool:
    frames = volume.frames
    return frames[0].frame_number is not None and len({frame.sop_instance_uid for frame in frames}) > 1


def is_placed(context: Context, volume: Volume) -> bool:
    """Whether the map's rows and columns have a direction in the patient."""
    return volume.has_geometry or bool(directions(context.source))


def directions(projection: Dataset) -> list[float]:
    """Row and column direction of a projection (LPS) by its Patient Orientation; empty where it says too little.

    Source: PS3.3 C.7.6.1.1.1: the letters of oblique views follow in order of size, the first decides.
    """
    letters = [str(value)[:1] for value in projection.get("PatientOrientation") or ()]
    found = [AXES[letter] for letter in letters if letter in AXES]
    if len(found) != 2 or any(a and b for a, b in zip(*found, strict=True)):
        return []
    return [*found[0], *found[1]]


def _probability(answer: Segmentation, told: Told) -> Map | None:
    if answer.probability is None:
        return None
    names = ", ".join(segment.label for segment in told.context.rules.segments)
    return Map(answer.probability, "PROBABILITY", f"Probability of any of: {names}"[:64], concepts.PROBABILITY)


def _saliency(prediction: Prediction, told: Told) -> Map | None:
    saliency = prediction.answer.saliency
    if saliency is None:
        return None
    likeliest = max(told.shown, key=lambda one: (one.probability or 0.0) - (one.threshold or 0.0), default=None)
    name = f": {likeliest.tracking.identifier}" if likeliest else ""
    return Map(saliency, "SALIENCY", f"Saliency (Grad-CAM){name}"[:64], SALIENCY)


def _mapping(found: Map) -> RealWorldValueMapping:
    return RealWorldValueMapping(
        lut_label=found.label,
        lut_explanation=found.explanation,
        unit=concepts.NO_UNITS,
        value_range=(0.0, 1.0),
        slope=1,
        intercept=0,
        quantity_definition=found.quantity,
    )


def _place(context: Context, volume: Volume) -> dict[str, Any]:
    """The source images, and where their frames lie."""
    frames = volume.frames
    headers = {str(header.SOPInstanceUID): header for header in context.sources.headers}
    first, *others = (headers[uid] for uid in dict.fromkeys(frame.sop_instance_uid for frame in frames))
    first = leading(first, context.sources, slice_gap_mm(volume))
    if not volume.has_geometry:
        _place_projection(first, context, volume)
    place = {"source_images": [first, *others], "pixel_measures": pixel_measures(context, volume)}
    if frames[0].frame_number is None or not volume.has_geometry:
        return place
    groups = first.PerFrameFunctionalGroupsSequence
    positions = [groups[(frame.frame_number or 1) - 1].PlanePositionSequence[0] for frame in frames]
    at = [PlanePositionSequence("PATIENT", item.ImagePositionPatient) for item in positions]
    return place | {"plane_positions": at}


def _place_projection(image: Dataset, context: Context, volume: Volume) -> None:
    """Give a projection image, which lies nowhere in the patient, a frame of reference that is the map's alone."""
    image.FrameOfReferenceUID = derived_uid("projection", context.run.run_key, root=context.node.uid_root)
    image.PositionReferenceIndicator, image.SliceThickness = "", 1
    image.ImagePositionPatient, image.ImageOrientationPatient = [0, 0, 0], directions(image)
    image.PixelSpacing = list(spacing_mm(volume))


def _settle(dataset: Dataset, context: Context, volume: Volume) -> None:
    """What highdicom leaves out or draws by chance."""
    dataset.ContentCreatorName = ""  # type 2; no person made it
    if "BodyPartExamined" in context.source:
        dataset.BodyPartExamined = context.source.BodyPartExamined
    shared = dataset.SharedFunctionalGroupsSequence[0]
    shared.PixelMeasuresSequence = pixel_measures(context, volume)  # highdicom rounds, and makes one slice 1 mm thick
    anatomy = Dataset()
    anatomy.AnatomicRegionSequence = Items([concepts.coded(context.rules.model.site)])
    anatomy.FrameLaterality = "U"  # unknown; dcmqi cannot read a map without this group
    shared.FrameAnatomySequence = Items([anatomy])
    _order_frames(dataset)
    settle_dimensions(dataset, context, Role.PMAP)
    settle(dataset, context)


def _order_frames(dataset: Dataset) -> None:
    """Put the frames in order along the normal; dcmqi and OHIF stack them so, whatever position they state."""
    direction = np.array(dataset.SharedFunctionalGroupsSequence[0].PlaneOrientationSequence[0].ImageOrientationPatient)
    frames = list(dataset.PerFrameFunctionalGroupsSequence)
    places = np.array([frame.PlanePositionSequence[0].ImagePositionPatient for frame in frames], float)
    order = np.argsort(places @ np.cross(direction[:3], direction[3:]).astype(float), kind="stable")
    values = np.frombuffer(dataset.FloatPixelData, "<f4").reshape(len(frames), -1)
    dataset.FloatPixelData = values[order].tobytes()
    for number, at in enumerate(order, 1):
        frames[at].FrameContentSequence[0].DimensionIndexValues = [number]
    dataset.PerFrameFunctionalGroupsSequence = Items([frames[at] for at in order])
