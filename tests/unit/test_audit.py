"""The audit trail: one line an event, in the terms of the standard, on disk when recorded."""

import json
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from dicomnode.audit import AuditTrail


@pytest.fixture
def trail(tmp_path: Path) -> AuditTrail:
    return AuditTrail(tmp_path / "audit", "DICOMNODE")


def recorded(trail: AuditTrail) -> list[dict]:
    (file,) = trail.folder.iterdir()
    return [json.loads(line) for line in file.read_text().splitlines()]


def test_a_received_study_names_sender_and_study_alone(trail: AuditTrail) -> None:
    trail.received(calling_ae="PACS", address="127.0.0.1", study_uid="1.2.3", instances=40)

    (event,) = recorded(trail)
    assert event["EventIdentification"]["EventID"] == {
        "csd-code": "110104",
        "codeSystemName": "DCM",
        "originalText": "DICOM Instances Transferred",
    }
    assert event["EventIdentification"]["EventActionCode"] == "C"
    sender, receiver = event["ActiveParticipant"]
    assert (sender["UserID"], sender["NetworkAccessPointID"], sender["UserIsRequestor"]) == ("PACS", "127.0.0.1", True)
    assert receiver["UserID"] == "DICOMNODE"
    assert [study["ParticipantObjectID"] for study in event["ParticipantObjectIdentification"]] == ["1.2.3"]
    assert event["AuditSourceIdentification"] == {"AuditSourceID": "DICOMNODE"}


def test_each_kind_of_event_has_its_code(trail: AuditTrail) -> None:
    trail.sent(called_ae="PACS", address="127.0.0.1", study_uid="1.2.3")
    trail.queried(calling_ae="DICOMNODE", called_ae="PACS", address="127.0.0.1")
    trail.refused(calling_ae="STRANGER", address="127.0.0.1", reason="unknown caller")
    trail.exported(by="meier", study_uid="1.2.3", instances=40)
    trail.deleted(study_uid="1.2.3", reason="90 days old")
    trail.commanded(by="meier", command="retry", run_key="ab12", study_uid="1.2.3")
    trail.approved(by="meier", model="hippocampus_mr", digest="ab")
    trail.started("engine")
    trail.stopped("engine")

    codes = [event["EventIdentification"]["EventID"]["csd-code"] for event in recorded(trail)]
    assert codes == ["110104", "110112", "110113", "110106", "110105", "110100", "110113", "110100", "110100"]


def test_who_approved_what_can_be_read_from_the_trail(trail: AuditTrail) -> None:
    trail.approved(by="meier", model="hippocampus_mr", digest="ab12")

    (event,) = recorded(trail)
    assert event["ActiveParticipant"][0]["UserID"] == "meier"
    assert {"type": "digest", "value": "ab12"} in event["ParticipantObjectDetail"]


def test_lines_of_many_writers_do_not_mix(tmp_path: Path) -> None:
    trails = [AuditTrail(tmp_path / "audit", f"NODE{n}") for n in range(4)]
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda n: trails[n % 4].started(f"receive-{n}"), range(80)))

    assert len(recorded(trails[0])) == 80


def test_the_trail_can_be_read_by_its_owner_alone(trail: AuditTrail) -> None:
    trail.started("engine")

    (file,) = trail.folder.iterdir()
    assert (file.stat().st_mode & 0o777, trail.folder.stat().st_mode & 0o777) == (0o600, 0o700)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root writes for another account")
def test_what_root_writes_belongs_to_the_account_of_the_service(tmp_path: Path) -> None:
    os.chown(tmp_path, 12345, 12345)

    AuditTrail(tmp_path / "audit", "DICOMNODE").commanded(by="root", command="backup")

    (file,) = (tmp_path / "audit").iterdir()
    assert {file.stat().st_uid, (tmp_path / "audit").stat().st_uid} == {12345}


def test_a_full_disk_does_not_undo_what_happened(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "audit").write_text("a file where the folder should be, as little use as a full disk")

    AuditTrail(tmp_path / "audit", "DICOMNODE").deleted(study_uid="1.2.3", reason="old")

    assert "audit.unwritten" in capsys.readouterr().out
