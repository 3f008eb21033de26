"""storescu → Orthanc → auto-route → node → SEG and SR in Orthanc → committed; with kills and outages on the way."""

import io
import os
import random
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydicom import Dataset, dcmread

from dicomnode.index.schema import DeliveryRow, InstanceRow, ResultRow
from dicomnode.values import DeliveryStatus, RunStatus
from tests.acceptance.bench import Bench, bench
from tests.acceptance.studies_made import crop_files, drawn_ml
from tests.orthanc import free_port, loopback_only, require_program

pytestmark = [pytest.mark.peers("Orthanc", "storescu", "storescp"), pytest.mark.timeout(900)]
KILLS, STUDIES = 50, 30
PARTS = ("receive", "engine", "gpu")


@pytest.fixture
def pair(tmp_path: Path) -> Iterator[Bench]:
    with bench(tmp_path) as made:
        yield made


def study_uid(paths: list[Path]) -> str:
    return str(dcmread(paths[0], stop_before_pixels=True).StudyInstanceUID)


def volumes_ml(item: Dataset) -> Iterator[float]:
    """Every number in millilitres of a report."""
    for part in item.get("ContentSequence", ()):
        for value in part.get("MeasuredValueSequence", ()):
            if value.MeasurementUnitsCodeSequence[0].CodeValue == "ml":
                yield float(value.NumericValue)
        yield from volumes_ml(part)


def require_all_kept(made: Bench, images: int) -> None:
    """Every acknowledged instance is on disk."""
    kept = [row for row in made.node.rows(InstanceRow) if not row.own_result]
    assert len(kept) == images
    assert all((made.node.config.node.state / row.file).is_file() for row in kept)


def test_a_routed_study_comes_back_as_one_seg_and_one_sr_and_is_committed(pair: Bench, tmp_path: Path) -> None:
    crop = crop_files(tmp_path / "crop")
    pair.node.start(*PARTS)

    pair.send(tmp_path / "crop")
    pair.wait_until_done()

    study = study_uid(crop)
    assert pair.results() == {(study, "SEG"): 1, (study, "SR"): 1}
    assert {row.status for row in pair.node.rows(DeliveryRow)} == {DeliveryStatus.COMMITTED}
    patient = dcmread(crop[0]).PatientID
    for facts in pair.pacs.instances().values():
        back = dcmread(io.BytesIO(pair.pacs.file(facts["id"])), stop_before_pixels=True)
        assert (back.StudyInstanceUID, back.PatientID) == (study, patient)


def test_volumes_in_the_reports_of_five_held_out_crops_are_within_ten_percent_of_the_masks(
    pair: Bench, tmp_path: Path
) -> None:
    pair.node.start(*PARTS)
    drawn = {}
    for number in range(5):
        name = study_uid(crop_files(tmp_path / f"crop{number}", number))
        drawn[name] = drawn_ml(number)
    pair.send(*(tmp_path / f"crop{number}" for number in range(5)))
    pair.wait_until_done(5)

    told = {}
    for facts in pair.pacs.instances().values():
        if facts["Modality"] == "SR":
            report = dcmread(io.BytesIO(pair.pacs.file(facts["id"])))
            told[str(report.StudyInstanceUID)] = sorted(set(volumes_ml(report)))
    assert told.keys() == drawn.keys()
    for study, parts in drawn.items():
        assert told[study] == pytest.approx(sorted(parts), rel=0.10), study


def test_a_study_survives_a_kill_inside_every_step_and_comes_back_once(pair: Bench, tmp_path: Path) -> None:
    crop = crop_files(tmp_path / "crop")
    points = (
        "row:record",
        "inside:begin",
        "inside:analyse",
        "before:report",
        "inside:report",
        "inside:send",
        "after:send",
        "before:request",
        "after:request",
        "inside:ask_commitment",
    )
    happened = tmp_path / "happened"
    happened.mkdir()
    pair.node.crash_at(points, happened)
    with pair.node.kept_running(*PARTS):
        pair.send(tmp_path / "crop")
        pair.wait(lambda: (happened / points[0]).exists(), "the receiver to die")
        pair.wait(pair.send_again, "the PACS to send the study again")
        pair.wait_until_done()

    assert {path.name for path in happened.iterdir()} == set(points)
    assert {row.status for row in pair.node.rows(DeliveryRow)} == {DeliveryStatus.COMMITTED}
    study = study_uid(crop)
    assert pair.results() == {(study, "SEG"): 1, (study, "SR"): 1}
    assert len(pair.node.rows(ResultRow)) == 2
    require_all_kept(pair, len(crop))


