"""The units run under a real systemd, installed as a site would install them."""

import os
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]


@pytest.mark.soak
@pytest.mark.peers("systemd-nspawn", "mmdebstrap")
@pytest.mark.timeout(3600)
@pytest.mark.skipif(os.geteuid() != 0, reason="only root boots a container")
def test_the_units_start_are_watched_survive_a_crash_and_an_upgrade_keeps_the_data(tmp_path: Path) -> None:
    folder = os.environ.get("DICOMNODE_SYSTEMD_FOLDER", str(tmp_path))

    done = subprocess.run([ROOT / "deploy" / "systemd_test.sh", folder], capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-2000:]
    assert done.stdout.splitlines()[-1].endswith(" passed, 0 failed")
