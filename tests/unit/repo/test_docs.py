"""What the conformance statement, the runbook and the page on learning name exists, and figures are the code's."""

import re
from pathlib import Path

from dicomnode.config.learning import GatePlan, Learn
from dicomnode.config.tables import Config
from dicomnode.index.schema import Base
from dicomnode.learn.train.recipes import LADDER, RECIPES
from dicomnode.learn.values import SHARES, SOURCE_RANK
from dicomnode.web.metrics import NodeCollector
from dicomnode.web.snapshot import Snapshot

ROOT = Path(__file__).parents[3]
DOCS = ROOT / "deploy" / "docs"
CONFORMANCE = (DOCS / "conformance.md").read_text(encoding="utf-8")
RUNBOOK = (DOCS / "runbook.md").read_text(encoding="utf-8")
LEARNING = (DOCS / "learning.md").read_text(encoding="utf-8")


def names_of_tests() -> set[str]:
    files = (ROOT / "tests").rglob("test_*.py")
    return {name for file in files for name in re.findall(r"^def (test_\w+)", file.read_text(), re.MULTILINE)}


def test_every_test_that_the_conformance_statement_names_exists() -> None:
    named = re.findall(r"`(test_\w+)`", CONFORMANCE)

    assert sorted(set(named) - names_of_tests()) == []
    assert len(named) > 60


def test_every_line_of_a_conformance_table_names_a_test() -> None:
    head, rows = "", []
    for line in CONFORMANCE.splitlines():
        head = line if line.startswith("|") and not head.startswith("|") else head if line.startswith("|") else ""
        rows += [line] if line.startswith("|") and "proved by" in head and "---" not in line and line != head else []

    assert [row for row in rows if "`test_" not in row] == []


def test_every_setting_that_the_runbook_names_exists() -> None:
    named = re.findall(r"`\[(\w+)\]\.(\w+)`", RUNBOOK)

    assert [pair for pair in named if pair[1] not in type(getattr(Config(), pair[0])).model_fields] == []
    assert len(named) >= 5


def test_every_metric_that_the_runbook_names_exists() -> None:
    there = {family.name for family in NodeCollector(Snapshot).collect()}

    assert set(re.findall(r"dicomnode_\w+", RUNBOOK)) <= there


def test_every_decision_is_short_and_says_what_was_chosen() -> None:
    for note in (DOCS / "decisions").glob("*.md"):
        lines = note.read_text(encoding="utf-8").splitlines()
        assert lines[0].startswith("# "), note.name
        assert len(lines) <= 40, note.name


def test_every_table_of_the_record_exists() -> None:
    named = [name for told in re.findall(r"tables? ((?:`\w+`(?:, )?)+)", LEARNING) for name in re.findall(r"\w+", told)]

    assert sorted(set(named) - set(Base.metadata.tables)) == []
    assert len(named) > 20


def test_the_page_on_learning_tells_the_splits_the_ranks_and_the_labels_that_recipes_need() -> None:
    assert all(f"| {split.value} | {share * 100:.0f} % |" in LEARNING for split, share in SHARES.items())
    assert set(re.findall(r"^\| (\d) \|", LEARNING, re.MULTILINE)) >= {str(rank) for rank in SOURCE_RANK.values()}
    needs = {name: f"| {RECIPES[name].patients}, {RECIPES[name].positives} |" for name in LADDER}
    assert [
        name
        for name, told in needs.items()
        if not re.search(rf"^\| `{name}` .*{re.escape(told)}", LEARNING, re.MULTILINE)
    ] == []


def test_the_limits_that_the_page_on_learning_tells_are_the_defaults() -> None:
    plan, learn = GatePlan(), Learn()
    told = {
        f"AUC and FROC {plan.margin_auc:g}, Dice {plan.margin_dice:g}",
        f"by more than {plan.margin_sensitivity:g}",
        f"older test sets | {plan.margin_retention:g} |",
        f"ECE {plan.max_ece:g}",
        f"| {plan.subgroup_margin:g}; a small",
        f"| {plan.coverage * 100:.0f} % within chance, {plan.max_abstention * 100:.0f} % |",
        f"| {plan.min_power * 100:.0f} %; and",
        f"spends {plan.alpha:g}/",
        f"until {learn.shadow_studies} studies were compared or {learn.shadow_days:.0f} days",
    }

    assert [words for words in told if words not in LEARNING] == []
    assert f'`learn.promote = "{Learn.model_fields["promote"].annotation.__args__[1]}"`' in LEARNING
