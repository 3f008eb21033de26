"""The sample configuration for Orthanc routes each study once, late images again, and our results never."""

import json
import re
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from pydicom import Dataset
from pynetdicom import AE, evt
from pynetdicom.sop_class import ComprehensiveSRStorage, CTImageStorage, Verification

from dicomnode.peers.caller import Caller
from tests.orthanc import Orthanc, free_port, orthanc
from tests.phantom import ct_series, write

SAMPLES = Path(__file__).parents[3] / "deploy" / "samples"
PATIENCE_S = 20.0


class Node:
    """A stand-in for the node: keeps what it is sent."""

    def __init__(self) -> None:
        self.received: list[str] = []
        self._lock = threading.Lock()

    def on_store(self, event: evt.Event) -> int:
        with self._lock:
            self.received.append(str(event.request.AffectedSOPInstanceUID))
        return 0x0000

    def has(self, count: int) -> bool:
        return len(self.received) >= count


@contextmanager
def listening(node: Node, port: int) -> Iterator[None]:
    ae = AE("DICOMNODE")
    for uid in (Verification, CTImageStorage, ComprehensiveSRStorage):
        ae.add_supported_context(uid)
    server = ae.start_server(("127.0.0.1", port), block=False, evt_handlers=[(evt.EVT_C_STORE, node.on_store)])
    try:
        yield
    finally:
        server.shutdown()


def settings(port: int) -> dict[str, object]:
    """The sample, with this test's port and paths."""
    sample = json.loads(re.sub(r"^\s*//.*$", "", (SAMPLES / "orthanc.json").read_text(), flags=re.MULTILINE))
    sample["DicomModalities"]["DICOMNODE"]["Port"] = port
    sample["LuaScripts"] = [str(SAMPLES / Path(script).name) for script in sample["LuaScripts"]]
    return {key: value for key, value in sample.items() if key not in ("DicomPort", "DicomAet", "Name")} | {
        "StableAge": 1
    }


def until(true: Callable[[], bool]) -> bool:
    end_s = time.monotonic() + PATIENCE_S
    while time.monotonic() < end_s and not true():
        time.sleep(0.1)
    return true()


def send_as_node(pacs: Orthanc, result: Dataset) -> None:
    """Store one object as the node would: under its AE title."""
    ae = Caller("DICOMNODE")
    ae.add_requested_context(result.SOPClassUID)
    association = ae.associate("127.0.0.1", pacs.dicom_port, ae_title=pacs.ae_title)
    assert association.send_c_store(result).Status == 0x0000
    association.release()


def a_result_about(image: Dataset) -> Dataset:
    result = Dataset()
    for name in ("StudyInstanceUID", "PatientID", "PatientName"):
        setattr(result, name, image.get(name))
    result.SOPClassUID = ComprehensiveSRStorage
    result.SOPInstanceUID, result.SeriesInstanceUID, result.Modality = "2.25.901", "2.25.902", "SR"
    result.file_meta = image.file_meta
    return result


@pytest.mark.peers("Orthanc", "cc")
def test_a_study_goes_once_a_late_image_brings_it_again_and_a_result_does_not(tmp_path: Path) -> None:
    node, port = Node(), free_port()
    images = ct_series(slices=4)
    files = write(images, tmp_path / "images")

    with listening(node, port), orthanc(tmp_path, settings=settings(port)) as pacs:
        for file in files[:3]:
            pacs.upload(file)
        assert until(lambda: node.has(3))

        send_as_node(pacs, a_result_about(images[0]))
        pacs.wait_for(4)
        time.sleep(4)  # stable again, and looked at again
        assert len(node.received) == 3

        pacs.upload(files[3])
        assert until(lambda: node.has(7))  # the series has grown: it goes as a whole

    assert set(node.received) == {str(image.SOPInstanceUID) for image in images}
