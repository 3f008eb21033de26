"""Projection images that conform to their IOD in every attribute: a radiograph and a mammogram.

Pixel (row j, column i) is 10 j + i, as in `tests.phantom`.
"""

from pydicom import Dataset

from tests.phantom import SUBJECT, Subject, dx_image, numbers
from tests.phantoms.items import code

MG = "1.2.840.10008.5.1.4.1.1.1.2"
"""Digital Mammography X-Ray Image Storage - For Presentation."""


def dx(subject: Subject = SUBJECT) -> list[Dataset]:
    """A radiograph of the chest, postero-anterior, 40 by 32 pixels of 0.7 mm."""
    image = dx_image(rows=40, columns=32, view="PA", subject=subject)
    _complete(image)
    image.AnatomicRegionSequence = [code("51185008", "SCT", "Chest")]
    image.ViewCodeSequence = [code("399348003", "SCT", "postero-anterior")]
    image.ViewCodeSequence[0].ViewModifierCodeSequence = []
    image.PixelSpacing = image.ImagerPixelSpacing = ["0.7", "0.7"]
    image.PositionerType, image.KVP = "NONE", "120"
    return [image]


def mg(subject: Subject = SUBJECT) -> list[Dataset]:
    """A mammogram of the left breast, cranio-caudal, 48 by 40 pixels of 0.1 mm (PS3.3 A.27, C.8.11.7)."""
    female = Subject(**(vars(subject) | {"sex": "F"}))
    image = dx_image(view="CC", name="MG 1", subject=female, values=numbers(1, 48, 40)[0])
    _complete(image)
    image.SOPClassUID = image.file_meta.MediaStorageSOPClassUID = MG
    image.Modality, image.BodyPartExamined = "MG", "BREAST"
    image.ImageType = ["ORIGINAL", "PRIMARY", ""]
    image.ImageLaterality, image.PatientOrientation, image.OrganExposed = "L", ["A", "R"], "BREAST"
    image.AnatomicRegionSequence = [code("76752008", "SCT", "Breast")]
    image.ViewCodeSequence = [code("399162004", "SCT", "cranio-caudal")]
    image.ViewCodeSequence[0].ViewModifierCodeSequence = []
    image.ImagerPixelSpacing, image.PixelSpacing = ["0.1", "0.1"], ["0.1", "0.1"]
    image.PositionerType, image.PositionerPrimaryAngle = "MAMMOGRAPHIC", "0"
    image.BreastImplantPresent, image.PartialView = "NO", "NO"
    image.KVP, image.DistanceSourceToDetector, image.DistanceSourceToPatient = "28", "660", "640"
    image.EstimatedRadiographicMagnificationFactor, image.AnodeTargetMaterial = "1.03125", "MOLYBDENUM"
    image.FilterMaterial, image.FilterType, image.CompressionForce, image.BodyPartThickness = (
        "MOLYBDENUM",
        "NONE",
        "80",
        "50",
    )
    del image.ViewPosition  # the view is coded
    return [image]


def _complete(image: Dataset) -> None:
    """What the DX image, detector and acquisition context modules ask for (PS3.3 C.8.11)."""
    del image.Laterality
    del image.PatientPosition
    image.DeviceSerialNumber, image.SoftwareVersions, image.InstitutionName = "1", "0", "Phantom hospital"
    image.StudyDescription, image.BurnedInAnnotation, image.LossyImageCompression = "Phantom study", "NO", "00"
    image.ImageType = ["ORIGINAL", "PRIMARY", ""]
    image.PixelIntensityRelationship, image.PixelIntensityRelationshipSign = "LOG", -1
    image.PresentationLUTShape, image.DetectorType, image.DetectorID = "IDENTITY", "DIRECT", "1"
    image.PixelSpacingCalibrationType = "GEOMETRY"
    image.PixelSpacingCalibrationDescription = "in the plane of the detector"
    image.WindowCenter, image.WindowWidth = "200", "400"
    image.AcquisitionContextSequence = []
