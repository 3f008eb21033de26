"""Coded concepts that results carry: the standard's where it has one, else ours (99DICOMNODE)."""

from highdicom.coding_schemes import CodingSchemeIdentificationItem
from highdicom.sr import CodedConcept

from dicomnode.bundles.dicom_toml import Code
from dicomnode.encode.language import NAMES

SCHEME = "99DICOMNODE"


def coded(code: Code) -> CodedConcept:
    """A concept of dicom.toml as highdicom takes it."""
    return CodedConcept(value=code.value, scheme_designator=code.scheme, meaning=code.meaning)


def ours(value: str, meaning: str) -> CodedConcept:
    """A concept of our own."""
    return CodedConcept(value=value, scheme_designator=SCHEME, meaning=meaning)


def _dcm(value: str, meaning: str) -> CodedConcept:
    return CodedConcept(value=value, scheme_designator="DCM", meaning=meaning)


def _sct(value: str, meaning: str) -> CodedConcept:
    return CodedConcept(value=value, scheme_designator="SCT", meaning=meaning)


def _ucum(value: str, meaning: str) -> CodedConcept:
    return CodedConcept(value=value, scheme_designator="UCUM", meaning=meaning)


LANGUAGES = {
    language: CodedConcept(value=language, scheme_designator="RFC5646", meaning=name)
    for language, name in NAMES.items()
}
"""What a report, or a sentence of it, is written in (CID 5000 is extensible)."""
LANGUAGE_OF_ITEM = _dcm("121049", "Language of Content Item and Descendants")

MEASUREMENT_REPORT = _dcm("126000", "Imaging Measurement Report")
"""Title where there are contours: viewers jump to them (CID 7021)."""
AI_RESULT = ours("AI_RESULT", "AI result, not verified")
"""Title where there is nothing to draw: viewers show it as readable text (CID 7021 is extensible)."""

QUALITATIVE_EVALUATIONS = CodedConcept(value="C0034375", scheme_designator="UMLS", meaning="Qualitative Evaluations")
SUMMARY = _dcm("121111", "Summary")
COMMENT = _dcm("121106", "Comment")
REASON = ours("REASON", "Reason")
INTENDED_USE = ours("INTENDED_USE", "Intended use")

MILLILITRE = _ucum("ml", "milliliter")
MILLIMETRE = _ucum("mm", "millimeter")
SQUARE_MILLIMETRE = _ucum("mm2", "square millimeter")
PERCENT = _ucum("%", "percent")
NO_UNITS = _ucum("1", "no units")
HOUNSFIELD = _ucum("[hnsf'U]", "Hounsfield unit")
ARBITRARY = _ucum("[arb'U]", "arbitrary unit")
BECQUEREL_PER_ML = _ucum("Bq/ml", "Becquerels/milliliter")
GRAM_PER_ML_BW = _ucum("g/ml{SUVbw}", "Standardized Uptake Value body weight")
GRAM_PER_ML_LBM = _ucum("g/ml{SUVlbm}", "Standardized Uptake Value lean body mass (James)")

VOLUME = _sct("118565006", "Volume")
AREA = _sct("42798000", "Area")
DIAMETER = _sct("81827009", "Diameter")
LONG_AXIS = _sct("103339001", "Long Axis")
SHORT_AXIS = _sct("103340004", "Short Axis")
"""Within the slice that is shown (CID 7470); viewers look for these very meanings."""
MAXIMUM = _sct("56851009", "Maximum")
MINIMUM = _sct("255605001", "Minimum")
MEAN = _sct("373098007", "Mean")
STANDARD_DEVIATION = _sct("386136009", "Standard Deviation")
ATTENUATION = _dcm("112031", "Attenuation Coefficient")
MR_SIGNAL = _dcm("110852", "MR signal intensity")
ACTIVITY = _dcm("110821", "Nuclear Medicine Tomographic Activity")
SUV_BW = _dcm("126401", "SUVbw")
SUV_LBM = _dcm("126402", "SUVlbm")
PIXEL_VALUE = ours("PIXEL_VALUE", "Pixel value")
CENTRE = tuple(
    ours(f"CENTRE_{axis}", f"Centre, {axis} towards the patient's {side}")
    for axis, side in (("X", "left"), ("Y", "back"), ("Z", "head"))
)
"""Centre of mass in the frame of reference; the standard has it as SCOORD3D alone (128138, DCM)."""
VOXEL_UNCERTAINTY = ours("UNCERTAINTY", "Uncertainty of the outline (0 sure, 1 unsure)")

PROBABILITY = _dcm("122157", "Probability")
DECISION_THRESHOLD = ours("THRESHOLD", "Decision threshold")

PRESENCE = _dcm("121052", "Presence of property")
PRESENT = _sct("52101004", "Present")
ABSENT = _sct("272519000", "Absent")

ANALYSES = _dcm("111065", "Summary of Analyses")
SUCCEEDED = _dcm("111222", "Succeeded")
FAILED = _dcm("111224", "Failed")
ANALYSIS = ours("ANALYSIS", "Automated image analysis")

DOMAIN = ours("DOMAIN", "Suitability of the input")
WITHIN_DOMAIN = ours("WITHIN", "Within the evaluated domain")
OUTSIDE_DOMAIN = ours("OUTSIDE", "Outside the evaluated domain")
RESEARCH_USE = ours("RESEARCH", "Outside the evaluated domain: research use")


def coding_schemes() -> list[CodingSchemeIdentificationItem]:
    """Who is responsible for our own codes (PS3.3 C.12.1.1 Coding Scheme Identification Sequence)."""
    return [
        CodingSchemeIdentificationItem(
            designator=SCHEME, name="Concepts of dicomnode results", responsible_organization="dicomnode"
        )
    ]
