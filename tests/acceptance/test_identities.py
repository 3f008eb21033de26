"""From a study that goes all the way, no log, metric or audit line tells who the patient is."""

import json
from pathlib import Path
from urllib.request import urlopen

import pytest
from pydicom import dcmread

from tests.acceptance.bench import Bench, bench
from tests.acceptance.studies_made import crop_files
from tests.orthanc import free_port

pytestmark = [pytest.mark.peers("Orthanc", "storescu"), pytest.mark.timeout(600)]

IDENTITY = {
    "PatientName": "SECRETNAME^GIVEN",
    "PatientID": "SECRET-Q0815Q",  # its number alone is in some fraction of a second, too
    "PatientBirthDate": "19230405",
    "AccessionNumber": "SECRETACC",
    "StudyDescription": "SECRETDESCRIPTION",
    "ReferringPhysicianName": "SECRETDOCTOR",
}
TELLTALE = ("SECRET", "Q0815Q", "19230405", "1923-04-05")


def named_crop(folder: Path) -> str:
    """A crop of a patient with this identity; its Study Instance UID."""
    paths = crop_files(folder)
    for path in paths:
        image = dcmread(path)
        for keyword, value in IDENTITY.items():
            setattr(image, keyword, value)
        image.save_as(path)
    return str(dcmread(paths[0], stop_before_pixels=True).StudyInstanceUID)


def told(text: str) -> list[str]:
    return [line for line in text.splitlines() if any(secret in line for secret in TELLTALE)]


def with_debug_logs_and_a_web_port(made: Bench) -> int:
    port = free_port()
    text = made.node.config_file.read_text()
    assert "[log]" not in text
    assert "[web]" not in text
    made.node.config_file.write_text(f'{text}\n[log]\nlevel = "DEBUG"\n\n[web]\nport = {port}\n')
    return port


def test_no_log_metric_or_audit_line_tells_who_the_patient_is(tmp_path: Path) -> None:
    study = named_crop(tmp_path / "crop")
    with bench(tmp_path) as made:
        web = with_debug_logs_and_a_web_port(made)
        made.node.start("receive", "engine", "gpu", "web")
        made.send(tmp_path / "crop")
        made.wait_until_done()
        shown = made.node.command("status").stdout
        with urlopen(f"http://127.0.0.1:{web}/metrics", timeout=10) as answer:
            metrics = answer.read().decode()

    logs = "".join(path.read_text(errors="replace") for path in made.node.folder.glob("*.log"))
    trail = "".join(path.read_text() for path in (made.node.config.node.state / "audit").iterdir())
    assert [told(text) for text in (logs, metrics, shown, trail)] == [[], [], [], []]
    assert "delivery.stored" in logs
    assert 'dicomnode_runs{model="hippocampus_mr",status="done"} 1.0' in metrics
    require_told_of(trail, study, made.pacs.ae_title)


def require_told_of(trail: str, study: str, pacs: str) -> None:
    """The audit trail knows who sent the study, and to whom its results went."""
    events = [json.loads(line) for line in trail.splitlines()]
    transfers = [
        tuple(one["UserID"] for one in event["ActiveParticipant"])
        for event in events
        if event["EventIdentification"]["EventID"]["csd-code"] == "110104"
        if study in [about["ParticipantObjectID"] for about in event["ParticipantObjectIdentification"]]
    ]
    assert (pacs, "DICOMNODE") in transfers
    assert transfers.count(("DICOMNODE", pacs)) == 2  # SEG and SR
