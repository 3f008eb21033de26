"""The daily look: what changed is alarmed once, too few studies are not judged, and nothing is retrained."""

import json
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
from sqlalchemy import select

from dicomnode.config.learning import Learn, Watch
from dicomnode.config.tables import Config, Infer, Node
from dicomnode.index.database import Index
from dicomnode.index.learning import AlarmRow, DriftRow, LearningRow
from dicomnode.learn.split.keys import require_split_key
from dicomnode.learn.triggers import trigger_of
from dicomnode.learn.watch.alarms import clear
from dicomnode.learn.watch.daily import watch_drift
from dicomnode.learn.watch.look import judged
from dicomnode.learn.watch.windows import windows
from dicomnode.web.snapshot import snapshot
from tests.unit.learn.watch.watched import DAY_S, FINDING, HEADER, MODEL, answered, fill

OTHER = {"Manufacturer": "BETA", "ManufacturerModelName": "Two", "KVP": "90", "ViewPosition": "AP"}
LOOKS, SCANNER = "what images look like", "header: manufacturer and model"


@pytest.fixture
def now_s() -> float:
    return time.time()


def config(tmp_path: Path, **watch: object) -> Config:
    learn = Learn(watch=Watch(reference_studies=60, **watch))
    return Config(node=Node(state=tmp_path), learn=learn, infer=Infer(folder=tmp_path / "models"))


def rows(index: Index) -> dict[str, DriftRow]:
    with index.snapshot() as session:
        return {row.figure: row for row in session.scalars(select(DriftRow))}


def standing(index: Index) -> list[AlarmRow]:
    with index.snapshot() as session:
        return list(session.scalars(select(AlarmRow).where(AlarmRow.cleared_s.is_(None))))


def test_a_quiet_week_raises_nothing(index: Index, tmp_path: Path, now_s: float) -> None:
    with index.transaction() as session:
        fill(session, now_s)

    assert watch_drift(index, config(tmp_path), now_s) == 0

    found = rows(index)
    assert {LOOKS, SCANNER, f"output: {FINDING}", f"output, PSI: {FINDING}", "rate: out of domain"} <= set(found)
    assert found[SCANNER].p == 1.0
    assert found["corrected by readers"].words.startswith("not judged")


def test_another_scanner_alarms_once_until_it_is_cleared(index: Index, tmp_path: Path, now_s: float) -> None:
    with index.transaction() as session:
        fill(session, now_s, shift=1.0, header=OTHER)

    raised = watch_drift(index, config(tmp_path), now_s)

    alarms = standing(index)
    assert raised == len(alarms)
    assert {alarm.cause for alarm in alarms} >= {LOOKS, SCANNER, "header: KVP", "header: ViewPosition"}
    assert f"output: {FINDING}" not in {alarm.cause for alarm in alarms}
    assert "new: BETA Two" in next(alarm.words for alarm in alarms if alarm.cause == SCANNER)
    assert watch_drift(index, config(tmp_path), now_s + 60) == 0
    seen = snapshot(config(tmp_path), index)
    assert seen.alarms == {(MODEL, "drift"): raised}
    assert seen.drift_p[MODEL, SCANNER] < 0.01

    with index.transaction() as session:
        clear(session, alarms[0].alarm_key)
    assert watch_drift(index, config(tmp_path), now_s + 120) == 1


def test_drift_alone_makes_no_candidate(index: Index, tmp_path: Path, now_s: float) -> None:
    settings = config(tmp_path)
    with index.transaction() as session:
        require_split_key(session, tmp_path)
        fill(session, now_s, shift=1.0, header=OTHER)

    assert watch_drift(index, settings, now_s) > 0

    with index.transaction() as session:
        assert trigger_of(session, tmp_path, settings.learn, MODEL) is None
        assert session.scalars(select(LearningRow)).all() == []


def test_too_few_studies_are_not_judged(index: Index, tmp_path: Path, now_s: float) -> None:
    with index.transaction() as session:
        for number in range(1, 70):
            answered(session, number, now_s - DAY_S + number, header=OTHER if number > 60 else HEADER)

    assert watch_drift(index, config(tmp_path), now_s) == 0

    (row,) = rows(index).values()
    assert row.p is None
    assert row.words.startswith("not judged: 60 studies in the first window and 9 in the last 14 days")


def test_answers_withheld_outside_and_corrected_are_rates_of_their_own(index: Index, now_s: float) -> None:
    outside: dict[str, object] = {"outside the evaluated domain": "age"}
    withheld: dict[str, object] = {FINDING: "no probability"}
    with index.transaction() as session:
        for number in range(1, 61):
            answered(session, number, now_s - 90 * DAY_S + number, reader=0.0)
        for number in range(61, 121):
            summary = {0: outside, 1: withheld}.get(number % 3)
            answered(session, number, now_s - DAY_S + number, summary=summary, reader=1.0)

    with index.snapshot() as session:
        found = windows(session, MODEL, Watch(reference_studies=60), {0: FINDING}, now_s)
    figures = {figure.name: figure for figure in judged(found, Watch(min_studies=20))}

    rates = ("rate: out of domain", "rate: abstention", "rate: corrected by readers")
    assert [figures[name].value for name in rates] == [pytest.approx(1 / 3), pytest.approx(1 / 3), 1.0]
    assert all(figures[name].p < 0.001 for name in rates)


class Hook(BaseHTTPRequestHandler):
    """Takes what is posted; says no to the first."""

    taken: list[dict[str, object]]
    refusals: int

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        refused = type(self).refusals > 0
        type(self).refusals -= refused
        if not refused:
            self.taken.append(body)
        self.send_response(503 if refused else 204)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """Quiet."""


@pytest.fixture
def hook() -> Iterator[tuple[str, type[Hook]]]:
    class Own(Hook):
        taken: list[dict[str, object]] = []  # noqa: RUF012 - one of its own each test
        refusals = 1

    server = HTTPServer(("127.0.0.1", 0), Own)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/", Own
    server.shutdown()
    thread.join()
    server.server_close()


def test_an_alarm_that_the_webhook_did_not_take_is_posted_at_the_next_look(
    index: Index, tmp_path: Path, now_s: float, hook: tuple[str, type[Hook]]
) -> None:
    url, taker = hook
    with index.transaction() as session:
        fill(session, now_s, header=OTHER)
    settings = config(tmp_path, webhook=url)

    raised = watch_drift(index, settings, now_s)
    assert taker.taken == []
    watch_drift(index, settings, now_s + 60)
    watch_drift(index, settings, now_s + 120)

    assert len(taker.taken) == raised
    assert set(taker.taken[0]) == {"from", "model", "kind", "cause", "words", "at_s"}
    assert all(row.told_s is not None for row in standing(index))
