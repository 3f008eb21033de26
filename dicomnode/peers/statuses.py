"""DIMSE statuses in words, and which of them mean: done, later, never (PS3.4 Table B.2-1, PS3.7 Annex C)."""

from pydicom.dataset import Dataset

from dicomnode.errors import PeerRefused, PeerUnavailable
from dicomnode.peers.faults import Aborted, BusyPeer, Failed
from dicomnode.peers.remote import Remote

SUCCESS = 0x0000
DUPLICATE = 0x0111
PENDING = (0xFF00, 0xFF01)

BUSY = frozenset({0x0110, 0x0213})
"""Processing failure and resource limitation: later may do (PS3.7 C.5.14, C.5.21)."""

WORDS = {
    0x0105: "no such attribute",
    0x0106: "an attribute has a value it cannot take",
    0x0110: "it could not process the request",
    0x0111: "it has an instance of this UID already",
    0x0112: "it knows no such instance",
    0x0115: "an argument has a value it cannot take",
    0x0117: "the instance UID is not valid to it",
    0x0118: "it knows no such SOP class",
    0x0119: "class and instance do not belong together",
    0x0120: "an attribute is missing",
    0x0122: "it does not support the SOP class",
    0x0124: "we are not authorised",
    0x0131: "the transaction UID is in use already",
    0x0210: "the message id is in use",
    0x0211: "it does not know the operation",
    0x0212: "an argument is mistyped",
    0x0213: "it has no resources left",
    0xA801: "it does not know the move destination: enter our AE title, address and port there",
    0xB000: "it changed some values",
    0xB006: "it dropped some elements",
    0xB007: "the data set does not match its SOP class, stored all the same",
    0xFE00: "cancelled",
}

RANGES = (
    (0xA700, 0xA7FF, "it has no resources left"),
    (0xA900, 0xA9FF, "the data set does not match its SOP class"),
    (0xB000, 0xBFFF, "done with a warning"),
    (0xC000, 0xCFFF, "it cannot understand the data set"),
)


def words(status: int) -> str:
    """A DIMSE status as a person would say it."""
    if status in WORDS:
        return WORDS[status]
    return next((said for low, high, said in RANGES if low <= status <= high), "an unknown status")


def is_warning(status: int) -> bool:
    """Whether the request was carried out with a remark."""
    return 0xB000 <= status <= 0xBFFF or status in (0x0001, 0x0107, 0x0116)


def is_busy(status: int) -> bool:
    """Whether the same request may succeed later."""
    return 0xA700 <= status <= 0xA7FF or status in BUSY


def answered(answer: Dataset, remote: Remote, request: str) -> int:
    """The status of an answer.

    Raises:
        Aborted: there was no answer.
    """
    if "Status" not in answer:
        raise Aborted(remote, request)
    return int(answer.Status)


def failure(answer: Dataset, remote: Remote, request: str) -> PeerUnavailable | PeerRefused:
    """The error that a failure status stands for."""
    status, comment = int(answer.Status), str(answer.get("ErrorComment", ""))
    if is_busy(status):
        return BusyPeer(remote, f"{words(status)} ({status:04X})", comment)
    return Failed(remote, request, status, words(status), comment)
