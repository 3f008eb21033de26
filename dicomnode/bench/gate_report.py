"""What `dicomnode bench gate` measures and prints."""

from collections.abc import Callable
from dataclasses import asdict, dataclass

from rich.console import Console
from rich.table import Table

from dicomnode.bench import gate
from dicomnode.bench.gate import Chain, TypeOne
from dicomnode.bench.gate_whole import Verdicts, whole_chain
from dicomnode.learn.evaluate.ledger import alpha_of
from dicomnode.learn.evaluate.power import SIZES, Planned


@dataclass(frozen=True)
class Found:
    """All simulations."""

    errors: tuple[TypeOne, ...]
    """Of single looks."""
    lives: tuple[TypeOne, ...]
    """Over all looks at one set; and what counting images instead of patients would do."""
    chains: tuple[Chain, ...]
    whole: tuple[Verdicts, ...]
    covered: tuple[float, float]
    power: tuple[tuple[Planned, dict[int, float]], ...]

    @property
    def targets(self) -> dict[str, bool]:
        """Each target, and whether it is reached."""
        rule = "baseline, with the alpha ledger"
        worse, better = (
            next(c for c in self.chains if (c.rule, c.step) == (rule, s)) for s in (gate.WORSE, gate.BETTER)
        )
        return {
            "type I error of a first look at most 3.5 %": all(e.rate <= gate.TYPE_ONE_AT_MOST for e in self.errors),
            "24 worse updates: final below baseline - margin in at most 1 %": worse.below <= gate.CREEP_AT_MOST,
            "24 better updates: at least 90 % pass the baseline rule": better.passed >= gate.PASS_AT_LEAST,
            "coverage of each class in its band in at least 95 % of trials": min(self.covered) >= gate.COVERED_AT_LEAST,
        }


def measure(trials: int, whole: int, say: Callable[[str], None]) -> Found:
    """Run every simulation.

    Args:
        trials: simulated updates, or chains of them.
        whole: chains of 24 through the whole gate, four times.
        say: told what is being done.
    """
    say("type I error")
    first = alpha_of(1, gate.PLAN.alpha)
    single = [gate.type_one(patients, trials, alpha=first) for patients in (100, 200, 400, 1000)]
    errors = (*single, gate.several_images(200, trials, by_patient=True))
    lives = tuple(gate.all_looks(patients, trials) for patients in (200, 400))
    lives = (*lives, gate.several_images(200, trials, by_patient=False))
    say("chains of updates")
    chains = tuple(gate.chain(rule, step, trials) for rule in gate.RULES for step in (gate.WORSE, gate.BETTER))
    say("coverage of prediction sets, and power")
    covered, power = gate.covered(trials), tuple(gate.power_rows(trials))
    say("the whole gate")
    few, many = gate.PATIENTS, 4 * gate.PATIENTS
    rows = ((gate.WORSE, False, few), (gate.BETTER, False, few), (gate.BETTER, True, few), (gate.BETTER, True, many))
    told = tuple(whole_chain(step, whole, piling=piling, patients=n) for step, piling, n in rows) if whole else ()
    return Found(errors, lives, chains, told, covered, power)


def show(console: Console, found: Found) -> None:
    """Print every table, and the targets."""
    for table in (_errors(found), _chains(found), *([_whole(found)] if found.whole else []), _power(found)):
        console.print(table)
    absent, present = found.covered
    console.print(
        f"prediction sets: coverage within its 95 % band in {absent:.1%} of trials (absent), {present:.1%} (present)"
    )
    for target, reached in found.targets.items():
        console.print(f"{target}: {'reached' if reached else 'MISSED'}")


def as_json(found: Found) -> dict[str, object]:
    """Everything as plain values."""
    told = asdict(found)
    told["power"] = [{**asdict(test), "power": sizes} for test, sizes in found.power]
    return told | {"targets": found.targets}


def _errors(found: Found) -> Table:
    table = Table(title="passes of a candidate that is worse by exactly the margin (0.03 AUC)")
    for heading in ("patients", "method", "one-sided alpha", "passed", "95 % interval"):
        table.add_column(heading)
    for one in (*found.errors, *found.lives):
        band = f"{one.band[0]:.1%}-{one.band[1]:.1%}"
        table.add_row(str(one.patients), one.method, f"{one.alpha:.4f}", f"{one.rate:.1%}", band)
    return table


def _chains(found: Found) -> Table:
    table = Table(title=f"{gate.UPDATES} updates in a row, baseline AUC {gate.BASE:.2f}, {gate.PATIENTS} patients")
    for heading in ("compared with", "each truly", "passed", "AUC at the end", "below baseline - margin"):
        table.add_column(heading)
    for one in found.chains:
        table.add_row(one.rule, f"{one.step:+.3f}", f"{one.passed:.1%}", f"{one.final:.3f}", f"{one.below:.1%}")
    return table


def _whole(found: Found) -> Table:
    table = Table(title="the same through the whole gate")
    columns = list(found.whole[0].shares)
    for heading in ("", "patients", "each truly", "AUC at the end", *columns):
        table.add_column(heading)
    for one in found.whole:
        shares = (f"{one.shares[name]:.1%}" for name in columns)
        table.add_row(one.chain.rule, str(one.patients), f"{one.chain.step:+.3f}", f"{one.chain.final:.3f}", *shares)
    return table


def _power(found: Found) -> Table:
    table = Table(title="power to prove of an equal candidate that it is not worse, 30 % with the finding")
    for heading in ("AUC", "correlation", "margin", *(f"N = {size}" for size in SIZES)):
        table.add_column(heading)
    for test, sizes in found.power:
        told = (f"{test.area:.2f}", f"{test.correlation:.2f}", f"{test.margin:.2f}")
        table.add_row(*told, *(f"{sizes[size]:.2f}" for size in SIZES))
    return table
