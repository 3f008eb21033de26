"""A candidate that waits for another leaves its place on the queue, and is made when the other has ended."""

import subprocess
import sys
from pathlib import Path

PROGRAM = Path(__file__).parent / "waiting_made.py"


def test_a_candidate_waits_for_the_end_of_another_without_holding_the_queue(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, str(PROGRAM), str(tmp_path)], capture_output=True, text=True, timeout=120, check=True
    )

    told = [line.split("|") for line in done.stdout.splitlines() if "|" in line]
    assert [line[:2] for line in told] == [["waiting", "waits for lung:person:1"], ["done", "waits for lung:person:1"]]
    assert told[1][2] == "too few: liver:person:1"
