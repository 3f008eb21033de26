"""Stacks that conform to their IOD in every attribute: axial CT and oblique MR, single-frame and enhanced.

Voxel (slice k, row j, column i) is 1000 k + 10 j + i, as in `tests.phantom`, which they are made of.
"""

from collections.abc import Sequence

from pydicom import Dataset

from tests.phantom import OBLIQUE, SUBJECT, Subject, ct_series, enhanced, mr_series, uid
from tests.phantoms.items import code, item

SHAPE = {"slices": 6, "rows": 24, "columns": 32}
ORIGIN = (-31.5, 12.25, 40.0)
BRAIN = ("12738006", "SCT", "Brain")


def axial_ct(subject: Subject = SUBJECT) -> list[Dataset]:
    """Axial CT of the chest, 2.5 mm slices of 0.75 mm pixels."""
    series = ct_series(**SHAPE, spacing_mm=2.5, pixel_mm=(0.75, 0.75), origin=ORIGIN, subject=subject)
    for image in series:
        _complete(image)
        image.BodyPartExamined = "CHEST"
        image.XRayTubeCurrent, image.ExposureTime = 200, 500
        image.WindowCenter, image.WindowWidth = "40", "400"
    return series


def oblique_mr(subject: Subject = SUBJECT) -> list[Dataset]:
    """MR of the head in a plane oblique to every axis, 1.5 mm slices of 0.9 by 0.8 mm pixels."""
    series = mr_series(
        **SHAPE, spacing_mm=1.5, pixel_mm=(0.9, 0.8), orientation=OBLIQUE, origin=ORIGIN, subject=subject
    )
    for image in series:
        _complete(image)
        image.BodyPartExamined, image.FlipAngle, image.MagneticFieldStrength = "BRAIN", "15", "3"
        image.WindowCenter, image.WindowWidth = "3000", "6000"
    return series


def enhanced_mr(subject: Subject = SUBJECT) -> list[Dataset]:
    """The same MR as one enhanced multi-frame instance, its frames from the last slice to the first."""
    image = enhanced(oblique_mr(subject), reverse_frames=True, name="enhanced MR", subject=subject)
    _complete(image)
    for keyword in ("AcquisitionDate", "AcquisitionTime"):
        del image[keyword]
    for keyword, value in ENHANCED_MR.items():
        setattr(image, keyword, value)
    image.AcquisitionContextSequence = []
    _index_dimensions(image)
    _fill_groups(image)
    return [image]


ENHANCED_MR: dict[str, object] = {
    "PositionReferenceIndicator": "",
    "AcquisitionNumber": 1,
    "AcquisitionDateTime": "20260304101112",
    "AcquisitionDuration": 60.0,
    "ContentQualification": "RESEARCH",
    "ResonantNucleus": "1H",
    "KSpaceFiltering": "NONE",
    "MagneticFieldStrength": 3.0,
    "ApplicableSafetyStandardAgency": "IEC",
    "PixelPresentation": "MONOCHROME",
    "VolumetricProperties": "VOLUME",
    "VolumeBasedCalculationTechnique": "NONE",
    "ComplexImageComponent": "MAGNITUDE",
    "AcquisitionContrast": "T1",
    "BurnedInAnnotation": "NO",
    "LossyImageCompression": "00",
    "PresentationLUTShape": "IDENTITY",
    "PulseSequenceName": "GR3D",
    "MRAcquisitionType": "3D",
    "EchoPulseSequence": "GRADIENT",
    "MultiPlanarExcitation": "NO",
    "PhaseContrast": "NO",
    "TimeOfFlightContrast": "NO",
    "SteadyStatePulseSequence": "NONE",
    "EchoPlanarPulseSequence": "NO",
    "SaturationRecovery": "NO",
    "SpectrallySelectedSuppression": "NONE",
    "OversamplingPhase": "NONE",
    "GeometryOfKSpaceTraversal": "RECTILINEAR",
    "RectilinearPhaseEncodeReordering": "LINEAR",
    "SegmentedKSpaceTraversal": "SINGLE",
    "CoverageOfKSpace": "FULL",
    "NumberOfKSpaceTrajectories": 1,
}
"""PS3.3 A.36.2, C.8.13.1 to C.8.13.4."""


def _complete(image: Dataset) -> None:
    """Serial number and version of the equipment; a side has no place in an unpaired body part."""
    image.DeviceSerialNumber, image.SoftwareVersions, image.InstitutionName = "1", "0", "Phantom hospital"
    image.StudyDescription, image.BurnedInAnnotation = "Phantom study", "NO"
    if "Laterality" in image:
        del image.Laterality


