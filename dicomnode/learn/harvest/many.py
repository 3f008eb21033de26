"""Many labels at once, as a table brings them: entered a few at a time, so that nobody who writes waits long for it."""

import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from dicomnode.index.database import BETWEEN_S, Index, in_parts
from dicomnode.learn.harvest.labels import Added, NewLabel, add_labels
from dicomnode.learn.harvest.patients import key_patients
from dicomnode.learn.split.keys import require_split_key

AT_ONCE = 200
"""Labels in one transaction: about half a second, and whoever else writes gives up after thirty."""


def enter_labels(index: Index, state: Path, labels: Sequence[NewLabel]) -> Iterator[Added]:
    """Enter labels, those that attach with the key of their patient; what became of all so far, after each few.

    What was yielded stays, whatever happens to the rest: labels that are entered again change nothing.

    Raises:
        SplitKeyLost: before any label is entered.
    """
    with index.transaction() as session:
        require_split_key(session, state)
    so_far = Added()
    for number, some in enumerate(in_parts(labels, AT_ONCE)):
        time.sleep(BETWEEN_S if number else 0.0)
        with index.transaction() as session:
            added = add_labels(session, some, state)
            key_patients(session, state, time.time())
        so_far = so_far.and_(added)
        yield so_far
