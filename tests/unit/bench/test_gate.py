"""What the gate does over many updates; the full counts are in `dicomnode bench gate` and in the soak tests."""

import json

import pytest
from rich.console import Console

from dicomnode.bench import gate, gate_report
from dicomnode.bench.gate_whole import whole_chain
from dicomnode.learn.evaluate.ledger import alpha_of
from dicomnode.learn.evaluate.power import Planned, planned_power

FIRST = alpha_of(1, gate.PLAN.alpha)
LEDGER = "baseline, with the alpha ledger"


@pytest.mark.parametrize("patients", [200, 400])
def test_a_candidate_that_is_worse_by_the_margin_passes_a_first_look_in_at_most_35_of_1000(patients: int) -> None:
    found = gate.type_one(patients, 2000, alpha=FIRST)

    assert found.method == "DeLong"
    assert found.rate <= gate.TYPE_ONE_AT_MOST


def test_with_few_positives_the_bootstrap_answers() -> None:
    found = gate.type_one(100, 60, alpha=FIRST)

    assert found.method == "BCa"
    assert found.band[0] <= gate.TYPE_ONE_AT_MOST


def test_several_images_of_a_patient_are_one_patient_and_counting_them_would_let_too_much_pass() -> None:
    assert gate.several_images(200, 300, by_patient=True).band[0] <= gate.TYPE_ONE_AT_MOST
    assert gate.several_images(200, 300, by_patient=False).rate > gate.TYPE_ONE_AT_MOST


def test_24_updates_that_are_each_worse_end_above_the_baseline_less_the_margin() -> None:
    assert gate.chain(LEDGER, gate.WORSE, 200).below <= gate.CREEP_AT_MOST


def test_24_updates_that_are_each_better_pass_the_baseline_rule() -> None:
    assert gate.chain(LEDGER, gate.BETTER, 200).passed >= gate.PASS_AT_LEAST


def test_compared_with_the_version_before_alone_24_small_losses_add_up() -> None:
    found = gate.chain("previous version, no ledger", gate.WORSE, 200)

    assert found.final < gate.BASE - gate.PLAN.margin_auc
    assert found.below > 0.9


def test_each_class_is_covered_as_promised() -> None:
    assert min(gate.covered(60)) > 0.85  # of a true 0.95 at least 51 of 60, but for one time in a thousand


def test_the_power_table_is_that_of_the_research() -> None:
    row = {size: planned_power(Planned(0.85, 0.90, 0.03), size, trials=500) for size in (100, 400)}

    assert row[100] == pytest.approx(0.31, abs=0.07)
    assert row[400] == pytest.approx(0.83, abs=0.06)


def test_what_was_found_is_printed_with_every_target() -> None:
    chains = tuple(gate.chain(rule, step, 4) for rule in gate.RULES for step in (gate.WORSE, gate.BETTER))
    errors = (gate.type_one(200, 20, alpha=FIRST),)
    power = ((gate.TABLE[0], dict.fromkeys((100, 200, 400, 800, 1600), 0.5)),)
    found = gate_report.Found(errors, (), chains, (), (0.95, 0.90), power)
    console = Console(width=160)
    with console.capture() as said:
        gate_report.show(console, found)

    assert "coverage of each class in its band in at least 95 % of trials: MISSED" in said.get()
    assert list(found.targets.values())[-1] is False
    assert json.loads(json.dumps(gate_report.as_json(found)))["covered"] == [0.95, 0.90]


@pytest.mark.soak
def test_type_one_creep_and_coverage_over_2000_trials() -> None:
    assert gate.type_one(100, 2000, alpha=FIRST).rate <= gate.TYPE_ONE_AT_MOST
    assert gate.chain(LEDGER, gate.WORSE, 2000).below <= gate.CREEP_AT_MOST
    assert gate.chain(LEDGER, gate.BETTER, 2000).passed >= gate.PASS_AT_LEAST
    assert min(gate.covered(2000)) >= gate.COVERED_AT_LEAST - 0.01


@pytest.mark.soak
def test_the_whole_gate_lets_no_chain_of_losses_through() -> None:
    assert whole_chain(gate.WORSE, 10).chain.below == 0.0
