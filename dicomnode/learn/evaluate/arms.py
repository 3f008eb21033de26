"""The three arms that are always reported, and the learning curve: base, fine-tuned, trained on local data alone."""

from dataclasses import dataclass

from dicomnode.learn.evaluate.compare import KIND_FIGURE, compare, estimate, outputs
from dicomnode.learn.values import Answers, CurvePoint, Estimate, Evidence

ARMS = ("base", "in use", "fine-tuned", "local only")


@dataclass(frozen=True)
class Arm:
    """One arm on one output, with its 95 % interval."""

    name: str
    output: int
    figure: Estimate | None
    """None: too few patients."""
    gain: Estimate | None
    """Fine-tuned less this arm, paired on the same patients; None for the fine-tuned arm itself."""


def arms(evidence: Evidence, *, seed: int = 0) -> tuple[Arm, ...]:
    """Every arm on every output in the kind's own figure; "local only" is missing where it was not trained."""
    figure = KIND_FIGURE[evidence.kind]
    answers = {"base": evidence.baseline, "in use": evidence.in_use, "fine-tuned": evidence.candidate}
    answers |= {"local only": evidence.local_only} if evidence.local_only else {}
    found = []
    for output in range(outputs(evidence.candidate, figure)):
        for name, one in answers.items():
            gain = compare(figure, evidence.candidate, one, output, seed=seed) if name != "fine-tuned" else None
            found.append(Arm(name, output, estimate(figure, one, output, seed=seed), gain.figure if gain else None))
    return tuple(found)


def curve_point(kind: str, share: float, patients: int, answers: Answers, *, seed: int = 0) -> CurvePoint | None:
    """One point of a learning curve, from answers on the validation split: never the sealed test, which is one look.

    Args:
        kind: of the model.
        share: of the training patients.
        patients: how many those were.
        answers: of the version trained on them.
        seed: of the bootstrap.

    Returns:
        mean over the outputs that can be judged, its bounds the mean of theirs (wider than need be: outputs share
        patients, and are not one another's repeats); None where no output can be judged.
    """
    figure = KIND_FIGURE[kind]
    told = [estimate(figure, answers, output, seed=seed) for output in range(outputs(answers, figure))]
    found = [one for one in told if one is not None]
    if not found:
        return None
    value, low, high = (
        sum(values) / len(found) for values in zip(*((o.value, o.low, o.high) for o in found), strict=True)
    )
    return CurvePoint(share, patients, Estimate(value, low, high, 0.95, min(one.n for one in found)))
