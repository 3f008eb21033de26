"""Who made a result: our equipment, the algorithm and the moment, told the same way in every object."""

from typing import Any

from highdicom import AlgorithmIdentificationSequence, ContributingEquipment
from highdicom.sr import (
    AlgorithmIdentification,
    CodedConcept,
    DeviceObserverIdentifyingAttributes,
    ObservationContext,
    ObserverContext,
)
from pydicom import Dataset
from pydicom.sr.codedict import codes

from dicomnode import __version__
from dicomnode.encode.concepts import coding_schemes
from dicomnode.encode.context import Context
from dicomnode.encode.uids import ENCODER_VERSION, result_series_uid, result_uid
from dicomnode.values import Role

MAKER = "dicomnode"
SERIES_NUMBER = {
    Role.SEG: 9001,
    Role.SR: 9002,
    Role.SR_OHIF: 9003,
    Role.CAD_SR: 9004,
    Role.KOS: 9005,
    Role.GSPS: 9006,
    Role.SC: 9007,
    Role.PMAP: 9008,
    Role.PDF: 9009,
    Role.RTSTRUCT: 9010,
    Role.REJECTION: 9011,
}
ARTIFICIAL_INTELLIGENCE = CodedConcept("123110", "DCM", "Artificial Intelligence")


def identity(context: Context, role: Role) -> dict[str, Any]:
    """Arguments of highdicom's constructors that say what the object is, who made it and when."""
    run_key, root = context.run.run_key, context.node.uid_root
    return {
        "series_instance_uid": result_series_uid(run_key, role, root),
        "sop_instance_uid": result_uid(run_key, role, root),
        "series_number": SERIES_NUMBER[role],
        "instance_number": 1,
        "series_description": context.description,
        "content_date": context.made_at.date(),
        "content_time": context.made_at.time(),
        "manufacturer": MAKER,
        "manufacturer_model_name": MAKER,
        "software_versions": __version__,
        "device_serial_number": context.run.model.digest[:16],
        "institution_name": context.node.institution or str(context.source.get("InstitutionName") or "") or None,
        "coding_schemes": coding_schemes(),
        "contributing_equipment": [contribution(context)],
    }


def contribution(context: Context) -> ContributingEquipment:
    """The algorithm as contributing equipment, with the Device UID (0018,1002) of this model version."""
    model = context.run.model
    item = ContributingEquipment(
        manufacturer=context.rules.model.manufacturer[:64],
        purpose_of_reference=codes.DCM.ProcessingEquipment,
        manufacturer_model_name=context.rules.model.title[:64],
        software_versions=model.version,
        contribution_datetime=context.made_at,
        contribution_description=f"{context.rules.model.title}, model version {model.digest}",
    )
    item.DeviceUID = model.device_uid
    return item


def algorithm_parameters(context: Context) -> dict[str, str]:
    """What decided the result, besides the algorithm's name and version."""
    return {"model version": context.run.model.digest, "encoder version": ENCODER_VERSION}


def algorithm(context: Context) -> AlgorithmIdentification:
    """Algorithm name, version and parameters as SR content (TID 4019)."""
    return AlgorithmIdentification(
        name=context.rules.model.title,
        version=context.run.model.version,
        parameters=[f"{name}: {value}" for name, value in algorithm_parameters(context).items()],
        family=ARTIFICIAL_INTELLIGENCE,
        manufacturer=context.rules.model.manufacturer,
    )


def algorithm_sequence(context: Context) -> AlgorithmIdentificationSequence:
    """The same for a SEG segment (PS3.3 10.16)."""
    return AlgorithmIdentificationSequence(
        name=context.rules.model.title[:64],
        family=ARTIFICIAL_INTELLIGENCE,
        version=context.run.model.version,
        source=context.rules.model.manufacturer[:64],
        parameters=algorithm_parameters(context),
    )


def observer(context: Context) -> ObservationContext:
    """The observer is a device: this version of this model (TID 1001, TID 1004)."""
    return ObservationContext(observer_device_context=device_observer(context))


def device_observer(context: Context) -> ObserverContext:
    """The model version as an observer (TID 1004)."""
    model = context.run.model
    attributes = DeviceObserverIdentifyingAttributes(
        uid=model.device_uid,
        name=context.rules.model.title,
        manufacturer_name=context.rules.model.manufacturer,
        model_name=model.name,
        serial_number=model.digest[:16],
    )
    return ObserverContext(observer_type=codes.DCM.Device, observer_identifying_attributes=attributes)


def settle(dataset: Dataset, context: Context) -> None:
    """Put the patient's name back, and the run's moment for the clock's: encoding again gives the same bytes."""
    dataset.add_new("PatientName", "PN", context.sources.patient_name)  # a new element: highdicom shares the source's
    dataset.InstanceCreationDate = f"{context.made_at:%Y%m%d}"
    dataset.InstanceCreationTime = f"{context.made_at:%H%M%S.%f}"
    dataset.SeriesDate, dataset.SeriesTime = dataset.InstanceCreationDate, dataset.InstanceCreationTime
    dataset.StationName = context.node.station_name[:16]
    for item in dataset.ContributingEquipmentSequence:
        if item.get("ManufacturerModelName") == "highdicom":
            item.ContributionDateTime = f"{context.made_at:%Y%m%d%H%M%S.%f}"
