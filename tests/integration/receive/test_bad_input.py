"""Odd files and full disks: a clear answer to the sender, nothing else harmed, nothing lost."""

import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from pydicom import dcmread
from pydicom.uid import UID, ImplicitVRLittleEndian

from tests.integration.receive.conftest import Start
from tests.integration.receive.loopback import BROKEN, FULL, SUCCESS, Context, Node, associate, echo, send, store
from tests.phantom import ct_series
from tests.unit.archive.archived import Archive

ODD = Path(__file__).parents[4] / "shared" / "data" / "dicom" / "odd"
REFUSED = {
    "fodicom_chrSQEncoding.dcm", "fodicom_chrSQEncoding1.dcm", "pydicom_UN_sequence.dcm",
    "pydicom_empty_charset_LEI.dcm", "pydicom_meta_missing_tsyntax.dcm", "pydicom_nested_priv_SQ.dcm",
    "pydicom_no_meta_group_length.dcm", "pydicom_priv_SQ.dcm",
    "pydicom_ExplVR_BigEndNoMeta.dcm", "pydicom_MR_truncated.dcm",
}  # fmt: skip
"""They lack UIDs, or end early."""


@pytest.mark.skipif(not ODD.is_dir(), reason="the collection of odd files is not here")
@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("name", sorted(file.name for file in ODD.glob("*.dcm")))
def test_an_odd_file_is_stored_as_sent_or_refused_with_a_reason(start: Start, name: str) -> None:
    node = start()

    status, sent = stored_raw(node, ODD / name)

    assert status == (BROKEN if name in REFUSED else SUCCESS)
    assert [file.read_bytes().endswith(sent) for file in node.files()] == ([] if name in REFUSED else [True])
    assert echo(node.port) == SUCCESS


def stored_raw(node: Node, file: Path) -> tuple[int, bytes]:
    """C-STORE the data set of a file, byte by byte; where it says no UIDs the request names some."""
    raw, header = file.read_bytes(), dcmread(file, force=True, stop_before_pixels=True)
    meta = getattr(header, "file_meta", {})
    syntax = UID(meta.get("TransferSyntaxUID") or ImplicitVRLittleEndian)
    start = 144 + int.from_bytes(raw[140:144], "little") if raw[128:136] == b"DICM\x02\0\0\0" else 0
    sop_class_uid = header.get("SOPClassUID") or "1.2.840.10008.5.1.4.1.1.7"
    sop_instance_uid = header.get("SOPInstanceUID") or "1.2.3.4"
    association = associate(node.port, [Context(sop_class_uid, [syntax])])
    said = {"sop_class_uid": sop_class_uid, "sop_instance_uid": sop_instance_uid, "context": sop_class_uid}
    status = store(association, header, data=raw[start:], **said)
    association.release()
    return status, raw[start:]


@contextmanager
def largest_file(size_bytes: int) -> Iterator[None]:
    """While this lasts, no file of this process grows beyond a size: the disk is full at that byte."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size_bytes, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_disk_that_is_full_at_any_write_is_answered_a700_and_the_next_try_succeeds(tmp_path: Path) -> None:
    archive = Archive(tmp_path / "state")
    images = ct_series(slices=12, rows=20, columns=20)
    archive.receive(images[:1])
    size = archive.instances()[0].size_bytes

    for image, full_at in zip(
        images[1:], [0, 1, 128, 200, 380, 900, size - 1, size, size + 1, 3000, 4096], strict=True
    ):
        with largest_file(full_at):
            assert archive.receive([image]) == [FULL]
        assert len(archive.instances()) == len({row.file for row in archive.instances()})
        assert archive.receive([image]) == [SUCCESS]

    assert len(archive.instances()) == len(archive.files()) == 12
    assert list((archive.state / "incoming").iterdir()) == []
    archive.index.close()


def test_a_disk_that_is_full_is_told_to_the_sender_and_the_association_goes_on(start: Start) -> None:
    node, (first, second) = start(), ct_series(slices=2, rows=200, columns=200)
    association = associate(node.port)

    with largest_file(10_000):
        assert store(association, first) == FULL

    assert [store(association, image) for image in (first, second)] == [SUCCESS, SUCCESS]
    assert len(node.files()) == len(node.instances()) == 2
    association.release()


def test_a_thousand_frames_promised_and_one_sent_is_stored_as_sent(start: Start) -> None:
    node, image = start(), ct_series(slices=1)[0]
    image.NumberOfFrames = 1000

    assert send(node.port, [image]) == [SUCCESS]
