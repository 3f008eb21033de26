"""C-STORE of one result on an open association, in a form that the peer accepted.

A result goes as it is encoded where the peer takes that, byte for byte; otherwise it is written again in memory as
Explicit or Implicit VR Little Endian, which changes no value (PS3.5 Annex A); RLE, which loses nothing, is undone
where the peer does not take it. What is compressed otherwise goes as it is or not.
"""

from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.uid import DeflatedExplicitVRLittleEndian, ExplicitVRLittleEndian, ImplicitVRLittleEndian, RLELossless
from pynetdicom import _config as pynetdicom_settings
from pynetdicom import build_context
from pynetdicom.association import Association
from pynetdicom.presentation import PresentationContext

from dicomnode.peers.faults import Aborted, NotAccepted
from dicomnode.peers.remote import Remote
from dicomnode.peers.statuses import DUPLICATE, SUCCESS, answered, failure, is_warning, words
from dicomnode.values import Result

PLAIN = (str(ExplicitVRLittleEndian), str(ImplicitVRLittleEndian))
"""What a result can be written as."""
REWRITABLE = (*PLAIN, str(DeflatedExplicitVRLittleEndian), str(RLELossless))
"""Forms that can be given as a plain one without loss."""
SLOWEST_BYTES_PER_S = 250_000
"""An answer is awaited longer for a larger result."""


def contexts_for(sop_class_uid: str, transfer_syntax_uid: str) -> list[PresentationContext]:
    """What to propose for a result: a context for each transfer syntax, so that the peer's choice is ours to see."""
    return [build_context(sop_class_uid, syntax) for syntax in _forms(transfer_syntax_uid)]


def is_accepted(opened: Association, sop_class_uid: str, transfer_syntax_uid: str) -> bool:
    """Whether the peer took one of the contexts proposed for a result."""
    return bool(_accepted_forms(opened, sop_class_uid) & set(_forms(transfer_syntax_uid)))


def store(opened: Association, remote: Remote, result: Result) -> str:
    """Send one result.

    Returns:
        What the peer remarked, in words; empty for plain success. An instance that it has already is a success.

    Raises:
        Aborted: the association is gone, or no answer came.
        NotAccepted: the peer takes the result in no form that we can give.
        BusyPeer: out of resources (A7xx).
        Failed: any other failure status (PS3.4 Table B.2-1).
    """
    if not opened.is_established:
        raise Aborted(remote, "the sending of an earlier result")
    if not is_accepted(opened, result.sop_class_uid, result.transfer_syntax_uid):
        raise NotAccepted(remote, [result.sop_class_uid])
    opened.dimse_timeout = remote.peer.timeout_s + result.path.stat().st_size / SLOWEST_BYTES_PER_S
    answer = _answer(opened, result)
    status = answered(answer, remote, "C-STORE")
    if status == SUCCESS:
        return ""
    if status == DUPLICATE or is_warning(status):
        return f"{words(status)} ({status:04X})"
    raise failure(answer, remote, "C-STORE")


def _answer(opened: Association, result: Result) -> Dataset:
    if result.transfer_syntax_uid in _accepted_forms(opened, result.sop_class_uid):
        pynetdicom_settings.STORE_SEND_CHUNKED_DATASET = True  # a path is then sent as it lies, not decoded
        answer: Dataset = opened.send_c_store(result.path)
    else:
        answer = opened.send_c_store(_plain(dcmread(result.path)))
    return answer


def _plain(dataset: Dataset) -> Dataset:
    """The same values uncompressed; the pixels are the same, and so the instance keeps its UID (PS3.3 C.12.4.1)."""
    if dataset.file_meta.TransferSyntaxUID == RLELossless:
        dataset.decompress(generate_instance_uid=False)
    return dataset


def _forms(transfer_syntax_uid: str) -> tuple[str, ...]:
    """Transfer syntaxes that a result can be given in, its own first."""
    if transfer_syntax_uid in REWRITABLE:
        return tuple(dict.fromkeys((transfer_syntax_uid, *PLAIN)))
    return (transfer_syntax_uid,)


def _accepted_forms(opened: Association, sop_class_uid: str) -> set[str]:
    return {str(cx.transfer_syntax[0]) for cx in opened.accepted_contexts if cx.abstract_syntax == sop_class_uid}
