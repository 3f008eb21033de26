"""The alpha ledger: every look at a sealed test set is written down before its answers exist, and costs.

Look k spends alpha / (k (k + 1)); all looks together spend less than alpha, however many there are. After the last
look a set is retired to retention (`split.seal`).
"""

import time
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from dicomnode.config.learning import GatePlan
from dicomnode.errors import Permanent, TooFewLabels
from dicomnode.index.learning import LookRow, SealedSetRow
from dicomnode.learn.values import Verdict


class NotSealed(Permanent):
    """A sealed test set cannot be looked at as asked."""


@dataclass(frozen=True)
class Look:
    """One look at a sealed test set."""

    look: int
    """From 1."""
    alpha: float
    """One-sided, for what is proven with it."""


def alpha_of(look: int, alpha: float) -> float:
    """What the k-th look may spend of alpha."""
    return alpha / (look * (look + 1))


def take_look(session: Session, plan: GatePlan, *, sealed_set: str, candidate: str) -> Look:
    """Write down a look before a candidate answers a sealed test set; commit it before anything else.

    The same candidate on the same set is the same look, so that a crash costs nothing twice and a repeat wins nothing.
    Looks are numbered by what is written, never by the clock.

    Args:
        session: open transaction.
        plan: alpha and how many looks there are.
        sealed_set: id of the set.
        candidate: digest of the candidate.

    Raises:
        NotSealed: unknown, retired, or no look is left: the set is retired then, and a new one must be sealed.
    """
    row = session.get(SealedSetRow, sealed_set, with_for_update=True)
    if row is None:
        raise NotSealed(f"{sealed_set[:16]} is no sealed test set")
    taken = session.scalars(select(LookRow).where(LookRow.sealed_set == sealed_set).order_by(LookRow.look)).all()
    for one in taken:
        if one.candidate == candidate:
            return Look(one.look, one.alpha)
    if row.retired_s is not None or len(taken) >= plan.max_looks:
        raise NotSealed(f"sealed test set {sealed_set[:16]} was looked at {len(taken)} times: retire it, seal another")
    look = (taken[-1].look if taken else 0) + 1
    alpha = alpha_of(look, plan.alpha)
    session.add(LookRow(sealed_set=sealed_set, look=look, alpha=alpha, candidate=candidate, at_s=time.time()))
    session.flush()
    return Look(look, alpha)


def sealed_for(session: Session, model: str, candidate: str, scope: str = "") -> SealedSetRow:
    """The sealed set that a candidate is judged by: the one it was looked at with, else the one that is open.

    Raises:
        TooFewLabels: no patient is sealed.
    """
    looked = (
        select(SealedSetRow)
        .join(LookRow, LookRow.sealed_set == SealedSetRow.sealed_set)
        .where(SealedSetRow.model == model, LookRow.candidate == candidate)
    )
    same = SealedSetRow.model == model, SealedSetRow.scope == scope
    opened = select(SealedSetRow).where(*same, SealedSetRow.retired_s.is_(None))
    found = session.scalars(looked).first() or session.scalars(opened).first()
    if found is None:
        raise TooFewLabels(
            f"too few: no patient can stand in a sealed test set of {model}. It takes labels by a reader who had not "
            "seen our result, of patients whom the split sends to test (one in five)"
        )
    return found


def write_verdict(session: Session, *, sealed_set: str, look: int, verdict: Verdict) -> None:
    """Put the verdict beside its look.

    Raises:
        NotSealed: the look was never taken, or has another verdict already.
    """
    row = session.get(LookRow, (sealed_set, look), with_for_update=True)
    if row is None or row.verdict not in ("", verdict.value):
        raise NotSealed(f"look {look} at {sealed_set[:16]} was not taken or has another verdict")
    row.verdict = verdict.value
