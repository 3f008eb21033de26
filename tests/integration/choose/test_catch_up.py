"""Catch-up: what the PACS has and never reached us comes over once, and nothing else does."""

import json
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from pathlib import Path

import pytest
import typer
from pydicom import Dataset
from sqlalchemy import select, update
from typer.testing import CliRunner

from dicomnode.choose.catch_up import Missing, catch_up
from dicomnode.cli import catch_up as command
from dicomnode.cli.catch_up import moment, sources
from dicomnode.cli.context import Opened
from dicomnode.config.tables import Config
from dicomnode.errors import ConfigFault
from dicomnode.index.schema import InstanceRow, ResultRow, RunRow, StudyRow
from dicomnode.peers.caller import Caller
from dicomnode.peers.faults import NoAnswer
from tests.dcmtk import dcmqrscp
from tests.integration.receive.loopback import Node, free_port, node
from tests.orthanc import orthanc
from tests.peers_made import Pacs, peer
from tests.phantom import Subject, ct_series, mr_series, uid

TODAY = datetime.now().astimezone()
SINCE = TODAY - timedelta(days=1)
MR_ROUTE = {"name": "mr", "when": {"all": [{"tag": "Modality", "equals": "MR"}]}, "source": "pacs"}
EVERYTHING = {"name": "all", "source": "pacs"}


def subject(name: str) -> Subject:
    return Subject(study=name, study_date=f"{TODAY:%Y%m%d}", accession=name)


def tables(port: int, ae_title: str, *routes: dict[str, object]) -> dict[str, object]:
    return {
        "peers": {"pacs": {"ae_title": ae_title, "host": "127.0.0.1", "port": port, "query": True, "timeout_s": 10}},
        "routes": [{"models": [], "destinations": [], **route} for route in routes or (EVERYTHING,)],
    }


def stored(node: Node) -> set[str]:
    with node.index.snapshot() as session:
        return set(session.scalars(select(InstanceRow.sop_instance_uid)))


def decided(node: Node) -> None:
    """As if the engine had decided every study."""
    with node.index.transaction() as session:
        session.execute(update(StudyRow).values(state="decided"))


def uids(images: Sequence[Dataset]) -> set[str]:
    return {str(image.SOPInstanceUID) for image in images}


def send_to(port: int, ae_title: str, images: Sequence[Dataset]) -> None:
    ae = Caller("DICOMNODE")
    for sop_class in {image.SOPClassUID for image in images}:
        ae.add_requested_context(sop_class, images[0].file_meta.TransferSyntaxUID)
    opened = ae.associate("127.0.0.1", port, ae_title=ae_title)
    assert opened.is_established
    assert {opened.send_c_store(image).Status for image in images} == {0x0000}
    opened.release()


@pytest.fixture(params=["Orthanc", "dcmqrscp"])
def archive(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[int, str, int]]:
    """A real archive: its port, its AE title, and the port it sends to."""
    folder = tmp_path / "archive"
    folder.mkdir()
    ours = free_port()
    if request.param == "Orthanc":
        with orthanc(folder, node_port=ours, settings={"LuaScripts": []}) as running:
            yield running.dicom_port, running.ae_title, ours
    else:
        with dcmqrscp(folder, node_port=ours) as port:
            yield port, "DCMQRSCP", ours


@pytest.mark.peers("Orthanc", "dcmqrscp", "cc")
def test_what_never_reached_us_comes_over_once(tmp_path: Path, archive: tuple[int, str, int]) -> None:
    port, ae_title, ours = archive
    first = mr_series(slices=3, subject=subject("first"))
    second = ct_series(slices=2, subject=subject("second"))
    send_to(port, ae_title, [*first, *second])
    with node(tmp_path / "state", {"port": ours}, **tables(port, ae_title)) as here:
        done = catch_up(here.index, here.config, "pacs", SINCE)
        again_at_once = catch_up(here.index, here.config, "pacs", SINCE)
        decided(here)
        again = catch_up(here.index, here.config, "pacs", SINCE)

        assert (done.looked_at, done.instances, done.failed) == (2, 5, {})
        assert {missing.study_uid for missing in done.missing} == {uid("first"), uid("second")}
        assert stored(here) == uids(first) | uids(second)
        assert (again.looked_at, again.missing, again.instances) == (2, [], 0)
        assert again_at_once.missing == []


