"""Every kind of object that we make is taken by a real PACS, and comes back as it was sent."""

from io import BytesIO
from pathlib import Path

import pytest
from pydicom import dcmread

from dicomnode.deliver.outbox import OutboxObject, post
from dicomnode.deliver.send import Sender, send_many
from dicomnode.encode.context import Encoded
from dicomnode.encode.results import MAKERS
from dicomnode.index.database import Index
from dicomnode.values import DeliveryStatus
from tests.orthanc import orthanc
from tests.peers_made import remote_at
from tests.results_made import RUN
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


@pytest.mark.parametrize("name", ["axial CT", "enhanced MR, frames reversed"])
def test_every_kind_of_object_is_stored_and_comes_back_as_it_was_sent(name: str, tmp_path: Path, index: Index) -> None:
    made = placed(name, tmp_path / "study", [role for role, _ in MAKERS]).made
    results = post(index, tmp_path, RUN, ["pacs"], [outgoing(one) for one in made])
    (tmp_path / "pacs").mkdir()

    with orthanc(tmp_path / "pacs", node_port=1, settings={"LuaScripts": []}) as running:
        outcomes = send_many(Sender(index, tmp_path, remote_at(running.dicom_port, ae_title=running.ae_title)), results)
        there = running.instances()
        stored = {uid: dcmread(BytesIO(running.file(row["id"]))) for uid, row in there.items()}

    assert {outcome.status for outcome in outcomes} <= {DeliveryStatus.SENT, DeliveryStatus.STORED}
    assert stored == {str(one.dataset.SOPInstanceUID): dcmread(BytesIO(one.content)) for one in made}
