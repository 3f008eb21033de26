import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from dicomnode.scratch import YOUNG_S, scratch_folder, sweep

HOLD = """
import sys, time
from pathlib import Path
from dicomnode.scratch import scratch_folder
with scratch_folder(Path(sys.argv[1])) as folder:
    (folder / "file").touch()
    print(folder, flush=True)
    time.sleep(60)
"""


def held(among: Path) -> tuple[subprocess.Popen[str], Path]:
    """A process that holds a folder, made long ago."""
    process = subprocess.Popen([sys.executable, "-c", HOLD, str(among)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    with process.stdout as said:
        folder = Path(said.readline().strip())
    long_ago_s = time.time() - 2 * YOUNG_S
    os.utime(folder, (long_ago_s, long_ago_s))
    return process, folder


def test_a_folder_goes_with_its_block(tmp_path: Path) -> None:
    with scratch_folder(tmp_path) as folder:
        (folder / "file").touch()

    assert list(tmp_path.iterdir()) == []


def test_what_a_killed_process_left_behind_goes_when_the_next_one_asks(tmp_path: Path) -> None:
    process, left = held(tmp_path)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert left.is_dir()

    with scratch_folder(tmp_path) as mine:
        assert list(tmp_path.iterdir()) == [mine]


def test_a_folder_that_a_process_still_holds_stays(tmp_path: Path) -> None:
    process, theirs = held(tmp_path)

    sweep(tmp_path)

    assert (theirs / "file").exists()
    process.kill()
    process.wait()


def test_a_folder_made_a_moment_ago_stays(tmp_path: Path) -> None:
    made = tmp_path / "dicomnode-scratch-new"
    made.mkdir()

    sweep(tmp_path)

    assert made.exists()
