"""Keyed hashes that stand in for patients and studies, and the one secret behind them.

A patient's key has two halves: of the Patient ID alone, and of ID and issuer. The split follows from the first, so that
a patient whose issuer some systems leave out cannot fall into two splits; the whole key tells two patients apart who
have one ID under two issuers.
"""

import hmac
import secrets
import unicodedata
from pathlib import Path

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from dicomnode.archive.files import write_once
from dicomnode.errors import ConfigFault, IdentityFault
from dicomnode.index.element_text import PADDING
from dicomnode.index.learning import PatientRow, SplitKeyRow
from dicomnode.learn.values import SHARES, Split

KEY_FILE = Path("learning") / "split.key"
"""Below the state folder; a backup holds it."""
SECRET_BYTES = 32
HALF = 32
"""Hex digits of each half of a patient's key."""


class NoPatientId(IdentityFault):
    """A study without a Patient ID belongs to nobody's split."""

    def __init__(self) -> None:
        super().__init__("no Patient ID: such a study is never learnt from")


class SplitKeyLost(ConfigFault):
    """The key that patients were assigned with is not the one in the state folder."""

    def __init__(self, why: str, patients: int) -> None:
        super().__init__(
            f"the split key {why}, and {patients} patients were assigned with it: learning stops. Restore "
            f"{KEY_FILE} from a backup; a new key would mix patients of the sealed test with those trained on"
        )
        self.patients = patients


def patient_key(secret: bytes, issuer: str, patient_id: str) -> str:
    """Key of a patient, 64 hex digits; case and inner spaces count, padding does not (PS3.5 6.2, VR LO).

    Raises:
        NoPatientId: there is no Patient ID.
    """
    plain = _normalised(patient_id)
    if not plain:
        raise NoPatientId
    of_id = _keyed(secret, "patient id", plain)
    return of_id[:HALF] + _keyed(secret, "patient", _normalised(issuer), plain)[:HALF]


def same_id(patient: str) -> str:
    """What the keys of one Patient ID under any issuer share."""
    return patient[:HALF]


def study_key_hash(secret: bytes, study_uid: str) -> str:
    """What stands for a Study Instance UID in a training set, 64 hex digits."""
    return _keyed(secret, "study", study_uid.strip(PADDING))


def number_hash(secret: bytes, accession_number: str) -> str:
    """What stands for an accession number where its study is known already, 64 hex digits."""
    return _keyed(secret, "accession number", _normalised(accession_number))


def split_of(secret: bytes, patient: str) -> Split:
    """The split that the keyed hash alone sends a patient to; the same for one ID under any issuer."""
    place = int(_keyed(secret, "split", same_id(patient))[:13], 16) / 16**13
    for split, share in SHARES.items():
        if place < share:
            return split
        place -= share
    return Split.TRAIN


def split_key(state: Path) -> bytes:
    """The secret of this node; made once, readable by its owner alone, and durable before anyone uses it.

    It is not checked against the patients here: `require_split_key` does that, before any is assigned.

    Raises:
        ConfigFault: the file holds no key.
    """
    file = state / KEY_FILE
    if not file.exists():
        write_once(file, secrets.token_hex(SECRET_BYTES).encode())
    return _read(file)


def require_split_key(session: Session, state: Path) -> bytes:
    """The secret that every patient in the index was assigned with.

    Raises:
        SplitKeyLost: it is gone or another one, while patients were assigned.
    """
    known = session.get(SplitKeyRow, 1)
    patients = session.scalar(select(func.count()).select_from(PatientRow)) or 0
    lost = not (state / KEY_FILE).exists()
    if lost and patients:
        raise SplitKeyLost("is gone", patients)
    secret = split_key(state)
    if known is None and patients:
        raise SplitKeyLost("cannot be checked", patients)
    if known is None:
        session.add(SplitKeyRow(number=1, check_value=_check_value(secret)))
        session.flush()
    elif not hmac.compare_digest(known.check_value, _check_value(secret)):
        if patients:
            raise SplitKeyLost("is another one than before", patients)
        known.check_value = _check_value(secret)
    return secret


def _check_value(secret: bytes) -> str:
    return _keyed(secret, "check")


def _keyed(secret: bytes, *parts: str) -> str:
    """HMAC-SHA-256 over the parts, each told with its length so that none can pass for another."""
    message = "".join([f"{len(part)}:{part}" for part in parts])
    return hmac.digest(secret, message.encode(), "sha256").hex()


def _normalised(text: str) -> str:
    return unicodedata.normalize("NFC", text.strip(PADDING))


def _read(file: Path) -> bytes:
    try:
        secret = bytes.fromhex(file.read_text(encoding="ascii"))
    except ValueError:
        secret = b""
    if len(secret) != SECRET_BYTES:
        raise ConfigFault(f"{file} holds no split key: restore it from a backup")
    return secret
