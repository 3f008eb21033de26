"""What the gate says, and that it is not fooled."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.special import expit

from dicomnode.config.learning import GatePlan
from dicomnode.learn.evaluate.arms import arms, curve_point
from dicomnode.learn.evaluate.clusters import chosen
from dicomnode.learn.evaluate.gate import judge
from dicomnode.learn.evaluate.rules.asked import Asked
from dicomnode.learn.evaluate.rules.g3_safety import safety
from dicomnode.learn.values import Answers, Estimate, Evidence, Judgement, RuleResult, Verdict
from tests.unit.learn.evaluate.evidence_made import WHOLE, answers, evidence, labels, noises, of

PLAN = GatePlan()
NONE = np.zeros((0, 0))


def verdict(found: Evidence, plan: GatePlan = PLAN, *, look: int = 1) -> Verdict:
    return judge(plan, found, look, seed=0).verdict


def rule(judged: Judgement, name: str) -> RuleResult:
    return next(one for one in judged.rules if one.rule == name)


def with_scores(arm: Answers, logits: np.ndarray) -> Answers:
    return replace(arm, logits=logits[:, None], probabilities=expit(logits)[:, None])


def beside(*columns: Answers) -> Answers:
    """One answer with several findings."""
    first = columns[0]
    tables = {name: np.concatenate([getattr(c, name) for c in columns], axis=1) for name in ("targets", "logits")}
    return replace(first, probabilities=np.concatenate([c.probabilities for c in columns], axis=1), **tables)


def multi_label(*made: Evidence) -> Evidence:
    first = made[0]
    names = ("candidate", "in_use", "baseline", "calibration")
    told = {name: beside(*(getattr(one, name) for one in made)) for name in names}
    return replace(first, **told, thresholds={name: (0.3,) * len(made) for name in first.thresholds})


# Verdicts


def test_a_better_candidate_with_every_rule_kept_may_be_promoted() -> None:
    judged = judge(PLAN, evidence(areas=(0.95, 0.9, 0.9)), 1, seed=0)

    assert judged.verdict is Verdict.PROMOTE
    assert [one.rule for one in judged.rules] == [f"G{number}" for number in range(9)]
    assert (judged.look, judged.alpha) == (1, 0.0125)
    assert "a named person may promote" in judged.words
    assert "the approved baseline, which is in use" in rule(judged, "G1").words  # said once


def test_an_equal_candidate_stays_in_shadow_for_no_benefit_is_proven() -> None:
    judged = judge(PLAN, evidence(1000, areas=(0.93, 0.93, 0.93), seed=2), 1, seed=0)

    assert judged.verdict is Verdict.SHADOW
    assert "No benefit over the model in use is proven" in judged.words


def test_a_worse_candidate_is_rejected_and_every_figure_has_its_interval() -> None:
    judged = judge(PLAN, evidence(areas=(0.84, 0.9, 0.9)), 1, seed=0)

    assert judged.verdict is Verdict.REJECT
    told = rule(judged, "G1").figures["finding 1: AUC of candidate"]
    assert isinstance(told, Estimate)
    assert told.low < told.value < told.high
    assert "difference -0.0" in rule(judged, "G1").words


def test_a_hundred_patients_are_too_few_and_it_says_how_many_are_needed() -> None:
    judged = judge(PLAN, evidence(110, areas=(0.9, 0.9, 0.9), share=0.35), 1, seed=0)

    assert judged.verdict is Verdict.UNDERPOWERED
    assert rule(judged, "G8").passed is False
    assert rule(judged, "G8").figures["patients needed, about"] > 110
    assert "patients of the same mix are needed" in judged.words


def test_a_lucky_pass_without_power_is_no_promotion() -> None:
    judged = judge(PLAN, evidence(120, areas=(0.99, 0.9, 0.9)), 1, seed=1)

    assert rule(judged, "G1").passed
    assert rule(judged, "G2").passed
    assert judged.verdict is not Verdict.PROMOTE


def test_ten_patients_without_a_fault_prove_nothing() -> None:
    targets = labels(20, 0.5)
    perfect = [answers(version * 64, targets, 9 * targets, area=0.99) for version in "cu"]
    made = of(evidence(20, share=0.5), candidate=perfect[0], in_use=perfect[1], baseline=perfect[1])

    assert verdict(made, GatePlan(benefit="brier")) is Verdict.UNDERPOWERED


def test_a_later_look_needs_more() -> None:
    made = evidence(400, areas=(0.925, 0.9, 0.9), seed=2)
    first, tenth = (rule(judge(PLAN, made, look, seed=0), "G1").figures for look in (1, 10))
    name = "finding 1: less the approved baseline, which is in use"

    assert first[name].low > tenth[name].low
    assert first[name].level < tenth[name].level


def test_the_same_evidence_gets_the_same_judgement() -> None:
    made = evidence(120)

    assert judge(PLAN, made, 1, seed=3) == judge(PLAN, made, 1, seed=3)


def test_a_recipe_below_its_count_ends_as_shadow_or_underpowered_and_broken_files_are_still_rejected() -> None:
    warned = ("full was named below its count: too few for a verdict",)

    assert verdict(of(evidence(areas=(0.95, 0.9, 0.9)), warnings=warned)) is Verdict.SHADOW
    worse = judge(PLAN, of(evidence(areas=(0.84, 0.9, 0.9)), warnings=warned), 1, seed=0)
    assert worse.verdict is Verdict.UNDERPOWERED
    assert "Full was named below its count: too few for a verdict." in worse.words
    broken = of(evidence(), warnings=warned, integrity=WHOLE | {"base_unchanged": False})
    assert verdict(broken) is Verdict.REJECT


# Not worse than the baseline, nor than the model in use


def test_better_than_the_model_in_use_and_worse_than_the_baseline_is_rejected() -> None:
    judged = judge(PLAN, evidence(areas=(0.86, 0.84, 0.91), same=False), 1, seed=0)

    assert judged.verdict is Verdict.REJECT
    assert "the approved baseline" in rule(judged, "G1").words


def test_better_than_the_baseline_and_worse_than_the_model_in_use_is_rejected() -> None:
    judged = judge(PLAN, evidence(areas=(0.9, 0.95, 0.85), same=False), 1, seed=0)

    assert judged.verdict is Verdict.REJECT
    assert "the model in use" in rule(judged, "G1").words


def test_a_candidate_that_is_the_model_in_use_is_not_worse_and_no_benefit() -> None:
    made = evidence(400)

    assert verdict(of(made, candidate=made.in_use)) is Verdict.SHADOW


def test_the_newest_quarter_is_told_and_not_judged() -> None:
    made = evidence(400)
    judged = judge(PLAN, of(made, temporal=made.candidate.item_ids[::4]), 1, seed=0)

    assert "finding 1: newest quarter, less the baseline" in rule(judged, "G1").figures


# Integrity


@pytest.mark.parametrize(
    ("integrity", "words"),
    [
        ({"base_unchanged": False, "reload_logit_difference": 0.0}, "base_unchanged failed"),
        ({"base_unchanged": True, "reload_logit_difference": 2e-4}, "at most 0.0001 is allowed"),
        ({"base_unchanged": True, "reload_logit_difference": float("nan")}, "reload_logit_difference is nan"),
        ({"base_unchanged": True}, "reload_logit_difference was not measured"),
        (WHOLE | {"merge_relative_difference": 0.58}, "merge_relative_difference is 0.58"),
        (WHOLE | {"test_patients_trained_on": 1.0}, "test_patients_trained_on is 1.0"),
    ],
)
def test_a_candidate_whose_files_are_not_whole_is_rejected_with_words(integrity: dict, words: str) -> None:
    judged = judge(PLAN, of(evidence(60), integrity=integrity), 1, seed=0)

    assert judged.verdict is Verdict.REJECT
    assert words in judged.words
    assert all(one.passed is None for one in judged.rules[1:])


def test_an_unknown_recipe_or_a_model_without_thresholds_is_rejected_with_words() -> None:
    made = evidence(60)

    assert "its recipe '' is none that is known" in judge(PLAN, of(made, recipe=""), 1, seed=0).words
    assert "no decision threshold" in judge(PLAN, of(made, thresholds={"candidate": (0.5,)}), 1, seed=0).words


def test_without_calibration_patients_nothing_is_promised() -> None:
    made = evidence(areas=(0.95, 0.9, 0.9))
    judged = judge(PLAN, of(made, calibration=chosen(made.calibration, np.zeros(600, bool))), 1, seed=0)

    assert rule(judged, "G7").passed is not True
    assert judged.verdict is Verdict.SHADOW


def test_answers_that_are_no_numbers_are_rejected_with_words() -> None:
    made = evidence(60)
    broken = made.candidate.logits.copy()
    broken[7] = np.nan
    judged = judge(PLAN, of(made, candidate=replace(made.candidate, logits=broken)), 1, seed=0)

    assert judged.verdict is Verdict.REJECT
    assert "the candidate gave no number for 1 items" in judged.words


def test_answers_on_other_items_or_with_other_labels_are_no_comparison() -> None:
    made = evidence(60)
    flipped = replace(made.candidate, targets=1 - made.candidate.targets)
    fewer = evidence(59).in_use

    assert "did not answer the same items" in judge(PLAN, of(made, candidate=flipped), 1, seed=0).words
    assert "did not answer the same items" in judge(PLAN, of(made, in_use=fewer), 1, seed=0).words
    assert verdict(of(made, retention={"2025": (made.candidate, fewer)})) is Verdict.REJECT


# Attempts to fool it


def test_a_candidate_that_memorised_its_training_images_shows_on_the_sealed_patients() -> None:
    made = evidence()
    rng = np.random.default_rng(0)
    memorised = with_scores(made.candidate, rng.standard_normal(600) * 8)  # sure of itself, and right by chance
    on_training = answers("c" * 64, labels(600), 9 * labels(600), name="cal")  # perfect where it was fitted

    assert verdict(of(made, candidate=memorised, calibration=on_training)) is Verdict.REJECT


def test_a_candidate_fitted_on_the_sealed_patients_is_rejected_however_good_it_is() -> None:
    made = evidence(areas=(0.999, 0.9, 0.9))
    leaked = replace(made.calibration, patients=(*made.candidate.patients[:5], *made.calibration.patients[5:]))
    copied = replace(made.calibration, item_ids=(made.candidate.item_ids[0], *made.calibration.item_ids[1:]))

    assert "5 patients are in the sealed test and in the calibration split" in judge(
        PLAN, of(made, calibration=leaked), 1, seed=0
    ).words  # fmt: skip
    assert "images of the sealed test are in the calibration split" in judge(
        PLAN, of(made, calibration=copied), 1, seed=0
    ).words  # fmt: skip


def test_labels_swapped_in_training_are_rejected() -> None:
    made = evidence()

    assert verdict(of(made, candidate=with_scores(made.candidate, -made.candidate.logits[:, 0]))) is Verdict.REJECT


def test_a_calibration_that_turns_probabilities_round_is_rejected_although_the_logits_rank_well() -> None:
    made = evidence(areas=(0.97, 0.9, 0.9))

    assert verdict(of(made, candidate=replace(made.candidate, probabilities=1 - made.candidate.probabilities))) is (
        Verdict.REJECT
    )


def test_patients_sent_twenty_times_give_no_power() -> None:
    small = evidence(70, areas=(0.93, 0.9, 0.9), share=0.5)

    def repeated(one: Answers) -> Answers:
        rows = np.repeat(np.arange(70), 20)
        tables = {name: getattr(one, name)[rows] for name in ("targets", "logits", "probabilities")}
        ids = tuple(f"{place:06d}" for place in range(len(rows)))
        return replace(one, item_ids=ids, patients=tuple(one.patients[row] for row in rows), **tables)

    made = of(small, **{name: repeated(getattr(small, name)) for name in ("candidate", "in_use", "baseline")})
    once, often = (rule(judge(PLAN, one, 1, seed=0), "G8") for one in (small, made))

    assert often.passed is False
    assert often.figures["power"] == pytest.approx(once.figures["power"], abs=0.02)


def test_the_same_images_under_many_names_give_no_power_either() -> None:
    small = evidence(70, areas=(0.93, 0.9, 0.9), share=0.5)

    def renamed(one: Answers, *, new_ids: bool) -> Answers:
        rows = np.tile(np.arange(70), 2)
        tables = {name: getattr(one, name)[rows] for name in ("targets", "logits", "probabilities")}
        ids = tuple(f"{place:06d}" for place in range(140)) if new_ids else one.item_ids * 2
        names = tuple(f"{place // 70}{one.patients[row]}" for place, row in enumerate(rows))
        return replace(one, item_ids=ids, patients=names, **tables)

    once = rule(judge(PLAN, small, 1, seed=0), "G8")
    for new_ids in (False, True):
        arms = {name: renamed(getattr(small, name), new_ids=new_ids) for name in ("candidate", "in_use", "baseline")}
        often = rule(judge(PLAN, of(small, **arms), 1, seed=0), "G8")
        assert often.figures["power"] == pytest.approx(once.figures["power"], abs=0.02)


def test_patients_with_equal_scores_of_a_coarse_model_are_not_taken_for_copies() -> None:
    made = evidence(400)
    coarse = {
        name: with_scores(getattr(made, name), np.round(getattr(made, name).logits[:, 0]))
        for name in ("candidate", "in_use", "baseline")
    }

    figure = rule(judge(PLAN, of(made, **coarse), 1, seed=0), "G1").figures["finding 1: AUC of candidate"]
    assert figure.n == 400


def test_what_is_called_a_recalibration_must_be_one() -> None:
    made = of(evidence(400, areas=(0.95, 0.9, 0.9)), recipe="recalibrate")
    assert "its answers are not those of the approved baseline" in judge(PLAN, made, 1, seed=0).words

    real = of(
        made, candidate=replace(made.in_use, version="c" * 64), calibration=evidence(areas=(0.9,) * 3).calibration
    )
    judged = judge(PLAN, real, 1, seed=0)
    assert rule(judged, "G2").passed
    assert judged.verdict in (Verdict.PROMOTE, Verdict.SHADOW)


def test_a_version_that_answers_in_two_ways_is_rejected() -> None:
    made = evidence(60)

    assert (
        "answered in two ways"
        in judge(PLAN, of(made, candidate=replace(made.candidate, version="b" * 64)), 1, seed=0).words
    )


# Safety, retention, calibration, subgroups, prediction sets


def test_a_threshold_that_misses_more_is_rejected_although_the_area_is_better() -> None:
    made = evidence(areas=(0.94, 0.9, 0.9))
    judged = judge(PLAN, of(made, thresholds=made.thresholds | {"candidate": (0.95,)}), 1, seed=0)

    assert rule(judged, "G1").passed
    assert judged.verdict is Verdict.REJECT
    assert "sensitivity" in rule(judged, "G3").words


def test_a_floor_of_the_plan_is_held_by_the_lower_bound() -> None:
    made = evidence(areas=(0.95, 0.9, 0.9))
    value = safety(Asked(PLAN, made, 0.0125, 0)).figures["finding 1: sensitivity"].value
    answers = {
        step: safety(Asked(GatePlan(min_sensitivity=value + step), made, 0.0125, 0)) for step in (-0.1, -0.01, 0.01)
    }

    assert {step: found.passed for step, found in answers.items()} == {-0.1: True, -0.01: None, 0.01: False}


def test_what_was_forgotten_on_an_older_test_set_rejects() -> None:
    made, older = evidence(areas=(0.95, 0.9, 0.9)), evidence(400, areas=(0.8, 0.9, 0.9), seed=5)
    judged = judge(PLAN, of(made, retention={"2025": (older.candidate, older.in_use)}), 1, seed=0)

    assert judged.verdict is Verdict.REJECT
    assert "Something is forgotten: on 2025" in rule(judged, "G4").words
    assert {"finding 1: learning", "2025, finding 1: potential", "2025, finding 1: retention"} <= set(
        rule(judged, "G4").figures
    )


def test_probabilities_that_are_far_too_sure_keep_a_candidate_in_shadow() -> None:
    made = evidence(areas=(0.95, 0.9, 0.9))
    sure = with_scores(made.candidate, 4 * made.candidate.logits[:, 0])
    sure = replace(sure, logits=made.candidate.logits)
    judged = judge(PLAN, of(made, candidate=sure), 1, seed=0)

    assert rule(judged, "G5").passed is False
    assert "slope" in rule(judged, "G5").words
    assert judged.verdict is not Verdict.PROMOTE


def test_one_group_that_pays_for_the_others_rejects() -> None:
    made = evidence(1000, areas=(0.96, 0.9, 0.9))
    rng = np.random.default_rng(0)
    groups = {item: {"scanner": "A" if place % 5 else "B"} for place, item in enumerate(made.candidate.item_ids)}
    hurt = np.where(np.arange(1000) % 5 == 0, rng.normal(-0.8, 1, 1000), made.candidate.logits[:, 0])
    judged = judge(PLAN, of(made, candidate=with_scores(made.candidate, hurt), groups=groups), 1, seed=0)

    assert rule(judged, "G6").passed is False
    assert "Worse for scanner B" in rule(judged, "G6").words


def test_a_small_group_is_reported_and_never_passed() -> None:
    made = evidence(1000, areas=(0.95, 0.9, 0.9))
    groups = {item: {"sex": "F" if place < 20 else "M"} for place, item in enumerate(made.candidate.item_ids)}
    found = rule(judge(PLAN, of(made, groups=groups), 1, seed=0), "G6")
    assert str(found.figures["sex F"]).startswith("insufficient data: 20 patients with the finding and 0 without")
    assert "Insufficient data for sex F: not passed." in found.words

    nobody = rule(judge(PLAN, of(made, groups={}), 1, seed=0), "G6")
    assert nobody.passed is None


def test_prediction_sets_fitted_on_other_patients_do_not_keep_their_promise() -> None:
    made = evidence(areas=(0.95, 0.9, 0.9))
    easy = answers("c" * 64, labels(600), noises(1, 600, 0.0, np.random.default_rng(1))[0] / 5, area=0.95, name="cal")
    judged = judge(PLAN, of(made, calibration=easy), 1, seed=0)

    assert rule(judged, "G7").passed is False
    assert judged.verdict is Verdict.SHADOW


def test_an_unsure_model_abstains_too_often() -> None:
    judged = judge(GatePlan(max_abstention=0.02), evidence(areas=(0.95, 0.9, 0.9)), 1, seed=0)

    assert "is not sure in" in rule(judged, "G7").words
    assert judged.verdict is Verdict.SHADOW


# Several findings, one class, segmentation, detection


def test_of_several_findings_the_worst_decides_and_one_proven_gain_is_enough() -> None:
    gain, loss, equal = (evidence(areas=(area, 0.9, 0.9), seed=s) for s, area in enumerate((0.96, 0.84, 0.9)))
    good = judge(GatePlan(max_abstention=0.9), multi_label(gain, equal), 1, seed=0)
    assert rule(good, "G1").passed
    assert "finding 1" in rule(good, "G2").words

    named = of(multi_label(gain, loss), outputs=("Effusion", "Mass"))
    bad = judge(PLAN, named, 1, seed=0)
    assert bad.verdict is Verdict.REJECT
    assert "of 2 outputs Mass is the least sure" in rule(bad, "G1").words


def test_power_of_several_findings_is_that_of_all_of_them() -> None:
    one, two = (evidence(260, areas=(0.9, 0.9, 0.9), seed=seed) for seed in (1, 2))
    alone = [rule(judge(PLAN, made, 1, seed=0), "G8").figures["power"] for made in (one, two)]
    both = rule(judge(PLAN, multi_label(one, two), 1, seed=0), "G8").figures["power"]

    assert both == pytest.approx(alone[0] * alone[1], abs=0.03)  # of other noise: independent


@pytest.mark.parametrize("only", [0.0, 1.0])
def test_a_sealed_test_of_one_class_is_underpowered_in_words(only: float) -> None:
    made = evidence(200)

    def of_one_class(arm: Answers) -> Answers:
        return replace(arm, targets=np.full_like(arm.targets, only))

    one = of(made, **{name: of_one_class(getattr(made, name)) for name in ("candidate", "in_use", "baseline")})
    judged = judge(PLAN, one, 1, seed=0)
    assert judged.verdict is Verdict.UNDERPOWERED
    assert "fewer than two patients with it" in judged.words


def test_a_finding_that_no_patient_has_keeps_a_candidate_from_promotion() -> None:
    good, empty = evidence(areas=(0.96, 0.9, 0.9)), evidence(areas=(0.96, 0.9, 0.9), seed=1)
    none = {
        name: replace(getattr(empty, name), targets=np.zeros((600, 1))) for name in ("candidate", "in_use", "baseline")
    }  # fmt: skip

    assert verdict(multi_label(good, of(empty, **none))) is Verdict.UNDERPOWERED


def segmentation(count: int, gain: float, *, seed: int = 0) -> Evidence:
    rng = np.random.default_rng(seed)
    base = rng.uniform(0.6, 0.85, (count, 2))
    names = tuple(f"{place:03d}" for place in range(count))

    def arm(version: str, dice: np.ndarray) -> Answers:
        return Answers(version * 64, names, names, NONE, NONE, NONE, dice)

    candidate, baseline = arm("c", base + rng.normal(gain, 0.02, base.shape)), arm("b", base)
    calibration = Answers("c" * 64, ("x",), ("x",), NONE, NONE, NONE, np.ones((1, 2)))
    groups = {name: {"sex": "FM"[place % 2]} for place, name in enumerate(names)}
    return Evidence(
        "hippocampus", "segmentation", "norm", dict(WHOLE), candidate, baseline, baseline, None, {}, calibration,
        groups=groups,
    )  # fmt: skip


def test_a_segmentation_is_judged_by_dice_of_each_segment() -> None:
    judged = judge(PLAN, segmentation(80, 0.03), 1, seed=0)

    assert judged.verdict is Verdict.PROMOTE
    assert "Dice" in rule(judged, "G1").words
    assert [one.rule for one in judged.rules if not one.applies] == ["G3", "G4", "G5", "G7"]
    assert verdict(segmentation(80, -0.05)) is Verdict.REJECT
    assert verdict(segmentation(80, 0.0)) is Verdict.SHADOW
    assert verdict(segmentation(8, 0.03)) is Verdict.UNDERPOWERED


def detection(count: int, found: float, *, seed: int = 0) -> Evidence:
    rng = np.random.default_rng(seed)
    names = tuple(f"{place:03d}" for place in range(count))
    lesions = tuple(place % 2 for place in range(count))

    def arm(version: str, sensitivity: float) -> Answers:
        own = np.random.default_rng(9)  # the same lesions are the hard ones for every version
        hits = tuple(
            tuple(
                [(float(rng.uniform(0, 0.6)), False)]
                + [(float(rng.uniform(0.5, 1)), bool(own.random() < sensitivity)) for _ in range(lesion)]
            )
            for lesion in lesions
        )
        return Answers(version * 64, names, names, NONE, NONE, NONE, NONE, hits, lesions)

    candidate, baseline = arm("c", found), arm("b", 0.7)
    calibration = Answers("c" * 64, ("x",), ("x",), NONE, NONE, NONE, NONE, ((),), (0,))
    limits = dict.fromkeys(("candidate", "in_use", "baseline"), (0.55,))
    return Evidence(
        "nodule", "detection", "norm", dict(WHOLE), candidate, baseline, baseline, None, limits, calibration
    )  # fmt: skip


def test_a_detector_is_judged_by_its_mean_sensitivity() -> None:
    better = judge(GatePlan(margin_auc=0.15, margin_sensitivity=0.2), detection(300, 0.9), 1, seed=0)
    assert rule(better, "G1").passed
    assert rule(better, "G2").passed
    assert "mean sensitivity (FROC)" in rule(better, "G1").words
    assert better.verdict is Verdict.PROMOTE
    assert verdict(detection(200, 0.4)) is Verdict.REJECT


def test_a_plan_whose_aim_the_model_has_not_is_said() -> None:
    judged = judge(GatePlan(benefit="dice"), evidence(400, areas=(0.95, 0.9, 0.9)), 1, seed=0)

    assert "which a classification model has not: change the plan" in rule(judged, "G2").words


def test_three_arms_are_reported_with_intervals_and_paired_gains() -> None:
    made = evidence(areas=(0.95, 0.9, 0.9))
    local = answers("l" * 64, labels(600), noises(1, 600, 0.0, np.random.default_rng(4))[0], area=0.8)
    found = {arm.name: arm for arm in arms(of(made, local_only=local))}

    assert list(found) == ["base", "in use", "fine-tuned", "local only"]
    assert found["fine-tuned"].gain is None
    assert found["local only"].gain.low > 0.1
    assert all(arm.figure.low < arm.figure.value < arm.figure.high for arm in found.values())


def test_a_point_of_the_learning_curve_has_an_interval_and_none_where_nothing_can_be_told() -> None:
    made = evidence(200)
    point = curve_point("classification", 0.5, 80, made.candidate)

    assert point is not None
    assert (point.share, point.patients) == (0.5, 80)
    assert point.figure.low < point.figure.value < point.figure.high
    assert curve_point("classification", 0.5, 80, replace(made.candidate, targets=np.zeros((200, 1)))) is None
