"""The ten inputs of the gallery and what a model says of each."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image
from pydicom import Dataset

from dicomnode.bundles.approval import version_of
from dicomnode.bundles.dicom_toml import DicomToml, load_dicom_toml
from dicomnode.config.tables import Infer, ModelSetting, Node
from dicomnode.demo.radiograph import radiograph
from dicomnode.encode.context import Encoded
from dicomnode.encode.door import require_valid
from dicomnode.encode.results import could_not_analyse, encode_results
from dicomnode.infer.predict import Predictor
from dicomnode.values import (
    Classification,
    Detection,
    DomainAnswer,
    FindingScore,
    Lesion,
    Predecessor,
    Prediction,
    Role,
    Segmentation,
)
from dicomnode.volume.build import build_volume
from tests.gallery import models
from tests.gallery.bodies import ABDOMEN, BRAIN, HEAD, TORSO, breast, made
from tests.gallery.bodies import CHEST as LUNGS
from tests.msd import msd_case
from tests.phantom import OBLIQUE, SAGITTAL, Subject, ct_series, dx_image, enhanced, mr_series, study_of, write
from tests.unit.encode.examples import MADE_AT, run_of

REPO = Path(__file__).parents[2]
HIPPOCAMPUS, CHEST = REPO / "models" / "hippocampus_mr", REPO / "models" / "chest_xray_pneumonia"
RADIOGRAPHS = REPO / "tests" / "data" / "chest_xray" / "images"
PICTURES = (Role.SC, Role.PDF)
INSIDE = DomainAnswer(inside=True)
SIEGFRIED = Subject(patient_id="G-1001", patient_name="Muster^Erika", birth_date="19580412", sex="F", age="067Y")
TARO = Subject(patient_id="G-1002", patient_name="Yamada^Tarou=山田^太郎=やまだ^たろう", birth_date="19490101", sex="M")


@dataclass(frozen=True)
class Exhibit:
    """One input of the gallery."""

    name: str
    title: str
    make: Callable[[Path], tuple[Encoded, ...]]


def said(
    images: Sequence[Dataset],
    folder: Path,
    rules: DicomToml,
    answer: Prediction | Callable[..., Prediction],
    language: str = "en",
    **run_changes: object,
) -> tuple[Encoded, ...]:
    """Picture and report of what a model says of images."""
    for image in images:
        image.StudyDescription = image.get("StudyDescription") or "Phantom study"
    study = study_of(write(images, folder / "received"))
    series = study.series[0]
    volume = build_volume(series, rules.series)
    prediction = answer(volume, series) if callable(answer) else answer
    node = Node(state=folder / "state", institution="Phantom Hospital", language=language)  # type: ignore[arg-type]
    run = run_of(study, rules, **run_changes)
    results = encode_results(run, series, volume, prediction, rules, node, MADE_AT, objects=PICTURES)
    require_valid(results, run, series, rules)
    return results


def asked(bundle: Path, **setting: object) -> Callable[..., Prediction]:
    """What a bundle of this repository says."""

    def answer(volume, series) -> Prediction:
        with Predictor(Infer(threads=1)) as predictor:
            return predictor.predict(
                version_of(bundle),
                volume,
                series.first,
                ModelSetting(timeout_s=250, **setting),  # type: ignore[arg-type]
            )

    return answer


def abdomen(folder: Path, language: str = "en", subject: Subject = SIEGFRIED) -> tuple[Encoded, ...]:
    values, labels = made(TORSO, ABDOMEN, -1000, 14)
    images = ct_series(
        values=np.clip(values, -1024, None),
        spacing_mm=5,
        pixel_mm=(1.1, 1.1),
        origin=(-193, -158, -72),
        name="Abdomen 5 mm",
        subject=subject,
    )
    for image in images:
        image.WindowCenter, image.WindowWidth = ["40", "-600"], ["400", "1500"]
    return said(images, folder, models.ABDOMEN, Prediction(Segmentation(labels), INSIDE, "cpu"), language)


def nodules(folder: Path) -> tuple[Encoded, ...]:
    values, _ = made(TORSO, LUNGS, -1000, 14, seed=9)
    images = ct_series(
        values=np.clip(values, -1024, None), spacing_mm=5, pixel_mm=(1.1, 1.1), origin=(-193, -158, -72),
        name="Chest 5 mm", subject=SIEGFRIED,
    )  # fmt: skip
    for image in images:
        image.WindowCenter, image.WindowWidth = "-600", "1500"
    lesions = (
        Lesion(0, 0.93, ((16.0, 21.0), (113.0, 132.0), (79.0, 98.0))),
        Lesion(0, 0.64, ((7.0, 10.0), (165.0, 178.0), (253.0, 266.0))),
    )
    return said(images, folder, models.CHEST, Prediction(Detection(lesions), INSIDE, "cpu"))


def oblique(folder: Path) -> tuple[Encoded, ...]:
    values, labels = made(HEAD, BRAIN, 12, 11)
    images = mr_series(
        values=np.clip(values, 0, None), spacing_mm=4, pixel_mm=(0.9, 0.9), orientation=OBLIQUE, name="T2 oblique",
        subject=SIEGFRIED,
    )  # fmt: skip
    answer = Segmentation(labels, uncertainty={1: 0.08, 2: 0.21})
    earlier = Predecessor("1.2.3", "1.2.840.10008.5.1.4.1.1.88.34", "1.2.3.4")
    return said(
        images, folder, models.HEAD, Prediction(answer, INSIDE, "cpu"), predecessors=(earlier,), is_revision=True
    )


def enhanced_mr(folder: Path) -> tuple[Encoded, ...]:
    values, labels = made(HEAD, BRAIN, 12, 11, seed=3)
    images = mr_series(
        values=np.clip(values, 0, None), spacing_mm=4, pixel_mm=(0.9, 0.9), orientation=SAGITTAL, subject=SIEGFRIED
    )
    one = enhanced(images, name="3D FLAIR", reverse_frames=True, subject=SIEGFRIED)
    labels = np.where(labels == 1, 0, labels).astype(np.uint8)
    answer = Segmentation(labels)
    return said([one], folder, models.HEAD, Prediction(answer, INSIDE, "cpu"))


def hippocampus(folder: Path, language: str = "en", subject: Subject | None = None) -> tuple[Encoded, ...]:
    images = msd_case("hippocampus_036").series()
    for image in images if subject else ():
        image.SpecificCharacterSet = "ISO_IR 192"
        image.PatientName, image.PatientID = subject.patient_name, subject.patient_id
        image.PatientBirthDate, image.PatientSex = subject.birth_date, subject.sex
    return said(images, folder, load_dicom_toml(HIPPOCAMPUS), asked(HIPPOCAMPUS), language)


def chest(folder: Path, name: str, language: str = "en", age: str = "003Y", **setting: object) -> tuple[Encoded, ...]:
    image = radiograph(np.asarray(Image.open(RADIOGRAPHS / name).convert("L")), name)
    image.PatientAge = age
    del image.ImagerPixelSpacing  # a placeholder in these data: no scale follows from it
    if age != "003Y":
        image.PatientBirthDate = ""
    return said([image], folder, load_dicom_toml(CHEST), asked(CHEST, saliency=True, **setting), language)


def mammogram(folder: Path) -> tuple[Encoded, ...]:
    values = breast()
    image = dx_image(values=values, view="CC", name="MG CC", subject=SIEGFRIED)
    image.SOPClassUID = image.file_meta.MediaStorageSOPClassUID = "1.2.840.10008.5.1.4.1.1.1.2"
    image.Modality, image.BodyPartExamined = "MG", "BREAST"
    image.PixelSpacing = image.ImagerPixelSpacing = ["0.28", "0.28"]
    j, i = np.indices(values.shape)
    saliency = np.exp(-(((i - 232) / 52) ** 2) - ((j - 302) / 46) ** 2).astype(np.float32)
    scores = (FindingScore(0, 0.71, 0.06, True), FindingScore(1, 0.08, 0.02, False))
    answer = Classification(scores, saliency[None])
    return said([image], folder, models.BREAST, Prediction(answer, INSIDE, "cpu"))


def nothing(folder: Path) -> tuple[Encoded, ...]:
    values, _ = made(HEAD, BRAIN[:4], 12, 11, seed=5)
    images = mr_series(
        values=np.clip(values, 0, None), spacing_mm=4, pixel_mm=(0.9, 0.9), name="T2 axial", subject=SIEGFRIED,
        origin=(-93, -115, -54),
    )  # fmt: skip
    answer = Segmentation(np.zeros(values.shape, np.uint8))
    return said(images, folder, models.HEAD, Prediction(answer, INSIDE, "cpu"))


def could_not(folder: Path) -> tuple[Encoded, ...]:
    images = mr_series(slices=20, rows=64, columns=64, spacing_mm=2, name="T1 sagittal", subject=SIEGFRIED)
    study = study_of(write([*images[:9], *images[10:]], folder / "received"))
    reason = "a slice is missing: no image between 16.00 and 20.00 mm along the stack"
    node = Node(state=folder / "state", institution="Phantom Hospital")
    run = run_of(study, models.HEAD)
    results = could_not_analyse(
        run, study.series[0], reason, models.HEAD, node, MADE_AT, family="SeriesRefused", objects=PICTURES
    )
    require_valid(results, run, study.series[0], models.HEAD)
    return results


PNEUMONIA, NORMAL = "train_person1897_bacteria_4789.jpeg", "train_NORMAL2-IM-0516-0001.jpeg"
EXHIBITS = (
    Exhibit("01_ct_organs", "Axial CT with organs (phantom)", abdomen),
    Exhibit("02_mr_oblique", "Oblique MR, a revision (phantom)", oblique),
    Exhibit("03_mr_hippocampus", "Hippocampus (Medical Segmentation Decathlon)", hippocampus),
    Exhibit("04_mr_enhanced", "Enhanced multi-frame MR, sagittal (phantom)", enhanced_mr),
    Exhibit("05_dx_positive", "Chest radiograph, pneumonia suspected", lambda f: chest(f, PNEUMONIA)),
    Exhibit("06_dx_negative_de", "Chest radiograph, nothing found, in German", lambda f: chest(f, NORMAL, "de")),
    Exhibit("07_dx_outside", "Chest radiograph, outside the domain", lambda f: chest(f, PNEUMONIA, age="034Y")),
    Exhibit(
        "08_dx_research",
        "The same under the research override",
        lambda f: chest(f, PNEUMONIA, age="034Y", research_outside_domain=True),
    ),
    Exhibit("09_mg", "Mammogram (phantom)", mammogram),
    Exhibit("10_nothing_found", "Nothing found (phantom)", nothing),
    Exhibit("11_could_not", "Could not analyse", could_not),
    Exhibit("12_mr_japanese", "Hippocampus, Japanese", lambda f: hippocampus(f, "ja", TARO)),
    Exhibit("13_ct_nodules", "Nodules detected in CT (phantom)", nodules),
)