@pytest.mark.peers("Orthanc", "dcmqrscp", "cc")
def test_a_series_that_came_in_part_is_completed_and_the_rest_left_alone(
    tmp_path: Path, archive: tuple[int, str, int]
) -> None:
    port, ae_title, ours = archive
    mr = mr_series(slices=3, subject=subject("first"))
    ct = ct_series(slices=2, subject=subject("first"))
    send_to(port, ae_title, [*mr, *ct])
    with node(tmp_path / "state", {"port": ours}, **tables(port, ae_title)) as here:
        send_to(here.port, "DICOMNODE", [mr[0], *ct])
        decided(here)
        done = catch_up(here.index, here.config, "pacs", SINCE)

        assert done.missing == [Missing(uid("first"), (str(mr[0].SeriesInstanceUID),), whole=False)]
        assert done.instances == 3
        assert stored(here) == uids(mr) | uids(ct)


@pytest.mark.peers("Orthanc", "dcmqrscp", "cc")
def test_an_archive_that_cannot_reach_us_is_told_of_by_study(tmp_path: Path, archive: tuple[int, str, int]) -> None:
    port, ae_title, _ = archive
    send_to(port, ae_title, mr_series(slices=2, subject=subject("first")))
    with node(tmp_path / "state", {}, **tables(port, ae_title)) as here:  # listens where the archive does not look
        done = catch_up(here.index, here.config, "pacs", SINCE)

    assert list(done.failed) == [uid("first")]
    assert done.instances == 0


def missing(here: Node) -> list[Missing]:
    """What a catch-up would fetch."""
    would = catch_up(here.index, here.config, "pacs", SINCE, fetch=False)
    assert (would.instances, would.failed) == (0, {})
    return would.missing


def found(level: str, **values: object) -> Dataset:
    answer = Dataset()
    answer.QueryRetrieveLevel = level
    for keyword, value in values.items():
        setattr(answer, keyword, value)
    return answer


def study_there(name: str, series: dict[str, int], modality: str = "MR") -> list[Dataset]:
    """What a small peer answers of one study."""
    answers = [found("STUDY", StudyInstanceUID=uid(name), StudyDate=f"{TODAY:%Y%m%d}")]
    for series_uid, count in series.items():
        known = {"SeriesInstanceUID": series_uid, "Modality": modality, "NumberOfSeriesRelatedInstances": count}
        answers.append(found("SERIES", StudyInstanceUID=uid(name), **known))
    return answers


def test_what_no_route_could_take_stays_where_it_is(tmp_path: Path) -> None:
    answers = study_there("mr", {uid("a"): 1}) + study_there("us", {uid("b"): 1}, modality="US")
    with peer(Pacs(found=answers)) as small, node(tmp_path, {}, **tables(small.peer.port, "PACS", MR_ROUTE)) as here:
        assert missing(here) == [Missing(uid("mr"), (uid("a"),), whole=True)]

    (trail,) = (tmp_path / "audit").glob("*.jsonl")
    assert uid("mr") in trail.read_text()


def test_our_own_results_at_the_pacs_are_not_missed(tmp_path: Path) -> None:
    images = mr_series(slices=2, subject=subject("first"))
    answers = study_there("first", {str(images[0].SeriesInstanceUID): 2, uid("our SR"): 1})
    with peer(Pacs(found=answers)) as small, node(tmp_path, {}, **tables(small.peer.port, "PACS")) as here:
        send_to(here.port, "DICOMNODE", images)
        decided(here)
        add_result(here, uid("our SR"))

        assert missing(here) == []


@pytest.mark.parametrize("state", ["receiving", "retired"])
def test_a_study_on_its_way_or_removed_on_purpose_is_left_alone(tmp_path: Path, state: str) -> None:
    images = mr_series(slices=2, subject=subject("first"))
    answers = study_there("first", {str(images[0].SeriesInstanceUID): 5})
    with peer(Pacs(found=answers)) as small, node(tmp_path, {}, **tables(small.peer.port, "PACS")) as here:
        send_to(here.port, "DICOMNODE", images)
        with here.index.transaction() as session:
            session.execute(update(StudyRow).values(state=state))

        assert missing(here) == []


