"""What stands of versions at one moment: which answer, which run in the shadow, what the last self-tests said."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from dicomnode.index.learning import AlarmRow, InUseRow, LearnedVersionRow, SelfTestRow, ShadowRow
from dicomnode.learn.versions.shadow import period

DAY_S = 86400.0
LATELY_S = 8 * DAY_S


@dataclass(frozen=True)
class InUse:
    """A version made here that answers."""

    model: str
    scope: str
    version: str
    research: bool
    by: str


@dataclass(frozen=True)
class InShadow:
    """A candidate whose shadow period runs."""

    model: str
    version: str
    compared: int
    words: str


@dataclass(frozen=True)
class LastTest:
    """A model's last self-test, of whichever of its versions failed last or was tested last."""

    model: str
    passed: bool
    age_s: float
    words: str


@dataclass(frozen=True)
class Versions:
    """All of it, for people and for Prometheus."""

    in_use: tuple[InUse, ...] = ()
    shadows: tuple[InShadow, ...] = ()
    self_tests: tuple[LastTest, ...] = ()
    alarms: tuple[str, ...] = ()
    """Words of those that no person has cleared, the newest first."""

    def rows(self) -> Iterator[tuple[str, str]]:
        """Lines of a table for a person; none where there is nothing to say."""
        if self.in_use:
            yield "versions", ", ".join(_in_use_words(one) for one in self.in_use)
        for one in self.shadows:
            yield "shadow", f"{one.model} {one.version}: {one.words}"
        if self.self_tests:
            told = (f"{t.model} {'passed' if t.passed else 'FAILED'} {_ago(t.age_s)}" for t in self.self_tests)
            yield "self-tests", ", ".join(told)

    def attention(self) -> list[str]:
        """What a person must look at."""
        failed = [f"the self-test of {t.model} FAILED: {t.words}" for t in self.self_tests if not t.passed]
        research = [f"{_in_use_words(one)}, put in use by {one.by}" for one in self.in_use if one.research]
        return [*failed, *research, *self.alarms]

    def plain(self) -> dict[str, object]:
        """For scripts."""
        return asdict(self)


def versions_now(session: Session, now_s: float) -> Versions:
    """Look at the index."""
    alarms = session.scalars(select(AlarmRow).filter_by(cleared_s=None).order_by(AlarmRow.at_s.desc())).all()
    return Versions(
        in_use=tuple(_in_use(session)),
        shadows=tuple(_in_shadow(session, now_s)),
        self_tests=tuple(_last_tests(session, now_s)),
        alarms=tuple(_alarm_words(alarm) for alarm in alarms),
    )


def _in_use(session: Session) -> Iterator[InUse]:
    query = select(InUseRow, LearnedVersionRow).join(LearnedVersionRow, LearnedVersionRow.digest == InUseRow.digest)
    for pointer, row in session.execute(query.order_by(InUseRow.model, InUseRow.scope)):
        yield InUse(row.model, pointer.scope, row.version, row.research, pointer.by)


def _in_shadow(session: Session, now_s: float) -> Iterator[InShadow]:
    for shadow in session.scalars(select(ShadowRow).filter_by(ended_s=None)):
        row, so_far = session.get(LearnedVersionRow, shadow.digest), period(session, shadow.digest)
        if row is not None and so_far is not None:
            yield InShadow(row.model, row.version, so_far.compared, so_far.words(now_s))


def _last_tests(session: Session, now_s: float) -> Iterator[LastTest]:
    """Of each model the last test; one that another version failed in the last days stands for it.

    A version that answers is tested every week: what was last tested before is none.
    """
    newest = select(func.max(SelfTestRow.test_key)).group_by(SelfTestRow.digest)
    last: dict[str, SelfTestRow] = {}
    left = set(session.scalars(select(LearnedVersionRow.digest).where(LearnedVersionRow.state.in_(GONE))))
    rows = session.scalars(select(SelfTestRow).where(SelfTestRow.test_key.in_(newest)).order_by(SelfTestRow.test_key))
    for row in rows:
        known = last.get(row.model)
        if row.digest not in left and (known is None or known.passed or now_s - known.at_s > LATELY_S):
            last[row.model] = row
    for model, row in sorted(last.items()):
        yield LastTest(model, row.passed, max(0.0, now_s - row.at_s), row.words)


GONE = ("former", "rolled back", "rejected")
"""States of versions that do not answer: what their last test said is history."""


def _alarm_words(row: AlarmRow) -> str:
    clear = f"`dicomnode learn drift --clear {row.alarm_key}` when it is seen to"
    return f"alarm ({row.kind}) of {row.model}: {row.words}; {clear}"


def _in_use_words(one: InUse) -> str:
    mark = ", for RESEARCH" if one.research else ""
    return f"{one.model} {one.version} answers{f' for {one.scope}' if one.scope else ''}{mark}"


def _ago(age_s: float) -> str:
    return f"{age_s / DAY_S:.0f} d ago" if age_s >= 2 * DAY_S else f"{age_s / 3600:.0f} h ago"
