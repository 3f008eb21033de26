"""Whether a failure means that a disk is full: as the system says it, as SQLite does, as PostgreSQL does."""

import errno
import sqlite3

NO_ROOM = (errno.ENOSPC, errno.EDQUOT)
SQLITE_FULL = (sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR_SHMSIZE)
POSTGRESQL_FULL = "53100"
"""disk_full (PostgreSQL, appendix A)."""


def is_full(fault: BaseException) -> bool:
    """Whether a fault, or the database's own below it, says that there is no room left."""
    if isinstance(fault, OSError):
        return fault.errno in NO_ROOM
    own = getattr(fault, "orig", None) or fault
    return getattr(own, "sqlite_errorcode", None) in SQLITE_FULL or getattr(own, "sqlstate", None) == POSTGRESQL_FULL