def test_one_study_that_cannot_be_moved_holds_up_no_other(tmp_path: Path) -> None:
    answers = study_there("a", {uid("a1"): 1}) + study_there("b", {uid("b1"): 1})
    steps: list[tuple[int, int]] = []
    with peer(Pacs(found=answers)) as small, node(tmp_path, {}, **tables(small.peer.port, "PACS")) as here:
        done = catch_up(here.index, here.config, "pacs", SINCE, progress=lambda n, total: steps.append((n, total)))

    assert set(done.failed) == {uid("a"), uid("b")}
    assert "does not accept" in done.failed[uid("a")]
    assert steps == [(0, 2), (1, 2), (2, 2)]


def test_a_pacs_that_is_down_is_said_at_once(tmp_path: Path) -> None:
    with node(tmp_path, {}, **tables(free_port(), "PACS")) as here, pytest.raises(NoAnswer):
        catch_up(here.index, here.config, "pacs", SINCE)


def test_a_peer_that_is_not_to_be_queried_is_not() -> None:
    config = Config.model_validate({"peers": {"pacs": {"ae_title": "PACS", "host": "127.0.0.1", "port": 104}}})
    with pytest.raises(ConfigFault, match="query is false"):
        catch_up(None, config, "pacs", SINCE)  # type: ignore[arg-type]


def test_the_command_says_what_came_and_fails_where_something_did_not(tmp_path: Path) -> None:
    app = typer.Typer()
    command.add_to(app)
    answers = study_there("a", {uid("a1"): 1})
    with peer(Pacs(found=answers)) as small, node(tmp_path / "state", {}, **tables(small.peer.port, "PACS")) as here:
        given = Given(here)
        failed = CliRunner().invoke(app, ["--since", "1d", "--json"], obj=given)
        told = CliRunner().invoke(app, ["--since", "1d"], obj=given)

    said = json.loads(failed.stdout.splitlines()[-1])
    assert (failed.exit_code, told.exit_code) == (1, 1)
    assert (said["source"], said["looked_at"], said["instances"], list(said["failed"])) == ("pacs", 1, 0, [uid("a")])
    assert "pacs: 1 studies there, 1 never reached us and 0 in part; 0 instances fetched\n" in told.stdout


def test_a_moment_is_a_day_or_a_time_ago() -> None:
    now = datetime(2026, 3, 4, 12, 0).astimezone()

    assert moment("2d", now) == now - timedelta(days=2)
    assert moment("12h", now) == now - timedelta(hours=12)
    assert moment("2026-03-01", now) == moment("20260301", now) == datetime(2026, 3, 1, tzinfo=now.tzinfo)
    for wrong in ("yesterday", "2026-13-01", "2026-03-05", ""):
        with pytest.raises(ConfigFault, match="write a day"):
            moment(wrong, now)


def test_the_sources_are_those_that_routes_name() -> None:
    config = Config.model_validate(tables(104, "PACS", MR_ROUTE, EVERYTHING, {"name": "third"}))

    assert sources(config, "") == sources(config, "pacs") == ["pacs"]
    with pytest.raises(ConfigFault, match="no route has source"):
        sources(config, "other")
    with pytest.raises(ConfigFault, match="no route names a source"):
        sources(Config(), "")


class Given(Opened):
    """A node that is open already."""

    def __init__(self, here: Node) -> None:
        super().__init__(None)
        self.__dict__["config"], self.__dict__["index"] = here.config, here.index


def add_result(here: Node, series_uid: str) -> None:
    """A result of ours in a series."""
    with here.index.transaction() as session:
        session.add(
            RunRow(
                run_key="r",
                study_key=1,
                model="m",
                model_digest="d",
                series_uid=series_uid,
                profile="standard",
                priority="routine",
                destinations=[],
                status="done",
                created_s=1.0,
            )
        )
        session.flush()
        result = ResultRow(
            sop_instance_uid=uid("sr"), run_key="r", role="SR", sop_class_uid="1.2", file="f", digest="d"
        )
        result.series_uid, result.study_uid, result.transfer_syntax_uid = series_uid, uid("first"), "1.2"
        result.digest = "d"
        result.created_s = 1.0
        session.add(result)
