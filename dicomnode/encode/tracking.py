"""Tracking identifiers: how a reader's software follows one structure or finding through objects and studies.

An organ keeps its tracking UID from study to study; it follows from a keyed digest of the patient, so that
nobody without the node's key can go back from the UID to the patient.
"""

import hashlib
import hmac
import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from pydicom import Dataset

from dicomnode.archive.files import write_once
from dicomnode.bundles.dicom_toml import Code, Finding, Segment
from dicomnode.encode.uids import derived_uid

KEY_FILE = "patient.key"
"""Under the state folder; part of a backup, or organs get new tracking UIDs."""

KEY_BYTES = 32

ORGANS = {("91723000", "SCT"), ("123037004", "SCT"), ("85756007", "SCT")}
"""Anatomical Structure (both codes in use) and Tissue: what a patient keeps from study to study (CID 7150)."""


@dataclass(frozen=True)
class Tracking:
    """Tracking Identifier (112039, DCM) and Tracking Unique Identifier (112040, DCM)."""

    identifier: str
    uid: str


@dataclass(frozen=True)
class Structure:
    """A configured segment and how it is tracked in this patient."""

    segment: Segment
    tracking: Tracking
    one_of: str = ""
    """The configured label of which it is one lesion."""


def patient_key(state: Path) -> bytes:
    """The node's secret for patient digests, made on first use and readable by its owner alone."""
    path = state / KEY_FILE
    if not path.exists():
        write_once(path, secrets.token_bytes(KEY_BYTES))
    return path.read_bytes()


def segment_tracking(segment: Segment, task: str, source: Dataset, key: bytes) -> Tracking:
    """Tracking of one segment: the same across a patient's studies where it is an organ, else of this study."""
    side = segment.laterality.meaning if segment.laterality else ""
    structure = "/".join((segment.type.scheme, segment.type.value, segment.label))
    is_organ = (segment.category.value, segment.category.scheme) in ORGANS
    owner = _patient_digest(source, key) if is_organ else str(source.StudyInstanceUID)
    words = f"{segment.label}, {side.lower()}" if side else segment.label
    return Tracking(words, derived_uid("tracking", owner, task, structure, side))


def lesion_tracking(concept: Code, name: str, task: str, source: Dataset, place_mm: Iterable[float]) -> Tracking:
    """Tracking of one lesion, bound to its study and its place (LPS mm): never that of another one.

    The name is the lesion's own, with its number; the number does not enter the UID.
    """
    structure = f"{concept.scheme}/{concept.value}"
    place = ",".join(f"{mm + 0.0:.1f}" for mm in place_mm)
    return Tracking(name, derived_uid("lesion", str(source.StudyInstanceUID), task, structure, place))


def finding_tracking(finding: Finding, task: str, source: Dataset) -> Tracking:
    """Tracking of one classification finding, bound to its study."""
    concept = f"{finding.concept.scheme}/{finding.concept.value}"
    uid = derived_uid("finding", str(source.StudyInstanceUID), task, concept, str(finding.index))
    return Tracking(finding_name(finding), uid)


def finding_name(finding: Finding) -> str:
    """A finding as a reader names it, with its side where that is configured."""
    side = finding.laterality.meaning.lower() if finding.laterality else ""
    return f"{finding.concept.meaning}, {side}" if side else finding.concept.meaning


def report_tracking(task: str, study_uid: str) -> Tracking:
    """Tracking of a statement about the analysis as a whole."""
    return Tracking("Analysis", derived_uid("analysis", study_uid, task))


def _patient_digest(source: Dataset, key: bytes) -> str:
    """Keyed digest of Patient ID and issuer; of the study where there is no Patient ID."""
    patient_id = str(source.get("PatientID") or "").strip()
    issuer = str(source.get("IssuerOfPatientID") or "").strip()
    identity = f"{issuer}\0{patient_id}" if patient_id else str(source.StudyInstanceUID)
    return hmac.new(key, identity.encode(), hashlib.sha256).hexdigest()