def _index_dimensions(image: Dataset) -> None:
    """Frames are ordered by stack and by place within it (PS3.3 C.7.6.17)."""
    organization = uid(f"dimensions of {image.SOPInstanceUID}")
    image.DimensionOrganizationSequence = [item(DimensionOrganizationUID=organization)]
    image.DimensionOrganizationType = "3D"
    image.DimensionIndexSequence = [
        item(
            DimensionIndexPointer=pointer,
            FunctionalGroupPointer=0x00209111,
            DimensionOrganizationUID=organization,
            DimensionDescriptionLabel=label,
        )
        for pointer, label in ((0x00209056, "Stack"), (0x00209057, "Position in stack"))
    ]


def _fill_groups(image: Dataset) -> None:
    """The functional groups of an enhanced MR (PS3.3 Table A.36-2), those of all frames shared."""
    frames: Sequence[Dataset] = image.PerFrameFunctionalGroupsSequence
    shared = image.SharedFunctionalGroupsSequence[0]
    for keyword, value in _shared_groups(image).items():
        setattr(shared, keyword, [value])
    for number, frame in enumerate(frames, 1):
        content = frame.FrameContentSequence[0]
        content.DimensionIndexValues = [1, number]
        content.FrameReferenceDateTime = content.FrameAcquisitionDateTime = "20260304101112"
        content.FrameAcquisitionDuration = 10.0


def _shared_groups(image: Dataset) -> dict[str, Dataset]:
    anatomy = item(FrameLaterality="U", AnatomicRegionSequence=[code(*BRAIN)])
    frame_type = item(FrameType=image.ImageType)
    for keyword in ("PixelPresentation", "VolumetricProperties", "VolumeBasedCalculationTechnique"):
        setattr(frame_type, keyword, image[keyword].value)
    frame_type.ComplexImageComponent, frame_type.AcquisitionContrast = "MAGNITUDE", "T1"
    return {
        "FrameAnatomySequence": anatomy,
        "MRImageFrameTypeSequence": frame_type,
        "FrameVOILUTSequence": item(WindowCenter="3000", WindowWidth="6000"),
        **MR_GROUPS,
    }


MR_GROUPS = {
    "MRTimingAndRelatedParametersSequence": item(
        RepetitionTime=9.0,
        FlipAngle=15.0,
        EchoTrainLength=1,
        RFEchoTrainLength=0,
        GradientEchoTrainLength=1,
        SpecificAbsorptionRateSequence=[
            item(SpecificAbsorptionRateDefinition="IEC_HEAD", SpecificAbsorptionRateValue=0.1)
        ],
        OperatingModeSequence=[item(OperatingModeType="STATIC FIELD", OperatingMode="IEC_NORMAL")],
        GradientOutputType="DB_DT",
        GradientOutput=0.1,
    ),
    "MRFOVGeometrySequence": item(
        InPlanePhaseEncodingDirection="ROW",
        MRAcquisitionFrequencyEncodingSteps=32,
        MRAcquisitionPhaseEncodingStepsInPlane=24,
        MRAcquisitionPhaseEncodingStepsOutOfPlane=6,
        PercentSampling=100.0,
        PercentPhaseFieldOfView=100.0,
    ),
    "MREchoSequence": item(EffectiveEchoTime=4.0),
    "MRModifierSequence": item(
        InversionRecovery="NO",
        FlowCompensation="NONE",
        Spoiling="RF",
        T2Preparation="NO",
        SpectrallySelectedExcitation="NONE",
        SpatialPresaturation="NONE",
        PartialFourier="NO",
        ParallelAcquisition="NO",
    ),
    "MRImagingModifierSequence": item(
        MagnetizationTransfer="NONE",
        BloodSignalNulling="NO",
        Tagging="NONE",
        TransmitterFrequency=127.7,
        PixelBandwidth=200.0,
    ),
    "MRReceiveCoilSequence": item(
        ReceiveCoilName="HEAD", ReceiveCoilManufacturerName="", ReceiveCoilType="VOLUME", QuadratureReceiveCoil="NO"
    ),
    "MRTransmitCoilSequence": item(TransmitCoilName="BODY", TransmitCoilManufacturerName="", TransmitCoilType="BODY"),
    "MRAveragesSequence": item(NumberOfAverages=1.0),
}
"""PS3.3 C.8.13.5."""
