"""What a person types, on a node with one study."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from dicomnode.cli.app import app
from dicomnode.errors import ConfigFault
from dicomnode.index.schema import DeliveryRow, PauseRow, RunRow, StudyRow
from dicomnode.values import DeliveryStatus, RunStatus
from tests.phantom import ct_series, uid
from tests.site_made import Site, site_made


@pytest.fixture
def site(tmp_path: Path) -> Site:
    made = site_made(tmp_path)
    made.receive(ct_series())
    made.decide()
    return made


def typed(site: Site, *words: str) -> str:
    """Output of a command that succeeds."""
    config = site.config.node.state.parent / "config.toml"
    done = CliRunner().invoke(app, ["--config", str(config), *words], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return " ".join(done.output.split())


def test_runs_lists_the_run_with_its_finding(site: Site) -> None:
    site.work()

    (listed,) = json.loads(typed(site, "runs", "--json"))

    assert listed["study_uid"] == uid("study 1")
    assert (listed["model"], listed["status"], listed["summary"]) == ("bright", "delivering", {"Bright": "0.29 ml"})
    assert (listed["delivered"], listed["to_deliver"]) == (0, 2)


def test_status_says_what_waits_for_a_person(site: Site) -> None:
    (row,) = site.rows(RunRow)
    site.stages.park(row.run_key, "a slice is missing: no image between 2.00 and 6.00 mm along the stack")

    shown = typed(site, "status")

    assert f"run {row.run_key[:12]} (bright) is parked: a slice is missing" in shown
    assert "no receive process" in shown


def test_a_parked_run_is_retried_and_a_running_one_is_not(site: Site) -> None:
    (row,) = site.rows(RunRow)
    with pytest.raises(ConfigFault, match="only a parked or cancelled run is retried"):
        typed(site, "retry", row.run_key[:10])
    site.stages.park(row.run_key, "for a test")

    assert "queued again" in typed(site, "retry", row.run_key[:10])
    assert [(r.status, r.attempt) for r in site.rows(RunRow)] == [(RunStatus.QUEUED, 1)]


def test_parked_results_of_a_run_are_sent_again_on_request(site: Site) -> None:
    (row,) = site.work()
    with site.index.transaction() as session:
        for delivery in session.query(DeliveryRow):
            delivery.status = DeliveryStatus.PARKED

    assert "2 result(s)" in typed(site, "retry", row.run_key)
    assert {delivery.status for delivery in site.rows(DeliveryRow)} == {DeliveryStatus.QUEUED}


def test_a_queued_run_is_cancelled(site: Site) -> None:
    (row,) = site.rows(RunRow)

    typed(site, "cancel", row.run_key)

    assert [r.status for r in site.work()] == [RunStatus.CANCELLED]


def test_a_study_is_decided_again_on_request(site: Site) -> None:
    typed(site, "retry", "--study", uid("study 1"))

    assert [row.state for row in site.rows(StudyRow)] == ["receiving"]


def test_a_pause_names_what_is_paused_until_it_is_ended(site: Site) -> None:
    typed(site, "pause", "destination:pacs")
    assert [row.scope for row in site.rows(PauseRow)] == ["destination:pacs"]
    assert "destination:pacs" in typed(site, "status")

    typed(site, "resume", "pacs")
    assert site.rows(PauseRow) == []


def test_a_pause_of_what_does_not_exist_is_refused(site: Site) -> None:
    with pytest.raises(ConfigFault, match="neither a bundle nor a"):
        typed(site, "pause", "nowhere")


def test_explain_names_route_model_and_series(site: Site) -> None:
    shown = typed(site, "explain", uid("study 1"))

    assert all(word in shown for word in ("ct", "bright", "CT 1", "taken"))


def test_what_a_person_did_is_in_the_audit_trail(site: Site) -> None:
    typed(site, "pause")

    (trail,) = (site.config.node.state / "audit").glob("*.jsonl")
    assert "pause all" in trail.read_text()
