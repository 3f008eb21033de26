"""The change history in the shape that regulators ask for: FDA's PCCP, and Japan's change plan (IDATEN).

Source: FDA, Marketing Submission Recommendations for a Predetermined Change Control Plan for AI-Enabled Device Software
Functions (final, December 2024; August 2025); MHLW, evaluation index for AI whose performance changes after marketing
(May 2022).
"""

from collections.abc import Iterator
from dataclasses import dataclass

from dicomnode.config.learning import GatePlan
from dicomnode.learn.paper import plain
from dicomnode.learn.paper.told import Told
from dicomnode.learn.paper.wording import (
    ARCHITECTURE,
    NOT_APPLICABLE,
    NOT_JUDGED,
    OWN,
    RULES,
    SYMBOLS,
    UNCHANGED,
)
from dicomnode.learn.values import SHARES, Estimate, RecipeName

Row = tuple[str, str]


@dataclass(frozen=True)
class Event:
    """One entry of the history."""

    when: str
    what: str
    version: str
    by: str
    reason: str


def modifications(told: Told) -> tuple[Row, ...]:
    """PCCP part 1: what this modification changes, and what no modification may change."""
    fitted, evidence = told.fitted, told.evidence
    before, after = (evidence.thresholds.get(kind, ()) for kind in ("in_use", "candidate"))
    rows = [*_modified(told)]
    if before and after:
        pairs = zip(told.card.outputs, before, after, strict=False)
        said = "; ".join(f"{name}: {plain.number(old)} → {plain.number(new)}" for name, old, new in pairs)
        rows.insert(1, ("Decision thresholds", f"{said}."))
    if fitted.get("calibration"):
        rows.insert(1, ("Calibration", "Fitted anew on the calibration patients (Platt: slope and intercept)."))
    return tuple(rows)


def _modified(told: Told) -> tuple[Row, ...]:
    """What is modified, from where, and what is not."""
    recipe = f"the recipe “{told.evidence.recipe}”{_how_many(told)}"
    if told.evidence.recipe == RecipeName.PLAIN:
        return (
            (
                "What is modified",
                f"The network itself, its architecture with it: {OWN[RecipeName.PLAIN]}, by {recipe}.",
            ),
            ("Starting point", "Random weights; of the installed bundle everything but its network."),
            ("What does not change", f"Left as they are: {', '.join(UNCHANGED)}."),
        )
    start = "The installed, approved bundle; never an earlier candidate: small steps cannot add up."
    if told.evidence.recipe == RecipeName.SCRATCH:
        start = "Random weights; of the installed bundle everything but its network's weights."
    return (
        ("What is modified", f"Parameters of the network, by {recipe}."),
        ("Starting point", start),
        ("What does not change", f"Fine-tuning leaves as they are: {', '.join((*UNCHANGED, ARCHITECTURE))}."),
    )


def protocol(told: Told) -> tuple[Row, ...]:
    """PCCP part 2: how it is made, judged and put into use; the limits fixed beforehand."""
    shares = ", ".join(f"{split.value} {100 * share:.0f} %" for split, share in SHARES.items())
    return (
        (
            "Data management",
            f"Patients are assigned for life by a keyed hash ({shares}). A patient once trained on is barred from "
            "every test. Labels made with our result in sight never enter the sealed test. Patients who opted out are "
            "excluded for ever.",
        ),
        (
            "Re-training",
            f"Recipe “{told.evidence.recipe}”, seed {told.fitted.get('seed', plain.UNKNOWN)}; at most 8 trials of the "
            "learning rate, by cross-validation over patients inside the training data; the sealed test takes no part.",
        ),
        ("Performance evaluation", f"{limits(told.plan)} Look {told.judgement.look} at this sealed test set."),
        (
            "Update procedure",
            f"Shadow period of {told.shadow}, without sending; {_promotion(told)}; the version before "
            "stays installed and is one command away (dicomnode models rollback), and comes back by itself on errors, "
            "a failed self-test or an alarm of the output rate.",
        ),
    )


def limits(plan: GatePlan) -> str:
    """The limits that were fixed beforehand, in a sentence or two."""
    floors = [
        f"{name} at least {plain.number(floor)}" if floor else f"{name} at most {plan.margin_sensitivity:g} lower"
        for name, floor in (("sensitivity", plan.min_sensitivity), ("specificity", plan.min_specificity))
    ]
    return (
        f"Margins: AUC and FROC {plan.margin_auc:g}, Dice {plan.margin_dice:g}, older test sets "
        f"{plan.margin_retention:g}, subgroups {plan.subgroup_margin:g}. {'; '.join(floors).capitalize()}. Coverage of "
        f"prediction sets {plan.coverage:.0%}, abstention at most {plan.max_abstention:.0%}. One-sided error "
        f"{plan.alpha:g} over at most {plan.max_looks} looks; power at least {plan.min_power:.0%}."
    )


