"""A version in use that fails, or answers otherwise than it was tested, goes back by itself."""

from pathlib import Path

import pytest

from dicomnode.config.tables import Config
from dicomnode.index.learning import AlarmRow, LearnedVersionRow, ShadowAnswerRow
from dicomnode.index.schema import RunRow, StudyRow
from dicomnode.learn.values import Verdict
from dicomnode.learn.versions.in_use import in_use
from dicomnode.learn.versions.promote import AUTOMATIC, Asked, promote
from dicomnode.learn.versions.shadow import start_shadow
from dicomnode.learn.versions.watch import watch_in_use, watch_versions
from tests.versions_made import MODEL, Shelf, judged, shadowed, shelf_made

LATER_S = 4e9
FAILED = {"fault": "ModelFault"}
POSITIVE = {"finding 0": "97 % (above the threshold of 50 %)"}
NEGATIVE = {"finding 0": "3 % (below the threshold of 50 %)"}


@pytest.fixture
def shelf(tmp_path: Path) -> Shelf:
    return shelf_made(tmp_path, domain="")


@pytest.fixture
def row(shelf: Shelf) -> LearnedVersionRow:
    """A version in use that found something in 10 of the 40 studies of its shadow period."""
    row = shelf.made()
    judged(shelf, row)
    shadowed(shelf, row, studies=40)
    with shelf.index.transaction() as session:
        for number, answer in enumerate(session.query(ShadowAnswerRow).all()):
            answer.figures = {"positive": number % 4 == 0}
    return promote(shelf.index, shelf.config, MODEL, row.version, Asked("Dr. Who", "a test"))


def ran(shelf: Shelf, row: LearnedVersionRow, status: str, summary: dict[str, object], count: int) -> None:
    """Runs of a version since it is in use."""
    with shelf.index.transaction() as session:
        study = StudyRow(study_uid=f"1.2.3.{status}{summary}"[:64], first_received_s=1.0, last_received_s=1.0)
        session.add(study)
        session.flush()
        for number in range(count):
            session.add(
                RunRow(
                    run_key=f"{study.study_key}-{number}", study_key=study.study_key, model=MODEL,
                    model_digest=row.digest, series_uid="1.2", profile="standard", priority="routine", destinations=[],
                    status=status, stage="post", summary=summary, created_s=LATER_S, reason="it raised",
                )
            )  # fmt: skip


def alarms(shelf: Shelf) -> list[str]:
    watch_in_use(shelf.index, shelf.config, LATER_S)
    with shelf.index.snapshot() as session:
        return [alarm.kind for alarm in session.query(AlarmRow)]


def answers(shelf: Shelf) -> str:
    with shelf.index.snapshot() as session:
        return in_use(session, shelf.config, MODEL).digest


def test_a_version_that_works_stays(shelf: Shelf, row: LearnedVersionRow) -> None:
    ran(shelf, row, "done", POSITIVE, 12)
    ran(shelf, row, "done", NEGATIVE, 28)
    ran(shelf, row, "parked", FAILED, 2)

    assert alarms(shelf) == []
    assert answers(shelf) == row.digest


def test_a_version_that_fails_again_and_again_is_rolled_back_once(shelf: Shelf, row: LearnedVersionRow) -> None:
    ran(shelf, row, "done", NEGATIVE, 20)
    ran(shelf, row, "parked", FAILED, 3)

    assert alarms(shelf) == alarms(shelf) == ["error rate"]
    assert answers(shelf) == shelf.base.digest


def test_runs_that_no_fault_of_the_model_parked_say_nothing_against_it(shelf: Shelf, row: LearnedVersionRow) -> None:
    ran(shelf, row, "parked", {"fault": "SeriesRefused"}, 20)

    assert alarms(shelf) == []


@pytest.mark.parametrize(("positive", "negative"), [(40, 0), (0, 60)])
def test_a_version_that_answers_otherwise_than_in_its_shadow_period_is_rolled_back(
    shelf: Shelf, row: LearnedVersionRow, positive: int, negative: int
) -> None:
    ran(shelf, row, "done", POSITIVE, positive)
    ran(shelf, row, "done", NEGATIVE, negative)

    assert alarms(shelf) == ["output rate"]
    assert answers(shelf) == shelf.base.digest


def test_a_few_answers_are_no_rate(shelf: Shelf, row: LearnedVersionRow) -> None:
    ran(shelf, row, "done", POSITIVE, 29)

    assert alarms(shelf) == []


def test_a_version_whose_files_were_changed_is_rolled_back(shelf: Shelf, row: LearnedVersionRow) -> None:
    (shelf.config.node.state / row.folder / "dicom.toml").unlink()

    assert alarms(shelf) == ["integrity"]


@pytest.mark.parametrize(
    ("said", "verdict", "promoted"),
    [
        (AUTOMATIC, Verdict.PROMOTE, True),
        (AUTOMATIC, Verdict.SHADOW, False),
        ("by a named person", Verdict.PROMOTE, False),
    ],
)
def test_nothing_is_promoted_by_itself_unless_the_config_says_so_in_full_words(
    shelf: Shelf, said: str, verdict: Verdict, promoted: bool
) -> None:
    row = shelf.made()
    judged(shelf, row, verdict)
    shadowed(shelf, row)
    with shelf.index.transaction() as session:
        period = start_shadow(session, shelf.config, row.digest)
        period.ended_s = None  # it ends at the next look
    learn = shelf.config.learn.model_copy(update={"promote": said})
    config: Config = shelf.config.model_copy(update={"learn": learn})

    watch_versions(shelf.index, config, LATER_S)

    assert (answers(shelf) == row.digest) is promoted


def test_a_candidate_whose_shadow_period_ended_unseen_is_promoted_at_the_next_look(shelf: Shelf) -> None:
    row = shelf.made()
    judged(shelf, row)
    shadowed(shelf, row)  # what ended it then stopped before it could promote
    learn = shelf.config.learn.model_copy(update={"promote": AUTOMATIC})

    watch_versions(shelf.index, shelf.config.model_copy(update={"learn": learn}), LATER_S)

    assert answers(shelf) == row.digest
