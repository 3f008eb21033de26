"""What happens to a study before and after: a prior at the PACS is compared with, rejected images are withdrawn."""

import io
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from highdicom.ko import KeyObjectSelection, KeyObjectSelectionDocument
from highdicom.sr import CodedConcept
from pydicom import Dataset, dcmread, dcmwrite

from dicomnode.encode.door.items import tree
from dicomnode.index.schema import DeliveryRow
from dicomnode.values import DeliveryStatus
from tests.acceptance.bench import Bench, bench
from tests.acceptance.studies_made import crop_series
from tests.orthanc import require_program
from tests.phantom import uid

pytestmark = [pytest.mark.peers("Orthanc", "storescu", "storescp"), pytest.mark.timeout(900)]
PARTS = ("receive", "engine", "gpu")


@pytest.fixture
def pair(tmp_path: Path) -> Iterator[Bench]:
    with bench(tmp_path, prior=True) as made:
        yield made


def study_files(folder: Path, number: int, date: str) -> list[Dataset]:
    """One crop as a study of one patient on a day."""
    folder.mkdir()
    images = crop_series(number, f"study of {date}")
    for n, image in enumerate(images):
        image.PatientID, image.PatientBirthDate, image.PatientSex = "OVER-TIME", "19600102", "F"
        image.StudyDate, image.StudyTime = date, "101500"
        dcmwrite(folder / f"{n:03d}.dcm", image, enforce_file_format=True)
    return images


def objects(made: Bench, modality: str) -> list[Dataset]:
    """What the PACS holds of one modality."""
    ids = [facts["id"] for facts in made.pacs.instances().values() if facts["Modality"] == modality]
    return [dcmread(io.BytesIO(made.pacs.file(one))) for one in ids]


def test_a_prior_at_the_pacs_is_compared_with_and_rejected_images_take_their_results_along(
    pair: Bench, tmp_path: Path
) -> None:
    study_files(tmp_path / "then", 0, "20250301")
    pair.send(tmp_path / "then")  # before the node runs: it never reaches it by itself
    now = study_files(tmp_path / "now", 1, "20260304")
    pair.node.start(*PARTS)
    pair.send(tmp_path / "now")
    pair.wait_until_done(2)  # the prior's run besides, which is sent nowhere

    (report,) = objects(pair, "SR")
    said = " ".join(str(item.TextValue) for _, item in tree(report) if item.ValueType == "TEXT")
    assert report.StudyInstanceUID == now[0].StudyInstanceUID
    assert said.count("in the study of 2025-03-01") == 2  # anterior and posterior

    content = KeyObjectSelection(CodedConcept("113001", "DCM", "Rejected for Quality Reasons"), now)
    note = KeyObjectSelectionDocument(now, content, uid("note series"), 99, uid("note"), 1, manufacturer="PACS")
    dcmwrite(tmp_path / "note.dcm", note, enforce_file_format=True)
    where = ["127.0.0.1", str(pair.node.port), str(tmp_path / "note.dcm")]
    subprocess.run([require_program("storescu"), "-aec", "DICOMNODE", *where], check=True, capture_output=True)
    pair.wait(lambda: bool(objects(pair, "KO")), "the rejection note to reach the PACS")

    (withdrawn,) = objects(pair, "KO")
    evidence = withdrawn.CurrentRequestedProcedureEvidenceSequence[0].ReferencedSeriesSequence
    named = {item.ReferencedSOPInstanceUID for series in evidence for item in series.ReferencedSOPSequence}
    assert named == {one.SOPInstanceUID for modality in ("SEG", "SR") for one in objects(pair, modality)}
    rows = {row.sop_instance_uid: row.status for row in pair.node.rows(DeliveryRow)}
    assert rows[withdrawn.SOPInstanceUID] in (DeliveryStatus.SENT, DeliveryStatus.COMMITTED)
    assert {rows[uid] for uid in named} <= {DeliveryStatus.COMMITTED, DeliveryStatus.WITHDRAWN}