def impact(told: Told) -> tuple[Row, ...]:
    """PCCP part 3: benefits, risks and what is done about them, from the rules of the gate."""
    by_rule = {result.rule: result for result in told.judgement.rules}

    def said(*rules: str) -> str:
        found = [
            f"{rule} {SYMBOLS[by_rule[rule].passed][1]}: {by_rule[rule].words}" for rule in rules if rule in by_rule
        ]
        return " ".join(found) or "Not judged."

    return (
        ("Benefit", said("G2")),
        ("Risk: worse than before", said("G1", "G3")),
        ("Risk: forgetting, older patients", said("G4")),
        ("Risk: unequal performance", said("G6")),
        ("Risk: misplaced confidence", said("G5", "G7")),
        (
            "Mitigation",
            f"Shadow period; {_promotion(told)}; daily watch for drift; self-test at every start; rollback.",
        ),
    )


def change_plan(told: Told) -> tuple[Row, ...]:
    """The items of a Japanese change plan (変更計画), and where this report answers them."""
    return (
        ("Planned change and its range (変更の内容・範囲)", "Description of modifications, above."),
        ("Limits of performance (性能の変化の限界)", limits(told.plan)),
        ("Verification at each change (変更ごとの検証)", "Gate G0 to G8, on patients that were never trained on."),
        ("Provenance of the data, and their separation (データの由来・分離)", "Data provenance, and rule G0."),
        ("Record of the images used, and who is responsible (使用画像の記録・責任者)", _record(told)),
        ("Periodic self-test, shown to the user (定期的な自己点検)", "At every start and weekly: dicomnode status."),
    )


def events(told: Told) -> Iterator[Event]:
    """Versions and decisions in order of time."""
    found = [
        (row.created_s, f"Version made by {row.recipe}", row.digest, "", _outcome(row.verdict, row.state))
        for row in told.versions
    ]
    found += [(row.at_s, plain.words(row.what), row.digest, row.by, row.reason) for row in told.decisions]
    for at_s, what, digest, by, reason in sorted(found, key=lambda row: row[0]):
        yield Event(plain.day(at_s, with_time=True), what, digest[:12], by, reason)


def ledger(told: Told) -> tuple[tuple[str, ...], ...]:
    """The looks at this sealed set: number, when, error spent, candidate, verdict, what became known later."""
    return tuple(
        (
            str(row.look), plain.day(row.at_s), plain.number(row.alpha, 5), row.candidate[:12],
            row.verdict or _open(told, row.look), row.marked,
        )
        for row in sorted(told.looks, key=lambda row: row.look)
    )  # fmt: skip


def rules(told: Told) -> Iterator[dict[str, object]]:
    """The nine rules, each with its result and every figure; one that was not judged says so."""
    by_rule = {result.rule: result for result in told.judgement.rules}
    for rule in sorted({*RULES, *by_rule}):
        name, question = RULES.get(rule, (rule, ""))
        found = by_rule.get(rule)
        if found is None:
            yield _rule(rule, name, question, NOT_JUDGED, "", ())
            continue
        mark = SYMBOLS[found.passed] if found.applies else NOT_APPLICABLE
        yield _rule(
            f"{rule}.{found.version}", name, question, mark, found.words, tuple(map(_told, found.figures.items()))
        )


def _rule(
    rule: str, name: str, question: str, mark: tuple[str, str, str], words: str, figures: tuple[Row, ...]
) -> dict[str, object]:
    return {"rule": rule, "name": name, "question": question, "mark": mark, "words": words, "figures": figures}


def _told(one: tuple[str, Estimate | float | str]) -> Row:
    return plain.words(one[0]), plain.figure(one[1])


def _how_many(told: Told) -> str:
    trainable, total = told.fitted.get("trainable"), told.fitted.get("total")
    if not isinstance(trainable, int) or not isinstance(total, int) or not total:
        return ""
    return f": {plain.number(trainable)} of {plain.number(total)} ({100 * trainable / total:.2g} %)"


def _promotion(told: Told) -> str:
    """Who puts it in use."""
    if told.automatic:
        return "promotion by the node itself on the verdict PROMOTE, without a person, as this site's settings say"
    return "promotion by a named person only"


def _record(told: Told) -> str:
    digest = told.facts.get("Training set", plain.UNKNOWN)
    who = (
        "this site's settings, which have the node promote by itself" if told.automatic else "the approver named below"
    )
    return f"Manifest of the training set {digest[:16]}; {who}."


def _open(told: Told, look: int) -> str:
    return f"{told.judgement.verdict.value} (this report)" if look == told.judgement.look else "none: interrupted"


def _outcome(verdict: str, state: str) -> str:
    return f"verdict {verdict}, {state}" if verdict else state
