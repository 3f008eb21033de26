"""UIDs of what we make: each follows from the run and the object's role, never from time, host or chance.

Encoding a run twice gives the same objects, so that sending twice stores once.
"""

import uuid

from dicomnode.values import Role

ENCODER_VERSION = "2"
"""Part of the run key: raised when the same prediction would be encoded differently."""

NAMESPACE = uuid.UUID("4d1f7c0a-3a35-5b6e-9a51-6f0f0c2b7d11")
"""Name space of every UID made here (RFC 9562, version 5)."""

UID_LENGTH = 64
"""Longest UID (PS3.5 9.1)."""


def result_uid(run_key: str, role: Role, root: str = "2.25") -> str:
    """SOP Instance UID of the object of one role in one run."""
    return derived_uid("result", run_key, role, root=root)


def result_series_uid(run_key: str, role: Role, root: str = "2.25") -> str:
    """Series Instance UID of the object of one role in one run: each has a series of its own."""
    return derived_uid("series", run_key, role, root=root)


def derived_uid(*parts: str, root: str = "2.25") -> str:
    """A UID that follows from the parts alone (PS3.5 B.2).

    Raises:
        ValueError: the root leaves no room for the 39 digits of a UUID.
    """
    name = "|".join(f"{len(part)}:{part}" for part in parts)
    uid = f"{root}.{uuid.uuid5(NAMESPACE, name).int}"
    if len(uid) > UID_LENGTH:
        raise ValueError(f"UID root {root!r} is too long: {uid!r} has more than {UID_LENGTH} characters (PS3.5 9.1)")
    return uid
