"""The head of a file is what pydicom would have written."""

from io import BytesIO

import pytest
from pydicom.dataset import FileMetaDataset
from pydicom.filewriter import write_file_meta_info
from pydicom.uid import UID, ExplicitVRLittleEndian

from dicomnode.receive.part10 import IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION, PREAMBLE, file_head
from tests.phantom import CT


@pytest.mark.parametrize("calling_ae", ["PACS", "ODD", ""])
@pytest.mark.parametrize("instance_uid", ["1.2.3", "1.2.34"])
def test_file_meta_information_is_byte_for_byte_pydicom_s(calling_ae: str, instance_uid: str) -> None:
    meta = FileMetaDataset()
    meta.FileMetaInformationVersion = b"\x00\x01"
    meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID = UID(CT), UID(instance_uid)
    meta.TransferSyntaxUID, meta.ImplementationClassUID = ExplicitVRLittleEndian, UID(IMPLEMENTATION_CLASS_UID)
    meta.ImplementationVersionName = IMPLEMENTATION_VERSION
    if calling_ae:
        meta.SourceApplicationEntityTitle = calling_ae
    written = BytesIO()
    write_file_meta_info(written, meta, enforce_standard=True)

    assert file_head(CT, instance_uid, ExplicitVRLittleEndian, calling_ae) == PREAMBLE + written.getvalue()
