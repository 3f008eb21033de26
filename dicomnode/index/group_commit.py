"""Arrivals of several associations into the index, one transaction for all that wait at the same time.

A commit waits for the disk. Whoever has the turn commits for everyone who came while the last one waited; nobody
is told of success before the transaction that holds his row is durable.
"""

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from dicomnode.index.arrivals import Outcome, Received, enter, record
from dicomnode.index.database import Index
from dicomnode.index.next_instance import ThroughDriver, ThroughSqlAlchemy, enter_next


@dataclass(eq=False)
class _Ticket:
    """One arrival that waits."""

    arrival: Received
    outcome: Outcome | None = None
    fault: SQLAlchemyError | None = None

    @property
    def is_open(self) -> bool:
        """Whether nothing has been decided yet."""
        return self.outcome is None and self.fault is None


class Recorder:
    """Writes arrivals into one index; thread-safe."""

    def __init__(self, index: Index) -> None:
        self._index = index
        self._waiting: list[_Ticket] = []
        self._list_lock = threading.Lock()
        self._turn = threading.Lock()

    def record(self, arrival: Received) -> Outcome:
        """Write one stored instance into the index, durably; safe to repeat, and from several processes at once.

        Raises:
            SQLAlchemyError: the index cannot be written.
        """
        ticket = _Ticket(arrival)
        with self._list_lock:
            self._waiting.append(ticket)
        with self._turn:
            if ticket.is_open:
                self._serve(self._take(ticket))
        if ticket.fault is not None:
            raise ticket.fault
        assert ticket.outcome is not None
        return ticket.outcome

    def _take(self, own: _Ticket) -> list[_Ticket]:
        with self._list_lock:
            taken, self._waiting = self._waiting, []
        return taken if own in taken else [own, *taken]

    def _serve(self, tickets: list[_Ticket]) -> None:
        """Decide every ticket: all in one transaction, or one by one where that fails."""
        try:
            outcomes = self._together([ticket.arrival for ticket in tickets])
        except SQLAlchemyError:
            for ticket in tickets:
                self._alone(ticket)
        else:
            for ticket, outcome in zip(tickets, outcomes, strict=True):
                ticket.outcome = outcome

    def _together(self, arrivals: list[Received]) -> list[Outcome]:
        if self._index.engine.dialect.name == "sqlite" and self._shortly(arrivals):
            return [Outcome.NEW] * len(arrivals)
        with self._index.engine.begin() as connection:
            return [_entered(connection, arrival) for arrival in arrivals]

    def _shortly(self, arrivals: list[Received]) -> bool:
        """Enter them without SQLAlchemy; False, and nothing is written, where one is out of the ordinary or a fault."""
        try:
            with _driver(self._index) as connection:
                connection.execute("BEGIN IMMEDIATE")
                if all(enter_next(ThroughDriver(connection), arrival) for arrival in arrivals):
                    connection.execute("COMMIT")
                    return True
        except (sqlite3.Error, TypeError):  # what the types do not take is said by SQLAlchemy
            return False
        return False

    def _alone(self, ticket: _Ticket) -> None:
        try:
            ticket.outcome = record(self._index, ticket.arrival)
        except SQLAlchemyError as fault:
            ticket.fault = fault


def _entered(connection: Connection, arrival: Received) -> Outcome:
    if enter_next(ThroughSqlAlchemy(connection), arrival):
        return Outcome.NEW
    with Session(connection) as session:  # its own, so that it sees the rows as they are now
        outcome = enter(session, arrival)
        session.commit()  # writes into the connection's transaction, which goes on
    return outcome


@contextmanager
def _driver(index: Index) -> Iterator[sqlite3.Connection]:
    """A connection of the pool as the driver made it; what is not committed at the end is undone."""
    taken = index.engine.raw_connection()
    try:
        connection = taken.driver_connection
        assert isinstance(connection, sqlite3.Connection)
        yield connection
    finally:
        taken.close()
