"""Coded concepts of the CAD templates (PS3.16 TID 4000 to 4107), by the names that the tables give them."""

from highdicom.sr import CodedConcept


def _dcm(value: str, meaning: str) -> CodedConcept:
    return CodedConcept(value=value, scheme_designator="DCM", meaning=meaning)


def _sct(value: str, meaning: str) -> CodedConcept:
    return CodedConcept(value=value, scheme_designator="SCT", meaning=meaning)


MAMMOGRAPHY_REPORT = _dcm("111036", "Mammography CAD Report")
CHEST_REPORT = _dcm("112000", "Chest CAD Report")

PROCESSING = _dcm("111017", "CAD Processing and Findings Summary")
WITHOUT_FINDINGS = _dcm("111241", "All algorithms succeeded; without findings")
WITH_FINDINGS = _dcm("111242", "All algorithms succeeded; with findings")
NONE_SUCCEEDED = _dcm("111245", "No algorithms succeeded; without findings")
"""CID 6047."""

DETECTIONS = _dcm("111064", "Summary of Detections")
ANALYSES = _dcm("111065", "Summary of Analyses")
SUCCEEDED = _dcm("111222", "Succeeded")
FAILED = _dcm("111224", "Failed")
NOT_ATTEMPTED = _dcm("111225", "Not Attempted")
"""CID 6042."""
SUCCESSFUL_DETECTIONS = _dcm("111063", "Successful Detections")
FAILED_DETECTIONS = _dcm("111025", "Failed Detections")
DETECTION_PERFORMED = _dcm("111022", "Detection Performed")
SERIES = _dcm("112002", "Series Instance UID")

IMPRESSION = _dcm("111034", "Individual Impression/Recommendation")
IMPRESSION_DESCRIPTION = _dcm("111033", "Impression Description")
FINDING = _dcm("111059", "Single Image Finding")
FINDING_MODIFIER = _dcm("112024", "Single Image Finding Modifier")
CERTAINTY = _dcm("111012", "Certainty of Finding")
LOCATION_IN_CHEST = _dcm("112013", "Location in Chest")
FINDING_LATERALITY = _sct("272741003", "Laterality")
CENTER = _dcm("111010", "Center")
OUTLINE = _dcm("111041", "Outline")

INTENT = _dcm("111056", "Rendering Intent")
REQUIRED = _dcm("111150", "Presentation Required: Rendering device is expected to present")
OPTIONAL = _dcm("111151", "Presentation Optional: Rendering device may present")
NOT_FOR_PRESENTATION = _dcm("111152", "Not for Presentation: Rendering device expected not to present")
"""CID 6034."""

ALGORITHM_NAME = _dcm("111001", "Algorithm Name")
ALGORITHM_VERSION = _dcm("111003", "Algorithm Version")
ALGORITHM_PARAMETERS = _dcm("111002", "Algorithm Parameters")
TRACKING_IDENTIFIER = _dcm("112039", "Tracking Identifier")
TRACKING_UID = _dcm("112040", "Tracking Unique Identifier")
DERIVATION = _dcm("121401", "Derivation")

LIBRARY = _dcm("111028", "Image Library")
LATERALITY = _dcm("111027", "Image Laterality")
VIEW = _dcm("111031", "Image View")
VIEW_MODIFIER = _dcm("111032", "Image View Modifier")

RADIOGRAPHIC_ANATOMY = _dcm("112005", "Radiographic anatomy")
ABNORMAL_OPACITY = _dcm("112033", "Abnormal opacity")
ABNORMAL_LINES = _dcm("112061", "Abnormal lines (1D)")
ABNORMAL_LUCENCY = _dcm("112062", "Abnormal lucency")
ABNORMAL_TEXTURE = _dcm("112064", "Abnormal texture")
"""CID 6101."""

BREASTS = {
    "L": _sct("80248007", "Left breast"),
    "R": _sct("73056007", "Right breast"),
    "B": _sct("63762007", "Both breasts"),
}
"""CID 6022, by Image Laterality (0020,0062)."""
SIDES = {"L": _sct("7771000", "Left"), "R": _sct("24028007", "Right"), "B": _sct("51440002", "Bilateral")}
"""CID 244, by the same."""
VIEWS = {"PA": _sct("272479007", "postero-anterior"), "AP": _sct("399348003", "antero-posterior")}
"""CID 4010, by View Position (0018,5101), where an image has no coded view."""
