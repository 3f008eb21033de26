"""What a run found, in few words for tables; it names nobody."""

from dicomnode.bundles.dicom_toml import DicomToml
from dicomnode.encode.regions import voxel_ml
from dicomnode.values import Classification, Prediction, Segmentation, Volume


def summary_of(rules: DicomToml, volume: Volume, prediction: Prediction) -> dict[str, object]:
    """Finding to volume ("1.52 ml") or probability ("97 %"), or why neither is shown."""
    if not (prediction.domain.inside or prediction.domain.overridden):
        return {"outside the evaluated domain": "; ".join(prediction.domain.reasons)}
    if isinstance(prediction.answer, Segmentation):
        return _volumes(rules, volume, prediction.answer)
    return _probabilities(rules, prediction.answer)


def _volumes(rules: DicomToml, volume: Volume, answer: Segmentation) -> dict[str, object]:
    ml = voxel_ml(volume)
    return {s.label: f"{int((answer.labels == s.index).sum()) * ml:.2f} ml" for s in rules.segments}


def _probabilities(rules: DicomToml, answer: Classification) -> dict[str, object]:
    meanings = {finding.index: finding.concept.meaning for finding in rules.findings}
    return {
        meanings[score.index]: "no probability" if score.probability is None else f"{score.probability:.0%}"
        for score in answer.scores
    }
