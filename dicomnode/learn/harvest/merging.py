"""Two patients are one: what a person says by command, and HL7 ADT^A40 by message, is done alike."""

from pathlib import Path

from sqlalchemy.orm import Session

from dicomnode.learn.harvest.attaching import after_merge
from dicomnode.learn.split.keys import require_split_key
from dicomnode.learn.split.merge import Merged, merge_ids


def merge_patients(
    session: Session, state: Path, old: tuple[str, str], into: tuple[str, str], *, by: str, reason: str = ""
) -> Merged:
    """Merge (issuer, Patient ID) into another, and compare the labels that had been refused for their patient.

    Raises:
        NoPatientId: one of them is empty.
        OneAlready: they are one patient already.
        SplitKeyLost: the split key is not the one that patients were assigned with.
    """
    done = merge_ids(session, require_split_key(session, state), old, into, by=by, reason=reason)
    after_merge(session, state)
    return done
