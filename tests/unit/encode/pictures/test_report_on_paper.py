"""The PDF: the same bytes each time, fonts embedded, few pages, the patient named."""

import re
import shutil
import subprocess
from io import BytesIO
from pathlib import Path

import pytest
from pydicom import dcmread

from dicomnode.encode.context import Encoded
from dicomnode.encode.results import encode_results
from dicomnode.values import Role
from dicomnode.volume.build import build_volume
from tests.phantom import Subject, mr_series, study_of, write
from tests.phantoms.answers import COULD_NOT, given
from tests.unit.encode.examples import MADE_AT, SEGMENTS, node_of, run_of, segmented, two_boxes

TARO = Subject(patient_name="Yamada^Tarou=山田^太郎=やまだ^たろう")


def pdf_of(one: Encoded) -> bytes:
    """The document as a receiver takes it out."""
    dataset = dcmread(BytesIO(one.content))
    return bytes(dataset.EncapsulatedDocument)[: dataset.EncapsulatedDocumentLength]


def in_japanese(folder: Path) -> bytes:
    study = study_of(write(mr_series(subject=TARO), folder / "received"))
    volume = build_volume(study.series[0], SEGMENTS.series)
    node, run = node_of(folder).model_copy(update={"language": "ja"}), run_of(study)
    answer = segmented(two_boxes(volume.voxels.shape))
    (one,) = encode_results(run, study.series[0], volume, answer, SEGMENTS, node, MADE_AT, objects=(Role.PDF,))
    return pdf_of(one)


def text_of(pdf: bytes, folder: Path) -> str:
    """The words of a PDF in reading order."""
    if shutil.which("pdftotext") is None:
        pytest.skip("pdftotext is not installed (make peers)")
    (folder / "report.pdf").write_bytes(pdf)
    done = subprocess.run(["pdftotext", "-layout", "report.pdf", "-"], cwd=folder, capture_output=True, check=True)
    return done.stdout.decode()


@pytest.mark.parametrize("answer", ["segmentation", "nothing found", COULD_NOT])
def test_the_same_answer_gives_the_same_bytes_on_one_or_two_pages(tmp_path: Path, answer: str) -> None:
    made = [given("axial CT", answer, tmp_path / n, objects=(Role.PDF,)).made for n in "12"]

    assert made[0][0].content == made[1][0].content
    assert len(re.findall(rb"/Type /Page\b(?!s)", pdf_of(made[0][0]))) in (1, 2)


def test_every_font_is_embedded(tmp_path: Path) -> None:
    pdf = in_japanese(tmp_path)
    fonts = set(re.findall(rb"/BaseFont /([\w+-]+)", pdf))

    assert any(b"IPAex" in name for name in fonts)
    assert [name for name in fonts if b"+" not in name] == []  # a subset's tag, so a part of the file
    assert len(re.findall(rb"/FontFile2 ", pdf)) == len(fonts)


@pytest.mark.peers
def test_the_report_names_patient_finding_model_and_what_it_is_not(tmp_path: Path) -> None:
    words = text_of(pdf_of(given("axial CT", "segmentation", tmp_path, objects=(Role.PDF,)).made[0]), tmp_path)

    for part in (
        "Phantom, One", "PHANTOM-1", "Anterior hippocampus", "AI result, not verified. Not for diagnosis alone.",
        "It is no diagnosis", "Device UID", "Position within the head not verified.", "Page 1 of 1",
    ):  # fmt: skip
        assert part in words


@pytest.mark.peers
def test_a_japanese_report_is_japanese_and_names_the_patient_in_kanji(tmp_path: Path) -> None:
    words = text_of(in_japanese(tmp_path), tmp_path)

    assert "山田" in words
    assert "単独で診断に用いないでください" in words


@pytest.mark.peers
def test_what_could_not_be_analysed_says_why(tmp_path: Path) -> None:
    words = text_of(pdf_of(given("axial CT", COULD_NOT, tmp_path, objects=(Role.PDF,)).made[0]), tmp_path)

    assert "Could not analyse: no suitable image series" in words
    assert "No series is a crop of 80 mm or less." in words
    assert "There is no AI result for this study." in words
