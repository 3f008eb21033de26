"""Approved model versions, as the index keeps them."""

import time
from collections.abc import Sequence

from sqlalchemy import select
from sqlalchemy.orm import Session

from dicomnode.index.schema import ModelVersionRow
from dicomnode.values import ModelVersion


def record_approval(session: Session, version: ModelVersion, by: str) -> ModelVersionRow:
    """Keep that a person approved a version; one that was revoked is approved again."""
    row = session.get(ModelVersionRow, version.digest) or ModelVersionRow(digest=version.digest)
    row.name, row.version, row.device_uid = version.name, version.version, version.device_uid
    row.approved_by, row.approved_s, row.revoked_s = by, time.time(), None
    session.add(row)
    return row


def record_revocation(session: Session, name: str) -> tuple[str, ...]:
    """Revoke every approved version of a model; their digests."""
    rows = session.scalars(select(ModelVersionRow).filter_by(name=name, revoked_s=None)).all()
    for row in rows:
        row.revoked_s = time.time()
    return tuple(row.digest for row in rows)


def version_row(session: Session, digest: str) -> ModelVersionRow | None:
    """The version with this digest, approved now or once."""
    return session.get(ModelVersionRow, digest)


def version_rows(session: Session, name: str) -> Sequence[ModelVersionRow]:
    """Every version of a model that was ever approved, newest first."""
    newest_first = ModelVersionRow.approved_s.desc()
    return session.scalars(select(ModelVersionRow).filter_by(name=name).order_by(newest_first)).all()
