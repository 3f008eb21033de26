"""What the bench makes of its measurements, and the images that it sends."""

from pathlib import Path

import pytest
from pydicom import dcmread
from rich.console import Console

from dicomnode.bench import receive, tables
from dicomnode.bench.images import ct_template, write_fresh, write_multi_frame
from dicomnode.bench.receive import Cell, Figures
from dicomnode.bench.turnaround import Turnaround

ONE = Cell("as installed", 512, 1)
FOUR = Cell("as installed", 512, 4)
TUNED = Cell("tuned", 64, 4)


def figures(cell: Cell, receiver: str, *per_s: float) -> Figures:
    return Figures(cell, receiver, 500_000, list(per_s))


def test_a_figure_is_the_median_of_its_repeats() -> None:
    found = figures(ONE, "dicomnode", 30.0, 10.0, 20.0)

    assert (found.median_per_s, found.megabytes_per_s) == (20.0, 10.0)


def test_each_target_is_judged_where_it_holds_and_a_missed_one_is_said() -> None:
    found = [
        figures(ONE, "dicomnode, fast", 200.0),
        figures(ONE, "storescp", 20.0),
        figures(FOUR, "dicomnode, fast", 200.0),
        figures(FOUR, "storescp", 20.0),
        figures(TUNED, "dicomnode, fast", 80.0),
        figures(TUNED, "storescp", 100.0),
    ]
    judged = receive.verdicts(found)

    assert [(one.cell, one.peer, one.ratio, one.target, one.reached) for one in judged] == [
        (ONE, "storescp", 10.0, 10.0, True),
        (TUNED, "storescp", 0.8, 0.9, False),
    ]


def test_tables_name_every_receiver_and_every_missed_target() -> None:
    found = [figures(TUNED, "dicomnode, fast", 80.0, 90.0), figures(TUNED, "storescp", 100.0, 110.0)]
    console = Console(width=200)
    with console.capture() as said:
        console.print(tables.figures_table(found, "title"), tables.verdicts_table(receive.verdicts(found)))

    assert "85/s (80-90), 42 MB/s" in said.get()
    assert "MISSED" in said.get()


def test_the_node_s_part_leaves_out_the_model_and_the_wait_that_is_configured() -> None:
    one = Turnaround(total_s=9.0, forward_s=2.5, settle_s=5.0, seconds={"volume": 0.1})

    assert one.net_s == 1.5
    console = Console(width=200)
    with console.capture() as said:
        console.print(tables.turnaround_table([one]))
    assert "1.50 (1.50-1.50)" in said.get()


def test_each_image_has_uids_of_its_own_within_one_study(tmp_path: Path) -> None:
    write_fresh(ct_template(64), tmp_path, 3)
    images = [dcmread(path) for path in sorted(tmp_path.iterdir())]

    assert len({image.SOPInstanceUID for image in images}) == 3
    assert len({(image.StudyInstanceUID, image.SeriesInstanceUID) for image in images}) == 1
    assert [image.file_meta.MediaStorageSOPInstanceUID for image in images] == [i.SOPInstanceUID for i in images]
    assert [image.SOPInstanceUID.is_valid for image in images] == [True] * 3
    assert images[0].pixel_array.shape == (64, 64)


def test_two_writings_of_one_template_share_no_uid(tmp_path: Path) -> None:
    for name in "ab":
        write_fresh(ct_template(64), tmp_path / name, 1)
    first, second = (dcmread(tmp_path / name / "00000.dcm") for name in "ab")

    assert first.StudyInstanceUID != second.StudyInstanceUID
    assert first.SOPInstanceUID != second.SOPInstanceUID


@pytest.mark.parametrize("frames", [1, 3])
def test_a_multi_frame_image_is_whole(tmp_path: Path, frames: int) -> None:
    size = write_multi_frame(tmp_path / "large.dcm", frames)
    image = dcmread(tmp_path / "large.dcm")

    assert size == (tmp_path / "large.dcm").stat().st_size
    assert (int(image.NumberOfFrames), len(image.PixelData)) == (frames, frames * 512 * 512 * 2)
