"""Item files that no training set names: of a set that was never finished, or of studies that were left out of it.

Nobody could find them when their patient is forgotten, so none stays.
"""

from pathlib import Path

import structlog
from sqlalchemy import select

from dicomnode.index.database import Index
from dicomnode.index.learning import TrainingItemRow

log = structlog.get_logger()


def remove_unnamed(index: Index, items: Path) -> int:
    """Remove them; how many. A set that is being made meanwhile does without those that it had made.

    Args:
        index: open index.
        items: folder of the item files of all sets.
    """
    found = {path.stem: path for path in items.glob("*/*.safetensors")}  # before what is named: that only grows
    with index.snapshot() as session:
        named = set(session.scalars(select(TrainingItemRow.item_id).distinct()))
    unnamed = [path for item_id, path in found.items() if item_id not in named]
    for path in unnamed:
        path.unlink(missing_ok=True)
    if unnamed:
        log.info("set.leftovers_removed", items=len(unnamed))
    return len(unnamed)
