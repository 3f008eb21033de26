"""The door: nothing leaves unless it agrees with the images received, with itself and with the standard.

What it rejects is quarantined. Each check reads the finished objects back without the library that wrote them.
"""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

from dicomnode.bundles.dicom_toml import DicomToml
from dicomnode.encode.context import Encoded
from dicomnode.encode.door.attributes import attribute_faults
from dicomnode.encode.door.cad import cad_faults
from dicomnode.encode.door.content import content_faults
from dicomnode.encode.door.dciodvfy import validator_answers, validator_faults
from dicomnode.encode.door.expected import Expected
from dicomnode.encode.door.frames import frame_group_faults
from dicomnode.encode.door.geometry import geometry_faults
from dicomnode.encode.door.identity import identity_faults
from dicomnode.encode.door.key_objects import key_object_faults
from dicomnode.encode.door.maps import map_faults
from dicomnode.encode.door.pictures import picture_faults
from dicomnode.encode.door.presentation import presentation_faults
from dicomnode.encode.door.references import reference_faults
from dicomnode.encode.door.segments import segment_faults
from dicomnode.encode.door.structure_sets import structure_set_faults
from dicomnode.encode.door.told_items import item_faults
from dicomnode.errors import DoorFault
from dicomnode.values import Run, Series

Check = Callable[[Expected], Iterator[str]]

CHECKS: tuple[Check, ...] = (
    identity_faults,
    attribute_faults,
    item_faults,
    frame_group_faults,
    reference_faults,
    content_faults,
    geometry_faults,
    segment_faults,
    key_object_faults,
    map_faults,
    cad_faults,
    presentation_faults,
    structure_set_faults,
    picture_faults,
)


def require_valid(encoded: tuple[Encoded, ...], run: Run, series: Series | None, rules: DicomToml) -> None:
    """Let the results of a run pass, or say everything that is wrong with them.

    Args:
        encoded: all results of the run.
        run: whose results they are.
        series: the series analysed; None where none fitted.
        rules: the model's dicom.toml.

    Raises:
        DoorFault: names every fault; the results must not be sent.
    """
    faults = faults_of(Expected(encoded, run, rules, series))
    if faults:
        raise DoorFault(f"{len(faults)} fault(s) in the results: " + "; ".join(faults))


def faults_of(expected: Expected) -> list[str]:
    """Every fault that any check finds, each once."""
    with ThreadPoolExecutor(thread_name_prefix="door") as beside:
        answers = validator_answers(expected, beside)
        found = [fault for check in CHECKS for fault in check(expected)]
        found += validator_faults(expected, answers)
    return list(dict.fromkeys(found))