@pytest.mark.soak
def test_a_study_that_kills_its_process_three_times_is_parked_and_the_one_beside_it_is_not(
    pair: Bench, tmp_path: Path
) -> None:
    poison = study_uid(crop_files(tmp_path / "poison", 0))
    innocent = study_uid(crop_files(tmp_path / "innocent", 1))
    happened = tmp_path / "happened"
    happened.mkdir()
    pair.node.crash_at(("none",), happened)
    with pair.node.kept_running(*PARTS):
        assert pair.node.command("pause").returncode == 0
        pair.send(tmp_path / "poison")
        pair.wait(lambda: len(pair.runs()) == 1, "the poisonous run to be queued")
        (happened / "poison").write_text(pair.runs()[0].run_key)
        pair.send(tmp_path / "innocent")
        pair.wait(lambda: len(pair.runs()) == 2, "both runs to be queued")
        assert pair.results() == {}
        assert pair.node.command("resume").returncode == 0
        pair.wait(
            lambda: {row.status for row in pair.runs()} == {RunStatus.PARKED, RunStatus.DONE}, "both to end", 300.0
        )

    assert (happened / "dead").read_text() == "xxx"
    assert pair.results() == {(innocent, "SEG"): 1, (innocent, "SR"): 1}
    shown = pair.node.command("status").stdout
    assert "killed its process three times" in " ".join(shown.split())
    assert poison not in {study for study, _ in pair.results()}


def test_a_destination_that_is_down_gets_its_results_later_and_holds_up_no_other(tmp_path: Path) -> None:
    crop_files(tmp_path / "crop")
    port = free_port()
    with bench(tmp_path, second_port=port) as made:
        made.node.start(*PARTS)
        made.send(tmp_path / "crop")

        def at(status: str, destination: str) -> int:
            rows = made.node.rows(DeliveryRow)
            return sum(row.status == status and row.destination == destination for row in rows)

        made.wait(lambda: at(DeliveryStatus.COMMITTED, "pacs") == 2, "the first destination to have both")
        assert at(DeliveryStatus.QUEUED, "second") == 2
        (tmp_path / "second").mkdir()
        store = [require_program("storescp"), "-aet", "SECOND", "-od", str(tmp_path / "second"), str(port)]
        alone = {**os.environ, "LD_PRELOAD": str(loopback_only(tmp_path / "second"))}
        late = subprocess.Popen(store, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=alone)
        try:
            made.wait_until_done()
        finally:
            late.terminate()
            late.wait(10)
        assert at(DeliveryStatus.STORED, "second") == 2
        assert len([path for path in (tmp_path / "second").iterdir() if path.suffix != ".so"]) == 2


@pytest.mark.soak
@pytest.mark.timeout(3600)
def test_fifty_kills_over_thirty_studies_lose_nothing_and_send_nothing_twice(pair: Bench, tmp_path: Path) -> None:
    chance = random.Random(20261121)
    files = {n: crop_files(tmp_path / f"s{n}", n, f"soak_{n:03d}") for n in range(STUDIES)}
    with pair.node.kept_running(*PARTS):
        sent = iter(range(STUDIES))
        for kill in range(KILLS):
            if kill % 5 < 3 and (number := next(sent, None)) is not None:
                pair.send(tmp_path / f"s{number}")
            time.sleep(chance.uniform(1.0, 6.0))
            pair.node.kill(chance.choice(PARTS))
        for number in sent:
            pair.send(tmp_path / f"s{number}")
        pair.wait(pair.send_again, "the PACS to send what the kills broke")
        pair.wait_until_done(STUDIES, 1800.0)

    studies = {study_uid(paths) for paths in files.values()}
    assert pair.results() == {(study, kind): 1 for study in studies for kind in ("SEG", "SR")}
    require_all_kept(pair, sum(len(paths) for paths in files.values()))
