"""Approval of bundles: a person says that exactly these files may run here."""

import json
import uuid
from pathlib import Path

from dicomnode.bundles.dicom_toml import load_dicom_toml
from dicomnode.bundles.digest import digest
from dicomnode.errors import ModelFault
from dicomnode.index.database import Index
from dicomnode.index.models import record_approval, record_revocation, version_row
from dicomnode.values import ModelVersion

DEVICES = uuid.UUID("7c6d0b1e-5a0f-4c53-9f0e-2f6d2b1f8a57")
"""Namespace of our Device UIDs (0018,1002)."""


class NotApproved(ModelFault):
    """Nobody approved these files of a bundle, or the approval was revoked."""

    def __init__(self, name: str, found: str, *, revoked: bool) -> None:
        why = "its approval was revoked" if revoked else "these files were not approved"
        super().__init__(
            f"model {name} may not run: {why} (digest {found}). "
            f"If a person has checked them: `dicomnode models approve {name}`"
        )
        self.name, self.digest, self.revoked = name, found, revoked


def approve(index: Index, folder: Path, by: str) -> ModelVersion:
    """Allow the bundle as it lies in its folder now; `by` is the person who answers for it.

    Raises:
        ConfigFault: its dicom.toml cannot be used.
        ModelFault: it lacks its metadata, or is named otherwise than its folder.
    """
    version = version_of(folder)
    with index.transaction() as session:
        record_approval(session, version, by)
    return version


def approved(index: Index, folder: Path) -> ModelVersion:
    """The version in a folder, if it may run.

    Raises:
        NotApproved: it may not.
        ModelFault: it is no usable bundle.
    """
    version = version_of(folder)
    with index.transaction() as session:
        row = version_row(session, version.digest)
        if row is None or row.revoked_s is not None:
            raise NotApproved(version.name, version.digest, revoked=row is not None)
    return version


def revoke(index: Index, name: str) -> tuple[str, ...]:
    """Take back the approval of every version of a model; their digests. Runs that wait for it are parked."""
    with index.transaction() as session:
        return record_revocation(session, name)


def version_of(folder: Path) -> ModelVersion:
    """The version that lies in a folder, approved or not.

    Raises:
        ModelFault: it is no usable bundle.
        ConfigFault: its dicom.toml cannot be used.
    """
    found = digest(folder)
    name = load_dicom_toml(folder).model.name
    if name != folder.resolve().name:
        raise ModelFault(f"{folder} holds a bundle that calls itself {name}: the folder must have the same name")
    return ModelVersion(name, _version(folder), found, device_uid(found), folder)


def device_uid(found: str) -> str:
    """The Device UID of the version with this digest: a new one for each version (PS3.5 B.2)."""
    return f"2.25.{uuid.uuid5(DEVICES, found).int}"


def _version(folder: Path) -> str:
    path = folder / "configs" / "metadata.json"
    try:
        return str(json.loads(path.read_text(encoding="utf-8"))["version"])
    except FileNotFoundError as fault:
        raise ModelFault(f"{path} is missing") from fault
    except (json.JSONDecodeError, KeyError, TypeError) as fault:
        raise ModelFault(f"{path} names no version: {fault}") from fault
