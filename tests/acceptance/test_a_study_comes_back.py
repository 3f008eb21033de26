"""storescu → Orthanc → auto-route → node → SEG and SR in Orthanc → committed; with kills on the way."""

import io
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydicom import dcmread

from dicomnode.demo.studies import DemoStudy, demo_studies
from dicomnode.index.schema import DeliveryRow, InstanceRow, ResultRow, RunRow
from dicomnode.values import DeliveryStatus, RunStatus
from tests.acceptance.config_made import config_text
from tests.acceptance.node import REPO, NodeUnderTest, node, wait_for
from tests.orthanc import Orthanc, free_port, orthanc, require_program

pytestmark = [pytest.mark.peers("Orthanc", "storescu"), pytest.mark.timeout(600)]
WORK_S = 180.0


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[tuple[Orthanc, NodeUnderTest]]:
    """A PACS that routes to a node, and the node, with nothing of it running."""
    port = free_port()
    (tmp_path / "pacs").mkdir()
    (tmp_path / "node").mkdir()
    with orthanc(tmp_path / "pacs", node_port=port) as pacs:
        text = config_text(port, pacs.dicom_port)
        with node(tmp_path / "node", port, text, ("hippocampus_mr",)) as under_test:
            yield pacs, under_test


@pytest.fixture
def crop(tmp_path: Path) -> DemoStudy:
    """One study of the repo's own: a crop of the hippocampus."""
    return demo_studies(REPO / "tests" / "data", tmp_path / "images")[0]


def sent(study: DemoStudy, pacs: Orthanc) -> None:
    """Send a study to the PACS as a modality does."""
    program = require_program("storescu")
    folder = study.files[0].parent
    subprocess.run(
        [program, "+sd", "-aet", "MODALITY", "-aec", pacs.ae_title, "127.0.0.1", str(pacs.dicom_port), str(folder)],
        check=True,
        capture_output=True,
    )


def routed_again(pacs: Orthanc) -> bool:
    """Send every image in the PACS to the node, as a person does: Orthanc does not repeat a transfer that broke."""
    images = [series for series in pacs.get("/series?expand") if series["MainDicomTags"]["Modality"] == "MR"]
    try:
        pacs.post("/modalities/node/store", {"Resources": [series["ID"] for series in images]})
    except AssertionError:  # the receiver is not back yet
        return False
    return True


def is_done(under_test: NodeUnderTest, runs: int = 1) -> bool:
    rows = under_test.rows(RunRow)
    assert not any(row.status == RunStatus.PARKED for row in rows), [row.reason for row in rows]
    return sum(row.status == RunStatus.DONE for row in rows) == runs


def results_at(pacs: Orthanc) -> dict[str, list[str]]:
    """SOP Instance UIDs in the PACS by modality, the images left out."""
    found: dict[str, list[str]] = {}
    for uid, facts in pacs.instances().items():
        if facts["Modality"] != "MR":
            found.setdefault(facts["Modality"], []).append(uid)
    return found


def test_a_routed_study_comes_back_as_one_seg_and_one_sr_and_is_committed(
    bench: tuple[Orthanc, NodeUnderTest], crop: DemoStudy
) -> None:
    pacs, under_test = bench
    under_test.start("receive", "engine", "gpu")

    sent(crop, pacs)
    wait_for(lambda: is_done(under_test), "the run to be done", WORK_S, under_test)

    assert {kind: len(uids) for kind, uids in results_at(pacs).items()} == {"SEG": 1, "SR": 1}
    assert {row.status for row in under_test.rows(DeliveryRow)} == {DeliveryStatus.COMMITTED}
    for facts in pacs.instances().values():
        back = dcmread(io.BytesIO(pacs.file(facts["id"])), stop_before_pixels=True)
        assert (back.StudyInstanceUID, back.PatientID) == (crop.study_uid, dcmread(crop.files[0]).PatientID)


def test_a_study_survives_a_kill_inside_every_step_and_comes_back_once(
    bench: tuple[Orthanc, NodeUnderTest], crop: DemoStudy, tmp_path: Path
) -> None:
    pacs, under_test = bench
    points = ("row:record", "inside:begin", "inside:analyse", "inside:report", "inside:send", "after:send")
    happened = tmp_path / "happened"
    happened.mkdir()
    under_test.crash_at(points, happened)
    with under_test.kept_running("receive", "engine", "gpu"):
        sent(crop, pacs)
        wait_for(lambda: all((happened / p).exists() for p in points[:1]), "the receiver to die", WORK_S, under_test)
        wait_for(lambda: routed_again(pacs), "the PACS to send the study again", WORK_S, under_test)
        wait_for(lambda: is_done(under_test), "the run to be done", WORK_S, under_test)

    assert {path.name for path in happened.iterdir()} == set(points)
    assert {kind: len(uids) for kind, uids in results_at(pacs).items()} == {"SEG": 1, "SR": 1}
    assert len(under_test.rows(ResultRow)) == 2
    kept = [row for row in under_test.rows(InstanceRow) if not row.own_result]
    assert len(kept) == len(crop.files)
    assert all((under_test.config.node.state / row.file).is_file() for row in kept)
