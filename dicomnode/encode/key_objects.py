"""The images to look at, as a Key Object Selection: a list that most viewers offer as bookmarks."""

import numpy as np
from highdicom.ko import KeyObjectSelection, KeyObjectSelectionDocument
from highdicom.sr import CodedConcept, LanguageOfContentItemAndDescendants
from pydicom import Dataset
from pydicom.sequence import Sequence as Items
from pydicom.uid import ExplicitVRLittleEndian

from dicomnode.encode.concepts import LANGUAGES
from dicomnode.encode.context import Context
from dicomnode.encode.equipment import device_observer, identity, settle
from dicomnode.encode.shown import Shown, key_slices
from dicomnode.encode.source import leading
from dicomnode.encode.told import Told
from dicomnode.values import Frame, Role

OF_INTEREST = CodedConcept("113000", "DCM", "Of Interest")
"""Document title (CID 7010): nothing else is claimed of the images."""


def key_objects(told: Told) -> Dataset | None:
    """The KOS of the images with a finding; None where there is none.

    Source: PS3.3 A.35.4, PS3.16 TID 2010.
    """
    context, slices = told.context, slices_to_look_at(told)
    if not slices or told.volume is None:
        return None
    frames = [told.volume.frames[k] for k in slices]
    images = images_of(context, frames)
    selection = KeyObjectSelection(
        document_title=OF_INTEREST,
        referenced_objects=images,
        observer_device_context=device_observer(context),
        description=_description(told, slices),
    )
    document: Dataset = KeyObjectSelectionDocument(
        evidence=images,
        content=selection,
        transfer_syntax_uid=ExplicitVRLittleEndian,
        **identity(context, Role.KOS),
    )
    language = LanguageOfContentItemAndDescendants(LANGUAGES[context.node.language])
    document.copy_patient_and_study_information(context.source)
    document.ContentSequence = Items([*language, *document.ContentSequence])
    _settle_images(document, frames)
    settle(document, context)
    return document


def slices_to_look_at(told: Told) -> tuple[int, ...]:
    """The slices with a finding's outline; without any, the one image with a finding or the slice that decided it."""
    placed = key_slices(told.shown)
    if placed or told.volume is None or not any(one.positive for one in told.shown):
        return placed
    if len(told.volume.frames) == 1:
        return (0,)
    saliency = told.prediction.answer.saliency if told.prediction else None
    return () if saliency is None else (int(np.argmax(saliency.max(axis=(1, 2)))),)


def images_of(context: Context, frames: list[Frame]) -> list[Dataset]:
    """Headers of the images that these frames lie in, each once; highdicom reads patient and study from the first."""
    headers = {str(header.SOPInstanceUID): header for header in context.sources.headers}
    first, *others = (headers[uid] for uid in dict.fromkeys(frame.sop_instance_uid for frame in frames))
    return [leading(first, context.sources), *others]


def place_in_words(told: Told, one: Shown, k: int) -> str:
    """Which image shows a finding, as a reader's viewer numbers it."""
    volume, name = told.volume, one.tracking.identifier
    frame = volume.frames[k] if volume else None
    if frame is not None and frame.frame_number is not None:
        return told.context.say("{name}: frame {number}.", name=name, number=frame.frame_number)
    headers = [h for h in told.context.sources.headers if frame and h.SOPInstanceUID == frame.sop_instance_uid]
    if headers and headers[0].get("InstanceNumber") is not None:
        return told.context.say("{name}: image {number}.", name=name, number=headers[0].InstanceNumber)
    return told.context.say("{name}: slice {number}.", name=name, number=k + 1)


def _description(told: Told, slices: tuple[int, ...]) -> str:
    """Which finding is on which image; each named as its tracking identifier names it in every other object."""
    named = (place_in_words(told, one, _slice_of(one, slices)) for one in _to_name(told))
    caution = [told.caution] if told.caution and told.caution not in told.content.summary else []
    return "\n".join((told.content.summary, *caution, *named))


def _to_name(told: Told) -> list[Shown]:
    placed = [one for one in told.shown if one.key is not None]
    return placed or [one for one in told.shown if one.positive]


def _slice_of(one: Shown, slices: tuple[int, ...]) -> int:
    return one.key.slice if one.key is not None else slices[0]


def _settle_images(document: Dataset, frames: list[Frame]) -> None:
    """Name the frames of multi-frame images; TID 2010 gives key images no name, highdicom calls them "Source"."""
    for item in document.ContentSequence:
        if item.ValueType != "IMAGE":
            continue
        del item.ConceptNameCodeSequence
        reference = item.ReferencedSOPSequence[0]
        numbers = [f.frame_number for f in frames if f.sop_instance_uid == reference.ReferencedSOPInstanceUID]
        if None not in numbers:
            reference.ReferencedFrameNumber = numbers
