"""Health and metrics: what they say, and that no identity is in them."""

import json
import threading
import time
from collections.abc import Iterator
from http.client import HTTPConnection
from pathlib import Path

import pytest

from dicomnode.config.tables import Config, Node, Receive, Web
from dicomnode.index.learning import LearningRow
from dicomnode.index.schema import BeatRow, DeliveryRow, InstanceRow, ResultRow, RunRow, SeriesRow, StudyRow
from dicomnode.web.server import make_server
from tests.index_made import index_made

NAME, PATIENT_ID, ACCESSION, BIRTH_DATE = "SECRET^NAME", "SECRET-ID", "SECRET-ACC", "19521111"


class Site:
    """A node's state, its web server, and a way to ask it."""

    def __init__(self, state: Path, *, reserve_bytes: int = 0) -> None:
        state.mkdir(exist_ok=True)
        self.config = Config(node=Node(state=state), receive=Receive(reserve_bytes=reserve_bytes))
        self.index = index_made(self.config.index_url)
        web = Web.model_construct(host="127.0.0.1", port=0)
        self.server = make_server(self.config.model_copy(update={"web": web}), self.index)
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.02})
        self.thread.start()

    def get(self, path: str, method: str = "GET") -> tuple[int, str]:
        connection = HTTPConnection("127.0.0.1", self.server.server_address[1], timeout=10)
        connection.request(method, path)
        answer = connection.getresponse()
        body = answer.read().decode()
        connection.close()
        return answer.status, body

    def add(self, *rows: object) -> None:
        with self.index.transaction() as session:
            for row in rows:
                session.add(row)
                session.flush()

    def close(self) -> None:
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()
        self.index.close()


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    made = Site(tmp_path / "state")
    yield made
    made.close()


def beats(*processes: str, age_s: float = 0.0) -> list[BeatRow]:
    then_s = time.time() - age_s
    return [BeatRow(process=name, pid=1, started_s=then_s, beat_s=then_s, note="") for name in processes]


def a_study_with_a_result() -> list[object]:
    now_s = time.time()
    study = StudyRow(
        study_uid="1.2.3",
        patient_id=PATIENT_ID,
        patient_name=NAME,
        patient_birth_date=BIRTH_DATE,
        accession_number=ACCESSION,
        description=NAME,
        first_received_s=now_s,
        last_received_s=now_s,
    )
    series = SeriesRow(study_key=1, series_uid="1.2.3.4", description=NAME)
    instance = InstanceRow(
        study_key=1,
        series_key=1,
        sop_instance_uid="1.2.3.4.5",
        sop_class_uid="1.2",
        transfer_syntax_uid="1.2",
        content_digest="00",
        file="a.dcm",
        size_bytes=1000,
        patient_id=PATIENT_ID,
        received_s=now_s,
        header={"PatientID": PATIENT_ID},
    )
    run = RunRow(
        run_key="r1",
        study_key=1,
        model="liver",
        model_digest="d",
        series_uid="1.2.3.4",
        profile="standard",
        priority="routine",
        destinations=["pacs"],
        status="delivering",
        reason=NAME,
        created_s=now_s - 60,
    )
    result = ResultRow(
        sop_instance_uid="1.9",
        run_key="r1",
        role="SR",
        sop_class_uid="1.2",
        series_uid="1.8",
        study_uid="1.2.3",
        transfer_syntax_uid="1.2",
        file="b.dcm",
        digest="00",
        created_s=now_s,
    )
    delivery = DeliveryRow(sop_instance_uid="1.9", destination="pacs", status="queued", queued_s=now_s - 30)
    return [study, series, instance, run, result, delivery]


def test_health_says_ok_while_the_index_can_be_read(site: Site) -> None:
    status, body = site.get("/healthz")

    assert (status, json.loads(body)["status"]) == (200, "ok")


def test_readiness_names_the_process_that_does_not_beat(site: Site) -> None:
    site.add(*beats("receive-0", "engine"), *beats("gpu-0", age_s=3600))

    status, body = site.get("/readyz")

    assert status == 503
    assert json.loads(body)["why"] == ["no gpu process has beaten in the last 20 s"]


def test_a_node_whose_processes_beat_is_ready(site: Site) -> None:
    site.add(*beats("receive-0", "engine", "gpu-0"))

    assert site.get("/readyz")[0] == 200


def test_a_disk_below_its_reserve_is_not_ready(tmp_path: Path) -> None:
    site = Site(tmp_path / "state", reserve_bytes=1 << 60)
    site.add(*beats("receive-0", "engine", "gpu-0"))

    status, body = site.get("/readyz")
    site.close()

    assert status == 503
    assert "less than the reserve of 1152921504606846976" in json.loads(body)["why"][0]


def test_metrics_count_runs_and_deliveries_with_their_ages(site: Site) -> None:
    site.add(*a_study_with_a_result(), *beats("engine"))

    lines = site.get("/metrics")[1].splitlines()

    assert 'dicomnode_runs{model="liver",status="delivering"} 1.0' in lines
    assert 'dicomnode_deliveries{destination="pacs",status="queued"} 1.0' in lines
    assert "dicomnode_instances_received_total 1.0" in lines
    assert "dicomnode_instances_held_bytes 1000.0" in lines
    age_s = next(float(line.split()[-1]) for line in lines if line.startswith("dicomnode_delivery_oldest_seconds{"))
    assert 30 <= age_s < 60


@pytest.mark.parametrize("path", ["/metrics", "/healthz", "/readyz"])
def test_no_identity_is_in_what_the_web_process_says(site: Site, path: str) -> None:
    site.add(*a_study_with_a_result())

    body = site.get(path)[1]

    assert all(secret not in body for secret in (NAME, PATIENT_ID, ACCESSION, BIRTH_DATE, "1.2.3"))


def test_another_path_is_not_found_and_another_method_is_refused(site: Site) -> None:
    assert site.get("/../etc/passwd")[0] == 404
    assert site.get("/metrics", method="POST")[0] == 501


def test_metrics_tell_what_is_being_learnt_how_far_it_is_and_whether_it_is_paused(site: Site) -> None:
    progress = {"part": "candidate", "epoch": 3, "epochs": 4, "paused": True}
    row = LearningRow(job="lung:person:1", model="lung", trigger="person", state="running", started_s=1.0)
    row.stage, row.progress = "train", progress
    site.add(
        row, LearningRow(job="liver:calendar:1", model="liver", trigger="calendar", state="waiting", started_s=2.0)
    )

    told = site.get("/metrics")[1]

    assert 'dicomnode_learning{model="lung",state="running"} 1.0' in told
    assert 'dicomnode_learning{model="liver",state="waiting"} 1.0' in told
    assert 'dicomnode_learning_progress{model="lung"} 0.75' in told
    assert 'dicomnode_learning_paused{model="lung"} 1.0' in told
