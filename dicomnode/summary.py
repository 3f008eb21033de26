"""What a run found, in few words for tables; it names nobody."""

from dicomnode.bundles.dicom_toml import DicomToml, Kind
from dicomnode.encode.tracking import finding_name
from dicomnode.encode.voxel import voxel_ml
from dicomnode.values import Classification, Detection, FindingScore, Prediction, Segmentation, Volume

LITTLE = 0.01
NONE = "none"
ABOVE, BELOW = "above the threshold of", "below the threshold of"


def summary_of(rules: DicomToml, volume: Volume, prediction: Prediction) -> dict[str, object]:
    """Finding to volume ("1.52 ml") or probability ("97 %"), or why neither is shown."""
    if not (prediction.domain.inside or prediction.domain.overridden):
        return {"outside the evaluated domain": "; ".join(prediction.domain.reasons)}
    if isinstance(prediction.answer, Segmentation):
        return _volumes(rules, volume, prediction.answer)
    if isinstance(prediction.answer, Detection):
        return _lesions(rules, prediction.answer)
    return _probabilities(rules, prediction.answer)


def is_positive(rules: DicomToml, summary: dict[str, object]) -> bool | None:
    """Whether a summary tells of anything found; None where the study was not analysed, or lies outside the domain."""
    if rules.model.kind is Kind.SEGMENTATION:
        told = [(segment, summary.get(segment.label)) for segment in rules.segments]
        volumes = [(float(str(said).removesuffix(" ml")), one.min_volume_ml) for one, said in told if said is not None]
        return any(ml > least for ml, least in volumes) if volumes else None
    said = [str(summary[name]) for name in map(finding_name, rules.findings) if name in summary]
    if rules.model.kind is Kind.DETECTION:
        return any(words != NONE for words in said) if said else None
    return any(ABOVE in words for words in said) if said else None


def _volumes(rules: DicomToml, volume: Volume, answer: Segmentation) -> dict[str, object]:
    ml = voxel_ml(volume)
    return {s.label: f"{int((answer.labels == s.index).sum()) * ml:.2f} ml" for s in rules.segments}


def _probabilities(rules: DicomToml, answer: Classification) -> dict[str, object]:
    asked = ((rules.findings[score.index], score) for score in answer.scores)
    return {finding_name(finding): _said(score, finding.threshold) for finding, score in asked}


def _lesions(rules: DicomToml, answer: Detection) -> dict[str, object]:
    """Finding to its lesions: "2: 97 %, 81 %"."""
    told: dict[str, object] = {}
    for finding in rules.findings:
        found = [percent(lesion.probability) for lesion in answer.lesions if lesion.index == finding.index]
        told[finding_name(finding)] = f"{len(found)}: {', '.join(found)}" if found else NONE
    return told


def _said(score: FindingScore, threshold: float) -> str:
    if score.probability is None:
        return "no probability"
    where = ABOVE if score.positive else BELOW
    return f"{percent(score.probability)} ({where} {percent(threshold)})"


def percent(probability: float) -> str:
    """A probability as a person says it: never 0 or 100 %."""
    if probability < LITTLE:
        return "under 1 %"
    return "over 99 %" if probability > 1 - LITTLE else f"{100 * probability:.0f} %"
