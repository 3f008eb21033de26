"""Which queues the engine works on."""

from pathlib import Path

from dicomnode.config.load import load
from dicomnode.journey import AT_ONCE, STAT_AT_ONCE, journey_job
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
