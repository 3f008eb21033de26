"""Models that the gallery's phantoms are answered for."""

from dicomnode.bundles.dicom_toml import About, Code, DicomToml, Finding, Kind, Segment, SeriesRules

ANATOMY = Code(value="123037004", scheme="SCT", meaning="Anatomical Structure")
ABNORMAL = Code(value="49755003", scheme="SCT", meaning="Morphologically Abnormal Structure")
LEFT = Code(value="7771000", scheme="SCT", meaning="Left")
RIGHT = Code(value="24028007", scheme="SCT", meaning="Right")


def sct(value: str, meaning: str) -> Code:
    return Code(value=value, scheme="SCT", meaning=meaning)


def organ(
    index: int, label: str, value: str, cielab: tuple[float, float, float], laterality: Code | None = None
) -> Segment:
    code = sct(value, label)
    return Segment(
        index=index, label=label, category=ANATOMY, type=code, region=code, laterality=laterality, cielab=cielab
    )


ABDOMEN = DicomToml(
    model=About(
        name="abdomen_ct",
        kind=Kind.SEGMENTATION,
        title="Abdominal organs CT",
        intended_use="Research: volumes of abdominal organs in CT. Not for clinical use.",
        procedure=Code(value="77477000", scheme="SCT", meaning="Computed tomography"),
        site=sct("818983003", "Abdomen"),
        statements=("Evaluated on phantoms only.",),
    ),
    series=SeriesRules(modalities=("CT",)),
    segments=(
        organ(1, "Liver", "10200004", (56, 32, 34)),
        organ(2, "Spleen", "78961009", (62, 42, -20)),
        organ(3, "Kidney", "64033007", (74, 12, 66), RIGHT),
        organ(4, "Kidney", "64033007", (78, -40, 40), LEFT),
        organ(5, "Aorta", "15825003", (66, 52, 22)),
        organ(6, "Pancreas", "15776009", (70, -10, -40)),
    ),
)
NODULE = sct("427359005", "Solitary nodule of lung")
CHEST = DicomToml(
    model=About(
        name="lung_nodules_ct",
        kind=Kind.DETECTION,
        title="Lung nodules CT",
        intended_use="Research: finds lung nodules of 4 mm and more in CT. Not for clinical use.",
        procedure=Code(value="169069000", scheme="SCT", meaning="CT of chest"),
        site=sct("39607008", "Lung"),
        statements=("Evaluated on phantoms only.",),
    ),
    series=SeriesRules(modalities=("CT",)),
    findings=(Finding(index=0, concept=NODULE, site=sct("39607008", "Lung"), threshold=0.5),),
)
HEAD = DicomToml(
    model=About(
        name="head_mr",
        kind=Kind.SEGMENTATION,
        title="Ventricles and lesions MR",
        intended_use="Research: outlines ventricles and bright lesions in MR of the head. Not for clinical use.",
        procedure=Code(value="816077007", scheme="SCT", meaning="Magnetic resonance imaging of brain"),
        site=sct("12738006", "Brain"),
        statements=("Evaluated on phantoms only.",),
    ),
    series=SeriesRules(modalities=("MR",)),
    segments=(
        organ(1, "Lateral ventricles", "35764002", (70, -22, -36)),
        Segment(
            index=2,
            label="Bright lesion",
            category=ABNORMAL,
            type=sct("52988006", "Lesion"),
            region=sct("12738006", "Brain"),
            cielab=(76, 30, 66),
            lesions=True,
        ),
    ),
)
BREAST = DicomToml(
    model=About(
        name="breast_mg",
        kind=Kind.CLASSIFICATION,
        title="Mammography mass",
        intended_use="Research: probability of a mass on one mammogram. Not for clinical use.",
        procedure=Code(value="71651007", scheme="SCT", meaning="Mammography"),
        site=sct("76752008", "Breast"),
        statements=("Evaluated on phantoms only.",),
    ),
    series=SeriesRules(modalities=("MG",), dimensions=2),
    findings=(
        Finding(index=0, concept=sct("4147007", "Mass"), site=sct("76752008", "Breast"), threshold=0.35),
        Finding(index=1, concept=sct("129748009", "Calcification"), site=sct("76752008", "Breast"), threshold=0.4),
    ),
)
