"""The picture that leaves the node shows the images as they came, round the findings too."""

from pathlib import Path

import numpy as np

from dicomnode.index.runs import load_run
from dicomnode.index.schema import RunRow
from dicomnode.values import ModelVersion, Role
from tests.phantom import ct_series
from tests.site_made import CONFIG, site_made

MODEL = ModelVersion("bright", "1.2.3", "ab" * 32, "1.2.3", Path("models/bright"))
PICTURES = CONFIG.replace("port = 104\n", 'port = 104\nprofile = "mine"\n[profiles.mine]\nobjects = ["SC", "PDF"]\n')


def test_pixels_outside_a_finding_are_in_the_summary_picture(tmp_path: Path) -> None:
    site = site_made(tmp_path, PICTURES)
    ramp = np.tile(np.linspace(0, 1500, 64, dtype=np.float32), (5, 64, 1))
    ramp[2, 20:30, 20:30] = 2500  # the finding, on one slice
    site.receive(ct_series(rows=64, columns=64, values=ramp))
    site.decide()
    site.work()

    (run,) = site.rows(RunRow)
    made = site.results(run.run_key)
    assert set(made) == {Role.SC, Role.PDF}
    pixels = made[Role.SC].pixel_array.astype(int)
    lit = ((pixels.max(axis=2) - pixels.min(axis=2) == 0) & (pixels.max(axis=2) > 20)).mean()
    assert lit > 0.15  # the ramp round the finding; without it, letters and the finding alone


def test_a_revision_of_pictures_alone_says_that_it_replaces_an_earlier_result(tmp_path: Path) -> None:
    site = site_made(tmp_path, PICTURES)
    for count in (4, 5):  # one image comes late
        site.receive(ct_series(slices=count))
        site.decide()
        site.work()

    with site.index.snapshot() as session:
        rows = session.query(RunRow).order_by(RunRow.revision).all()
        runs = [load_run(session, site.config.node.state, row.run_key, MODEL)[0] for row in rows]

    assert [run.is_revision for run in runs] == [False, True]
    assert all(not run.predecessors for run in runs)  # there is no report to name
