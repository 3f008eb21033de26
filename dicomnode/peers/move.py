"""C-MOVE: have a peer send us what it holds (PS3.4 Annex C, Study Root). The instances come to our receiver."""

from dataclasses import dataclass

from pydicom.dataset import Dataset
from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian
from pynetdicom import build_context
from pynetdicom.sop_class import StudyRootQueryRetrieveInformationModelMove as StudyRootMove

from dicomnode.peers.associate import association
from dicomnode.peers.faults import Aborted
from dicomnode.peers.remote import Remote
from dicomnode.peers.statuses import PENDING, SUCCESS, answered, failure, is_warning

ANSWER_S = 900.0
"""A peer may say nothing until the last instance is through."""


@dataclass(frozen=True)
class Moved:
    """How a C-MOVE went, in sub-operations (instances)."""

    completed: int
    """Stored with us, with or without a warning."""
    failed: int
    failed_uids: tuple[str, ...]
    """SOP Instance UIDs that did not come through, where the peer names them (0008,0058)."""


def move_study(remote: Remote, study_uid: str) -> Moved:
    """Have a peer send us a whole study.

    Raises:
        PeerUnavailable: no answer, aborted, or out of resources (A7xx).
        PeerRefused: for instance because it does not know our AE title as a destination (A801).
    """
    return _move(remote, "STUDY", {"StudyInstanceUID": study_uid})


def move_series(remote: Remote, study_uid: str, series_uid: str) -> Moved:
    """Have a peer send us one series; raises as `move_study`."""
    return _move(remote, "SERIES", {"StudyInstanceUID": study_uid, "SeriesInstanceUID": series_uid})


def _move(remote: Remote, level: str, keys: dict[str, str]) -> Moved:
    query = Dataset()
    query.QueryRetrieveLevel = level
    for keyword, value in keys.items():
        setattr(query, keyword, value)
    context = build_context(StudyRootMove, [ImplicitVRLittleEndian, ExplicitVRLittleEndian])
    with association(remote, [context], answer_s=ANSWER_S) as opened:
        for answer, identifier in opened.send_c_move(query, remote.our_ae, StudyRootMove):
            status = answered(answer, remote, "C-MOVE")
            if status == SUCCESS or is_warning(status):
                return _moved(answer, identifier)
            if status not in PENDING:
                raise failure(answer, remote, f"C-MOVE to {remote.our_ae}")
    raise Aborted(remote, "C-MOVE")


def _moved(answer: Dataset, identifier: Dataset | None) -> Moved:
    named = identifier.get("FailedSOPInstanceUIDList") if identifier is not None else None
    uids = [named] if isinstance(named, str) else list(named or ())
    completed = int(answer.get("NumberOfCompletedSuboperations") or 0)
    warned = int(answer.get("NumberOfWarningSuboperations") or 0)
    return Moved(completed + warned, int(answer.get("NumberOfFailedSuboperations") or 0), tuple(map(str, uids)))
