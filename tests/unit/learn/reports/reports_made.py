"""HL7 v2 messages with a report, and studies that they are about."""

from sqlalchemy.orm import Session

from dicomnode.config.learning import Learn, Mapping
from dicomnode.index.schema import StudyRow

MODEL = "chest_xray"
LEARN = Learn(
    map=(
        Mapping(model=MODEL, output=0, finding="pneumonia"),
        Mapping(model=MODEL, output=1, finding="pleural effusion"),
    )
)


def oru(
    text: str = "FINDINGS: Small pleural effusion. No pneumonia.",
    *,
    control_id: str = "M1",
    accession: str = "A1",
    status: str = "F",
    at: str = "20260102030405+0000",
    patient: str = "P1",
    charset: str = "",
    more: str = "",
) -> str:
    """An ORU^R01 with one report of one OBX."""
    return (
        f"MSH|^~\\&|RIS|HOSPITAL|NODE|AI|{at}||ORU^R01^ORU_R01|{control_id}|P|2.5||||||{charset}\r"
        f"PID|||{patient}^^^HOSPITAL||SECRET^NAME\r"
        f"OBR|1||{accession}^RIS|71020^CHEST|||||||||||||||||||{at}|||{status}\r"
        f"OBX|1|TX|GDT^REPORT||{text}||||||{status}\r{more}"
    )


def study(session: Session, *, uid: str = "1.2.3", accession: str = "A1", patient: str = "P1") -> StudyRow:
    """A study that has come."""
    row = StudyRow(
        study_uid=uid, patient_id=patient, accession_number=accession, first_received_s=1.0, last_received_s=1.0
    )
    row.state = "decided"
    session.add(row)
    session.flush()
    return row
