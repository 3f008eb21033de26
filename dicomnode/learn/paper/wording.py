"""What each verdict means and what a person must do now; what each rule asks."""

from dataclasses import dataclass

from dicomnode.learn.values import RecipeName, Verdict


@dataclass(frozen=True)
class Said:
    """A verdict in plain words."""

    headline: str
    meaning: str
    todo: tuple[str, ...]


VERDICTS = {
    Verdict.PROMOTE: Said(
        "The candidate met every requirement that was fixed before it existed.",
        "On patients that it was never trained on, it is not worse than the approved baseline nor than the model in "
        "use, and it is better in the aim that was declared. It is not in use: nothing changes until a named person "
        "promotes it.",
        (
            "Read the limits of use and the subgroups below: a group with too few patients was not shown to be safe.",
            "Let the shadow period end ({shadow}), then look at every disagreement between the two versions.",
            "Decide, sign this report and promote it by name: "
            'dicomnode models promote {name} {version} --by "…" --reason "…"',
        ),
    ),
    Verdict.SHADOW: Said(
        "Nothing speaks against the candidate, but no declared benefit was proven.",
        "It may run beside the model in use, without sending anything, and cannot be promoted on this verdict. The "
        "model in use is untouched.",
        (
            "Nothing needs to be done. Its disagreements in shadow show where it differs from the model in use.",
            "More labelled patients may prove a benefit: the next candidate is made from all labels so far.",
        ),
    ),
    Verdict.REJECT: Said(
        "The candidate failed at least one requirement and must not be used.",
        "The model in use is untouched. The rules that failed stand below with every figure.",
        (
            "Read the failed rules. Where labels are in doubt, look at the wrong cases of the gallery first.",
            "Correct or withdraw labels that are wrong (dicomnode labels list), then wait for the next candidate.",
        ),
    ),
    Verdict.UNDERPOWERED: Said(
        "There are too few patients to say whether the candidate is safe to use.",
        "This is not a pass: the sealed test could not have shown a candidate of equal quality to be not worse. The "
        "candidate cannot be promoted; the model in use is untouched.",
        (
            "Collect more labelled patients; rule G8 below says how many are needed.",
            "Do not lower the margins to fit the data: they were fixed before the candidate existed.",
        ),
    ),
}

MADE_OF_TOO_FEW = Said(
    "Nothing speaks against the candidate, but it was made from too few patients for a verdict.",
    VERDICTS[Verdict.SHADOW].meaning,
    (
        VERDICTS[Verdict.SHADOW].todo[0],
        "How many patients its recipe needs stands below: the next candidate is made from all labels so far.",
    ),
)
"""The verdict SHADOW where the declared benefit was proven, and the recipe was named below its count."""

BY_ITSELF = Said(
    VERDICTS[Verdict.PROMOTE].headline,
    "On patients that it was never trained on, it is not worse than the approved baseline nor than the model in use, "
    "and it is better in the aim that was declared. This site has the node promote without a person: it comes in use "
    "by itself when its shadow period ends ({shadow}).",
    (
        "Read the limits of use and the subgroups below: a group with too few patients was not shown to be safe.",
        "Look at the disagreements while the shadow period runs, and once it is in use: "
        'dicomnode models rollback {name} --by "…" --reason "…" takes it back.',
    ),
)
"""The verdict PROMOTE where no person is asked."""

RESEARCH = "use in research mode, every result titled RESEARCH"
DECISIONS = {
    Verdict.PROMOTE: ("promote", "keep in shadow", "reject"),
    Verdict.SHADOW: ("keep in shadow", "reject", RESEARCH),
    Verdict.REJECT: ("reject", RESEARCH),
    Verdict.UNDERPOWERED: ("keep in shadow", "reject", RESEARCH),
}

RULES = {
    "G0": ("Integrity", "Do the candidate's files reproduce its answers, and is its base unchanged?"),
    "G1": ("Not worse", "Is it not worse than the approved baseline and than the model in use, by the margin?"),
    "G2": ("Benefit", "Is it better in the aim that was declared beforehand?"),
    "G3": ("Safety at the threshold", "Do sensitivity and specificity hold at the threshold that will be used?"),
    "G4": ("Retention", "Does it still do well on older, frozen test sets?"),
    "G5": ("Calibration", "Do the probabilities mean what they say?"),
    "G6": ("Subgroups", "Does it hold for each sex, age band, scanner and site with enough patients?"),
    "G7": ("Uncertainty", "Do its prediction sets cover the truth as often as promised, without abstaining too often?"),
    "G8": ("Power", "Were there enough patients to show it at all?"),
}

SYMBOLS = {True: ("✓", "passed", "good"), False: ("✕", "failed", "bad"), None: ("?", "cannot be told", "open")}
NOT_APPLICABLE = ("○", "does not apply", "open")
NOT_JUDGED = ("○", "not judged", "open")

ARMS = {
    "candidate": ("Candidate", "fine-tuned from the approved baseline"),
    "in_use": ("Model in use", "what answers today"),
    "baseline": ("Approved baseline", "the installed bundle, which every candidate goes back to"),
    "local_only": ("Local data only", "the same network trained from random weights on local labels alone"),
}

LOCAL_IS_BETTER = (
    "The same network does better from local labels alone: {figure} higher by {gain}. What the base knows helps little "
    'at this site; recipe = "scratch" makes a candidate without it, to be judged anew.'
)

FIGURES = {"auc": "AUC", "dice": "Dice", "froc": "Mean sensitivity (FROC)", "brier": "Brier score"}

SPLITS = {
    "test": "Sealed test: judged by the gate alone, each look counted",
    "retention": "Retention: a frozen set of an older time",
    "validation": "Validation: when to stop, which recipe; the gallery's cases",
    "calibration": "Calibration: probabilities, thresholds, prediction sets",
    "train": "Training",
}

ROLES = {
    "classification": {
        "correct": ("Correct", "The candidate agrees with the label, and is sure."),
        "wrong": ("Wrong", "The candidate contradicts the label. Is the candidate wrong, or the label?"),
        "uncertain": ("Uncertain", "The candidate is close to its threshold."),
    },
    "segmentation": {
        "correct": ("Best", "The highest Dice."),
        "wrong": ("Worst", "The lowest Dice. Is the candidate wrong, or the label?"),
        "uncertain": ("Typical", "Dice in the middle of all cases."),
    },
    "detection": {
        "correct": ("Correct", "Every lesion is found, and nothing else is marked."),
        "wrong": ("Wrong", "Lesions are missed, or marks are false. Is the candidate wrong, or the label?"),
        "uncertain": ("Uncertain", "A mark is close to its threshold."),
    },
}
"""Of each kind of model, the three roles of a case."""

SOURCES = {
    "person": "a person, by command", "seg": "segmentation (SEG)", "rtstruct": "structure set (RTSTRUCT)",
    "sr": "reader's report (SR)", "key object": "key object", "table": "table (CSV, JSON)",
    "report": "report text, by a labeler",
}  # fmt: skip

OWN: dict[str, str] = {
    RecipeName.SCRATCH: ARMS["local_only"][1],
    RecipeName.PLAIN: "another network, trained from random weights on local labels alone",
}
"""What a candidate is that has nothing of the base, by its recipe."""

ARCHITECTURE = "architecture of the network"
"""No recipe changes it but `plain`."""
UNCHANGED = (
    "intended use",
    "kind of input and the rules that choose it",
    "preprocessing",
    "meaning and number of the outputs",
)
