"""What is being learnt at one moment, and how far it is."""

from dataclasses import dataclass, field

from sqlalchemy import select
from sqlalchemy.orm import Session

from dicomnode.index.learning import LearningRow
from dicomnode.learn.asking import UNDER_WAY

COUNTS = (("done", "of"), ("epoch", "epochs"))


@dataclass(frozen=True)
class Learning:
    """One attempt to make a candidate that has not ended."""

    job: str
    model: str
    scope: str
    state: str
    stage: str
    progress: dict[str, object] = field(default_factory=dict)
    node: str = ""
    """Which makes it."""
    seen_s: float | None = None
    """When it last said so, by its own clock."""

    @property
    def is_paused(self) -> bool:
        """For an analysis, or outside its hours."""
        return bool(self.progress.get("paused"))

    @property
    def ratio(self) -> float | None:
        """How much of what it does now is done; None where it does not tell."""
        for done, of in COUNTS:
            here, there = self.progress.get(done), self.progress.get(of)
            if isinstance(here, int | float) and isinstance(there, int | float) and there > 0:
                return min(1.0, here / there)
        return None

    def plain(self) -> dict[str, object]:
        """For scripts."""
        told = self.progress
        return {
            "job": self.job, "model": self.model, "scope": self.scope, "state": self.state, "stage": self.stage,
            "part": told.get("part", ""), "epoch": told.get("epoch"), "epochs": told.get("epochs"),
            "paused": self.is_paused, "ratio": self.ratio, "seconds_left": told.get("seconds_left"),
            "node": self.node, "seen_s": self.seen_s,
        }  # fmt: skip


def learning_now(session: Session) -> tuple[Learning, ...]:
    """Look at the index: what runs first, then what waits."""
    query = select(LearningRow).where(LearningRow.state.in_(UNDER_WAY))
    rows = session.scalars(query.order_by(LearningRow.state, LearningRow.started_s))
    return tuple(
        Learning(row.job, row.model, row.scope, row.state, row.stage, row.progress, row.node, row.seen_s)
        for row in rows
    )
