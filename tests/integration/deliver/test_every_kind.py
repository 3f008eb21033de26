"""Every kind of object that we make is taken by a real PACS, and comes back as it was sent."""

from collections.abc import Sequence
from io import BytesIO
from pathlib import Path

import pytest
from pydicom import dcmread

from dicomnode.deliver.outbox import OutboxObject, post
from dicomnode.deliver.send import Sender, send_many
from dicomnode.encode.context import Encoded
from dicomnode.encode.results import MAKERS
from dicomnode.index.database import Index
from dicomnode.values import DeliveryStatus, Role
from tests.orthanc import orthanc
from tests.peers_made import remote_at
from tests.results_made import RUN
from tests.unit.encode.cad.made import made as cad_results
from tests.unit.encode.examples import FINDINGS, classified
from tests.unit.encode.placed import placed

pytestmark = pytest.mark.peers("Orthanc", "cc")


def outgoing(encoded: Encoded) -> OutboxObject:
    """A result as it goes into the outbox."""
    dataset = encoded.dataset
    return OutboxObject(
        role=encoded.role,
        sop_class_uid=str(dataset.SOPClassUID),
        sop_instance_uid=str(dataset.SOPInstanceUID),
        series_uid=str(dataset.SeriesInstanceUID),
        study_uid=str(dataset.StudyInstanceUID),
        transfer_syntax_uid=str(dataset.file_meta.TransferSyntaxUID),
        content=encoded.content,
    )


def require_same(made: Sequence[Encoded], folder: Path, index: Index) -> None:
    """Send results to Orthanc and read them back."""
    results = post(index, folder, RUN, ["pacs"], [outgoing(one) for one in made])
    (folder / "pacs").mkdir()

    with orthanc(folder / "pacs", node_port=1, settings={"LuaScripts": []}) as running:
        outcomes = send_many(Sender(index, folder, remote_at(running.dicom_port, ae_title=running.ae_title)), results)
        there = running.instances()
        stored = {uid: dcmread(BytesIO(running.file(row["id"]))) for uid, row in there.items()}

    assert {outcome.status for outcome in outcomes} <= {DeliveryStatus.SENT, DeliveryStatus.STORED}
    assert stored == {str(one.dataset.SOPInstanceUID): dcmread(BytesIO(one.content)) for one in made}


@pytest.mark.parametrize("name", ["axial CT", "enhanced MR, frames reversed"])
def test_every_kind_of_object_is_stored_and_comes_back_as_it_was_sent(name: str, tmp_path: Path, index: Index) -> None:
    require_same(placed(name, tmp_path / "study", [role for role, _ in MAKERS]).made, tmp_path, index)


@pytest.mark.parametrize("name", ["MG", "DX"])
def test_a_cad_report_is_stored_and_comes_back_as_it_was_sent(name: str, tmp_path: Path, index: Index) -> None:
    made = cad_results(name, tmp_path / "study", FINDINGS, classified(0.9), (Role.CAD_SR,)).made

    assert [one.role for one in made] == [Role.CAD_SR]
    require_same(made, tmp_path, index)
