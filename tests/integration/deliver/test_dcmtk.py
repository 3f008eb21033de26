"""Delivery to DCMTK's receivers: a real report to one that knows Comprehensive SR alone."""

import os
import signal
import time
from pathlib import Path

import pytest
from pydicom import dcmread

from dicomnode.deliver.fallback import fallback_of
from dicomnode.deliver.outbox import OutboxObject, post
from dicomnode.deliver.send import Sender, send
from dicomnode.deliver.store import contexts_for, store
from dicomnode.encode.door.dciodvfy import findings, validator_path
from dicomnode.index.database import Index
from dicomnode.peers.associate import association
from dicomnode.peers.faults import Aborted
from dicomnode.values import DeliveryStatus, Role
from tests.dcmtk import served
from tests.integration.encode.test_validators import ANSWERS
from tests.orthanc import free_port, require_program
from tests.peers_made import remote_at
from tests.results_made import EXPLICIT, RUN, SEG, SR_PLAIN, mask, outbox_object

PLAIN_REPORTS_ONLY = """\
[[TransferSyntaxes]]
[Plain]
TransferSyntax1 = LittleEndianImplicit
[[PresentationContexts]]
[Reports]
PresentationContext1 = ComprehensiveSRStorage\\Plain
[[Profiles]]
[Default]
PresentationContexts = Reports
"""


def real_report(answer: str, folder: Path) -> OutboxObject:
    """A report as `encode` makes it."""
    folder.mkdir(exist_ok=True)
    (report,) = [one for one in ANSWERS[answer](folder).made if one.role is not Role.SEG]
    dataset = report.dataset
    return OutboxObject(
        role=report.role,
        sop_class_uid=str(dataset.SOPClassUID),
        sop_instance_uid=str(dataset.SOPInstanceUID),
        series_uid=str(dataset.SeriesInstanceUID),
        study_uid=str(dataset.StudyInstanceUID),
        transfer_syntax_uid=str(dataset.file_meta.TransferSyntaxUID),
        content=report.content,
    )


@pytest.mark.peers("dciodvfy")
@pytest.mark.parametrize("answer", ANSWERS)
def test_a_fallback_is_a_valid_comprehensive_sr(answer: str, tmp_path: Path) -> None:
    copy = fallback_of(real_report(answer, tmp_path).content, lambda _: False)
    program = validator_path()
    assert program is not None

    assert findings(copy.content, program) == []


@pytest.mark.peers("storescp", "cc")
def test_a_receiver_that_knows_comprehensive_sr_alone_gets_the_report(tmp_path: Path, index: Index) -> None:
    port, received = free_port(), tmp_path / "received"
    received.mkdir()
    profile = tmp_path / "storescp.cfg"
    profile.write_text(PLAIN_REPORTS_ONLY)
    program = require_program("storescp")
    command = [program, "-xf", str(profile), "Default", "-od", str(received), str(port)]
    (report,) = post(index, tmp_path, RUN, ["pacs"], [real_report("segmentation of MR", tmp_path / "made")])
    with served(command, tmp_path, port):
        sent = send(Sender(index, tmp_path, remote_at(port, commitment=False)), report)

    (file,) = received.iterdir()
    stored, original = dcmread(file), dcmread(report.path)
    assert sent.status is DeliveryStatus.STORED
    assert (stored.SOPClassUID, stored.SOPInstanceUID) == (SR_PLAIN, sent.result.sop_instance_uid)
    assert stored.file_meta.TransferSyntaxUID.is_implicit_VR
    assert stored.ContentSequence == original.ContentSequence
    assert stored.PatientName == original.PatientName


@pytest.mark.peers("storescp", "cc")
def test_a_plain_receiver_takes_every_result(tmp_path: Path, index: Index) -> None:
    port, received = free_port(), tmp_path / "received"
    received.mkdir()
    (seg,) = post(index, tmp_path, RUN, ["pacs"], [outbox_object(mask(), Role.SEG)])
    with served([require_program("storescp"), "-od", str(received), str(port)], tmp_path, port):
        send(Sender(index, tmp_path, remote_at(port, commitment=False)), seg)

    (file,) = received.iterdir()
    assert dcmread(file) == dcmread(seg.path)


@pytest.mark.peers("storescp", "cc")
def test_a_receiver_that_hangs_while_it_receives_is_given_up_in_time(tmp_path: Path, index: Index) -> None:
    port = free_port()
    (seg,) = post(index, tmp_path, RUN, ["pacs"], [outbox_object(mask(frames=2_000_000), Role.SEG)])  # 16 MB
    remote = remote_at(port, timeout_s=1)
    command = [require_program("storescp"), "-od", str(tmp_path), str(port)]
    with served(command, tmp_path, port) as pid, association(remote, contexts_for(SEG, EXPLICIT)) as opened:
        os.kill(pid, signal.SIGSTOP)
        begun_s = time.monotonic()
        try:
            with pytest.raises(Aborted):
                store(opened, remote, seg)
        finally:
            os.kill(pid, signal.SIGCONT)

    assert time.monotonic() - begun_s < 30
