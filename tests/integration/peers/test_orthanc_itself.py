"""The Orthanc that other tests rely on."""

import time
from pathlib import Path

import pytest
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, SecondaryCaptureImageStorage, generate_uid
from pynetdicom import AE, evt
from pynetdicom.events import Event

from dicomnode.peers.caller import Caller
from tests.orthanc import Orthanc, orthanc

pytestmark = pytest.mark.peers("Orthanc", "cc")


def secondary_capture(study_uid: str, series_uid: str) -> Dataset:
    """The smallest image that Orthanc indexes."""
    image = Dataset()
    image.file_meta = FileMetaDataset()
    image.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    image.SOPClassUID = image.file_meta.MediaStorageSOPClassUID = SecondaryCaptureImageStorage
    image.SOPInstanceUID = image.file_meta.MediaStorageSOPInstanceUID = generate_uid()
    image.StudyInstanceUID, image.SeriesInstanceUID = study_uid, series_uid
    image.PatientID, image.Modality = "P1", "OT"
    return image


def store(pacs: Orthanc, image: Dataset, calling: str = "DICOMNODE") -> None:
    ae = Caller(calling)
    ae.add_requested_context(image.SOPClassUID, image.file_meta.TransferSyntaxUID)
    association = ae.associate("127.0.0.1", pacs.dicom_port, ae_title=pacs.ae_title)
    assert association.is_established
    assert association.send_c_store(image).Status == 0x0000
    association.release()


def test_orthanc_routes_a_stable_study_once_and_leaves_the_nodes_own_series_alone(tmp_path: Path) -> None:
    received: list[str] = []

    def on_store(event: Event) -> int:
        received.append(str(event.request.AffectedSOPInstanceUID))
        return 0x0000

    ae = AE("DICOMNODE")
    ae.add_supported_context(SecondaryCaptureImageStorage)
    server = ae.start_server(("127.0.0.1", 0), block=False, evt_handlers=[(evt.EVT_C_STORE, on_store)])
    with orthanc(tmp_path, node_port=server.socket.getsockname()[1]) as pacs:
        study = generate_uid()
        image = secondary_capture(study, generate_uid())
        image.save_as(tmp_path / "image.dcm", enforce_file_format=True)
        pacs.upload(tmp_path / "image.dcm")
        end = time.monotonic() + 15
        while not received and time.monotonic() < end:
            time.sleep(0.1)
        store(pacs, secondary_capture(study, generate_uid()))
        assert len(pacs.wait_for(2)) == 2
        time.sleep(3)  # the study becomes stable again

        assert received == [image.SOPInstanceUID]
    server.shutdown()
