"""Every kind of object that a profile can ask for reaches a real PACS, and is committed."""

import io
from pathlib import Path

import pytest
from pydicom import dcmread

from dicomnode.config.profiles import OBJECTS
from dicomnode.index.schema import DeliveryRow, ResultRow
from dicomnode.values import DeliveryStatus, Role
from tests.acceptance.bench import bench
from tests.acceptance.studies_made import crop_files

pytestmark = [pytest.mark.peers("Orthanc", "storescu", "storescp"), pytest.mark.timeout(900)]


def test_each_kind_of_object_is_stored_unchanged_and_committed(tmp_path: Path) -> None:
    crop_files(tmp_path / "crop")
    made_of_mr = set(OBJECTS) - {Role.CAD_SR}  # mammograms and chests alone
    with bench(tmp_path, objects=", ".join(f'"{role}"' for role in OBJECTS)) as pair:
        pair.node.start("receive", "engine", "gpu")
        pair.send(tmp_path / "crop")
        pair.wait_until_done()

        rows = {row.sop_instance_uid: row for row in pair.node.rows(ResultRow)}
        assert {row.role for row in rows.values()} == made_of_mr
        assert {row.status for row in pair.node.rows(DeliveryRow)} == {DeliveryStatus.COMMITTED}
        back = {
            uid: dcmread(io.BytesIO(pair.pacs.file(facts["id"])))
            for uid, facts in pair.pacs.instances().items()
            if uid in rows
        }
        assert back.keys() == rows.keys()
        for uid, row in rows.items():
            assert back[uid] == dcmread(pair.node.config.node.state / row.file), row.role
