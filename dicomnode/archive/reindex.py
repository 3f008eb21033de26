"""Rebuild what the index knows of files from the files themselves.

Rows that the files confirm stay as they are, decisions and runs included. What is on disk and unknown is
entered, in the order it arrived; what is known and no longer on disk is forgotten, and said.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from pydicom.filereader import read_file_meta_info
from sqlalchemy import delete, select

from dicomnode.archive.files import DIGEST_PART, STUDIES, digest_of, instance_file
from dicomnode.archive.reading import Unreadable, data_set_start, read_header
from dicomnode.archive.scanning import BROKEN
from dicomnode.errors import NodeError
from dicomnode.index.arrivals import Outcome, Received, Stored, received, record
from dicomnode.index.database import Index
from dicomnode.index.schema import InstanceRow, TrainingMemberRow


@dataclass
class Reindexed:
    """What a rebuild found."""

    files: int = 0
    entered: int = 0
    """Were on disk and unknown."""
    damaged: list[str] = field(default_factory=list)
    """Files whose content is not what their name says, or no DICOM; left where they are."""
    missing: list[str] = field(default_factory=list)
    """Were known and are no longer on disk."""


def reindex(
    index: Index, state: Path, limit_bytes: int, *, on_file: Callable[[Path], None] = lambda _: None
) -> Reindexed:
    """Bring the rows of studies, series and instances in line with the files.

    Args:
        index: open and migrated; may be empty.
        state: the state folder.
        limit_bytes: most bytes that a deflated data set may inflate to.
        on_file: called with each file, for a progress bar.
    """
    found = Reindexed()
    for file in stored_files(state):
        on_file(file)
        found.files += 1
        try:
            arrival = received_from(state, file, limit_bytes)
        except NodeError:
            found.damaged.append(str(file.relative_to(state)))
            continue
        found.entered += record(index, arrival) is not Outcome.SAME
    _forget_missing(index, state, found)
    return found


def stored_files(state: Path) -> list[Path]:
    """Every stored instance, in the order of arrival."""
    return sorted((state / STUDIES).glob("[0-9]*/*/*.dcm"), key=lambda file: (file.stat().st_mtime_ns, file.name))


def received_from(state: Path, file: Path, limit_bytes: int) -> Received:
    """What the index keeps of one stored file.

    Raises:
        NotDicom: it cannot be read.
        IdentityFault: its UIDs cannot be used.
    """
    start = data_set_start(file)
    try:
        meta = read_file_meta_info(file)
        transfer_syntax_uid, calling_ae = str(meta.TransferSyntaxUID), str(meta.get("SourceApplicationEntityTitle", ""))
    except (*BROKEN, OSError) as fault:
        raise Unreadable("file meta information cannot be read") from fault
    digest, stat = digest_of(file), file.stat()
    name = str(file.relative_to(state))
    stored = Stored(name, stat.st_size, digest, transfer_syntax_uid, calling_ae, stat.st_mtime)
    arrival = received(read_header(file, start, transfer_syntax_uid, limit_bytes), stored)
    if instance_file(arrival.study_uid, arrival.series_uid, arrival.sop_instance_uid, digest) != name:
        raise Unreadable(f"content and name differ: {digest[:DIGEST_PART]}")
    return arrival


def _forget_missing(index: Index, state: Path, found: Reindexed) -> None:
    with index.transaction() as session:
        learnt_from = set(session.scalars(select(TrainingMemberRow.instance_key)))
        gone = [
            (key, file)
            for key, file in session.execute(select(InstanceRow.instance_key, InstanceRow.file))
            if not (state / file).exists()
        ]
        found.missing = [file for _, file in gone]
        for key, _ in gone:
            if key not in learnt_from:
                session.execute(delete(InstanceRow).where(InstanceRow.instance_key == key))
