"""The commonest arrival in four statements: a new instance of a series that is being received.

`arrivals.enter` does the same for every arrival; a study of 2000 images takes this way for 1999 of them. On
SQLite the statements, compiled once, go straight to the driver.
"""

import json
import sqlite3
from collections.abc import Mapping, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any, Protocol

from sqlalchemy import BindParameter, Connection, Executable, bindparam, exists, insert, or_, select, update
from sqlalchemy.dialects import sqlite
from sqlalchemy.engine import Compiled
from sqlalchemy.sql import ClauseElement

from dicomnode.index.schema import InstanceRow, ModelVersionRow, ResultRow, SeriesRow, StudyRow

if TYPE_CHECKING:
    from dicomnode.index.arrivals import Received

SAID = ("patient_name", "patient_birth_date", "patient_sex", "accession_number", "study_date", "description")
"""Columns of a study that its newest instance speaks for; Patient ID is that of the study already."""
_SERIES = (
    select(StudyRow.study_key, SeriesRow.series_key, *(getattr(StudyRow, name) for name in SAID))
    .join(SeriesRow, SeriesRow.study_key == StudyRow.study_key)
    .where(
        StudyRow.study_uid == bindparam("study_uid"),
        SeriesRow.series_uid == bindparam("series_uid"),
        StudyRow.state == "receiving",
        StudyRow.patient_id == bindparam("patient_id"),
    )
    .with_for_update(of=StudyRow)
)
"""The row keys of a series whose study nobody holds, of the same patient; the study's row is locked."""

_UID: BindParameter[str] = bindparam("sop_instance_uid")
_KNOWN = select(
    or_(
        exists().where(InstanceRow.study_key == bindparam("study_key"), InstanceRow.sop_instance_uid == _UID),
        exists().where(ResultRow.sop_instance_uid == _UID),
    )
)
_OURS = select(exists().where(ModelVersionRow.device_uid == bindparam("device_uid")))
_INSERT = insert(InstanceRow)
_TOUCH = update(StudyRow).where(StudyRow.study_key == bindparam("key"))


class Database(Protocol):
    """Where the statements are run, within a transaction that the caller holds."""

    def first(self, statement: Executable, values: Mapping[str, object]) -> Sequence[Any] | None:
        """The first row of a query."""

    def change(self, statement: Executable, values: Mapping[str, object]) -> None:
        """Insert or update."""


class ThroughSqlAlchemy:
    """Any database."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def first(self, statement: Executable, values: Mapping[str, object]) -> Sequence[Any] | None:
        """The first row of a query."""
        return self._connection.execute(statement, values).first()

    def change(self, statement: Executable, values: Mapping[str, object]) -> None:
        """Insert or update."""
        self._connection.execute(statement, values)


class ThroughDriver:
    """SQLite, without SQLAlchemy between."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def first(self, statement: Executable, values: Mapping[str, object]) -> Sequence[Any] | None:
        """The first row of a query."""
        found: Sequence[Any] | None = self._run(statement, values).fetchone()
        return found

    def change(self, statement: Executable, values: Mapping[str, object]) -> None:
        """Insert or update."""
        self._run(statement, values)

    def _run(self, statement: Executable, values: Mapping[str, object]) -> sqlite3.Cursor:
        compiled = _compiled(statement, tuple(values))
        given = {**compiled.params, **values}
        return self._connection.execute(compiled.string, [_bound(given[name]) for name in _order(compiled)])


def enter_next(database: Database, arrival: "Received") -> bool:
    """Enter an instance within the caller's transaction, unless anything about it is out of the ordinary.

    Returns:
        False when nothing was written: the study or series is new or held, another patient is named, the UID
        is known, or it is one of our own results. `arrivals.enter` knows what to do then.
    """
    uids = {"study_uid": arrival.study_uid, "series_uid": arrival.series_uid}
    found = database.first(_SERIES, {**uids, "patient_id": arrival.study["patient_id"]})
    if found is None or _is_known(database, found[0], arrival) or _is_ours(database, arrival):
        return False
    study_key, series_key, *was = found
    database.change(_INSERT, _row(study_key, series_key, arrival))
    said = {
        name: arrival.study[name] for name, text in zip(SAID, was, strict=True) if arrival.study[name] not in {"", text}
    }
    database.change(_TOUCH, {"key": study_key, **said, "last_received_s": arrival.stored.received_s})
    return True


def _is_known(database: Database, study_key: int, arrival: "Received") -> bool:
    return _is_so(database, _KNOWN, {"study_key": study_key, "sop_instance_uid": arrival.sop_instance_uid})


def _is_ours(database: Database, arrival: "Received") -> bool:
    return any(_is_so(database, _OURS, {"device_uid": uid}) for uid in set(arrival.device_uids))


def _is_so(database: Database, question: Executable, values: Mapping[str, object]) -> bool:
    answer = database.first(question, values)
    return answer is not None and bool(answer[0])


@cache
def _compiled(statement: ClauseElement, names: tuple[str, ...]) -> Compiled:
    return statement.compile(dialect=sqlite.dialect(), column_keys=list(names))


def _order(compiled: Compiled) -> list[str]:
    """Names of the parameters, in the order of their question marks."""
    names: list[str] = compiled.positiontup  # type: ignore[attr-defined]
    return names


def _bound(value: object) -> object:
    """As the columns' types write it."""
    return json.dumps(value) if isinstance(value, dict) else value


def _row(study_key: int, series_key: int, arrival: "Received") -> dict[str, object]:
    stored = arrival.stored
    return {
        "study_key": study_key,
        "series_key": series_key,
        "sop_instance_uid": arrival.sop_instance_uid,
        "sop_class_uid": arrival.sop_class_uid,
        "transfer_syntax_uid": stored.transfer_syntax_uid,
        "content_digest": stored.content_digest,
        "file": stored.file,
        "size_bytes": stored.size_bytes,
        "patient_id": arrival.study["patient_id"],
        "received_s": stored.received_s,
        "calling_ae": stored.calling_ae,
        "current": True,
        "own_result": False,
        "header": arrival.header.values,
    }
