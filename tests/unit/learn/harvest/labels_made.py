"""Studies in an index, and labels to put into it."""

from sqlalchemy.orm import Session

from dicomnode.index.schema import StudyRow
from dicomnode.learn.harvest.labels import NewLabel
from dicomnode.learn.values import Source

MODEL = "chest_xray"


def study(session: Session, name: str, *, patient: str = "P1", accession: str = "", state: str = "decided") -> StudyRow:
    """A study that has come."""
    row = StudyRow(
        study_uid=name, patient_id=patient, accession_number=accession, first_received_s=1.0, last_received_s=1.0
    )
    row.state = state
    session.add(row)
    session.flush()
    return row


def label(study_uid: str = "1.1", value: float | None = 1.0, **changes: object) -> NewLabel:
    """A reader's word on output 0."""
    values: dict[str, object] = {
        "model": MODEL, "output": 0, "value": value, "source": Source.SR, "who": "Reader^One", "made_s": 100.0,
        "study_uid": study_uid,
    }  # fmt: skip
    return NewLabel(**(values | changes))  # type: ignore[arg-type]
