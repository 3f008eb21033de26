"""The bench starts our receiver as a person would, sends to it and counts what arrived."""

from pathlib import Path

import pytest
from sqlalchemy import func, select

from dicomnode.bench import big, dcmtk, receivers, sender
from dicomnode.bench.images import ct_template, write_fresh
from dicomnode.index.database import Index
from dicomnode.index.schema import InstanceRow


@pytest.mark.parametrize("fast", [True, False], ids=["fast", "pynetdicom"])
def test_every_instance_sent_is_counted_once(tmp_path: Path, fast: bool) -> None:
    folders = [tmp_path / "images" / str(number) for number in range(2)]
    for folder in folders:
        write_fresh(ct_template(64), folder, 3)
    with receivers.node(tmp_path, {}, fast=fast) as running:
        assert sender.send_s(running, folders, {}) > 0

    index = Index(f"sqlite:///{tmp_path / 'state' / 'index.sqlite'}")
    with index.transaction() as session:
        assert session.scalar(select(func.count()).select_from(InstanceRow)) == 6
    index.close()


def test_the_receiver_s_peak_memory_is_measured() -> None:
    first, second = big.measure(frames=2)

    assert (first.receiver, second.receiver) == ("dicomnode", "dicomnode, fast")
    assert 20e6 < first.peak_bytes < big.TARGET_BYTES
    assert first.instance_bytes > 2 * 512 * 512 * 2


@pytest.mark.peers("dcmdump")
def test_dcmtk_s_own_program_is_found_where_pynetdicom_installs_a_namesake() -> None:
    assert dcmtk.program("storescu")
    assert dcmtk.version().startswith("v3.")
    assert dcmtk.program("no such program") == ""
