"""Which queues the engine works on."""

from pathlib import Path

from dicomnode.config.load import load
from dicomnode.journey import AT_ONCE, SELDOM_S, STAT_AT_ONCE, journey_job
from dicomnode.serve.engine import engine_queues
from dicomnode.values import Priority
from tests.site_made import CONFIG


def at_once(folder: Path, more: str = "") -> dict[str, int]:
    (folder / "models" / "bright").mkdir(parents=True)
    (folder / "models" / "bright" / "dicom.toml").touch()
    (folder / "config.toml").write_text(CONFIG + more)
    return {queue.name: queue.at_once for queue in engine_queues(load(folder / "config.toml"))}


def test_a_model_has_a_queue_and_its_stat_studies_one_of_their_own(tmp_path: Path) -> None:
    queues = at_once(tmp_path)

    assert (queues["model.bright"], queues["model.bright.stat"]) == (AT_ONCE, STAT_AT_ONCE)
    assert journey_job("key", 0, Priority.STAT, "bright").queue == "model.bright.stat"
    assert journey_job("key", 0, Priority.ROUTINE, "bright").queue == "model.bright"


def test_a_site_limits_how_many_runs_of_a_model_are_under_way_at_once(tmp_path: Path) -> None:
    assert at_once(tmp_path, "[models.bright]\nat_once = 2\n")["model.bright"] == 2


def test_queues_where_nobody_waits_are_looked_at_seldom(tmp_path: Path) -> None:
    (tmp_path / "models" / "unrouted").mkdir(parents=True)
    (tmp_path / "models" / "unrouted" / "dicom.toml").touch()
    (tmp_path / "models" / "bright").mkdir()
    (tmp_path / "models" / "bright" / "dicom.toml").touch()
    (tmp_path / "config.toml").write_text(CONFIG)
    poll_s = {queue.name: queue.poll_s for queue in engine_queues(load(tmp_path / "config.toml"))}

    assert {poll_s[name] for name in ("chores", "model.unrouted", "model.unrouted.stat")} <= {SELDOM_S, 2 * SELDOM_S}
    assert all(poll_s[name] <= 0.1 for name in ("model.bright", "model.bright.stat", "send.pacs"))
