"""What the gpu process hands to the engine: a prediction and the geometry it lies on, as files.

Written whole under a temporary name and renamed; arrays without pickle, the rest as JSON.
"""

import json
import os
import shutil
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dicomnode.values import (
    Answer,
    Classification,
    Detection,
    DomainAnswer,
    FindingScore,
    Frame,
    Lesion,
    Prediction,
    Segmentation,
    Volume,
)

WORK = "work"


def handover_folder(state: Path, run_key: str) -> Path:
    """Where the files of one run lie."""
    return state / WORK / run_key


def hand_over(state: Path, run_key: str, volume: Volume, prediction: Prediction, pictured: Sequence[int] = ()) -> None:
    """Write what was predicted.

    Of the voxels go along those inside the label map, to be measured, and the slices `pictured` whole, to be shown.
    """
    final = handover_folder(state, run_key)
    _remove_parts(state, run_key)
    made = final.with_name(f"{run_key}.{os.getpid()}.part")
    try:
        _write(made, volume, prediction, pictured)
        shutil.rmtree(final, ignore_errors=True)
        made.rename(final)
    except OSError:  # a full disk is not filled further with what nobody will read
        shutil.rmtree(made, ignore_errors=True)
        raise
    _sync(final.parent)


def _write(made: Path, volume: Volume, prediction: Prediction, pictured: Sequence[int]) -> None:
    made.mkdir(parents=True)
    arrays = _arrays(volume, prediction)
    if pictured:
        arrays |= {"pictured": np.array(pictured, np.int64), "slices": volume.voxels[list(pictured)]}
    np.savez(made / "arrays.npz", **arrays)
    (made / "facts.json").write_text(json.dumps(_facts(volume, prediction)), encoding="utf-8")
    for name in ("arrays.npz", "facts.json"):
        _sync(made / name)


def handed_over(state: Path, run_key: str) -> tuple[Volume, Prediction]:
    """What was predicted. Of the volume, the voxels inside the label map and the slices pictured; NaN elsewhere."""
    folder = handover_folder(state, run_key)
    facts = json.loads((folder / "facts.json").read_text(encoding="utf-8"))
    with np.load(folder / "arrays.npz", allow_pickle=False) as arrays:
        prediction = _prediction(facts["prediction"], arrays)
        return _volume(facts["volume"], arrays, prediction), prediction


def handed_runs(state: Path) -> frozenset[str]:
    """Keys of the runs that have files here, whole or half-written."""
    return frozenset(folder.name.split(".")[0] for folder in (state / WORK).glob("*"))


def forget(state: Path, run_key: str) -> None:
    """Remove the files of a run that has ended, and what a kill left half-written of it."""
    shutil.rmtree(handover_folder(state, run_key), ignore_errors=True)
    _remove_parts(state, run_key)


def _remove_parts(state: Path, run_key: str) -> None:
    """Remove what a process wrote of a run before it was killed."""
    for part in handover_folder(state, run_key).parent.glob(f"{run_key}.*.part"):
        shutil.rmtree(part, ignore_errors=True)


def _arrays(volume: Volume, prediction: Prediction) -> dict[str, Any]:
    arrays: dict[str, Any] = {"affine_lps": volume.affine_lps}
    if isinstance(prediction.answer, Segmentation):
        arrays["labels"] = prediction.answer.labels
        arrays["inside"] = volume.voxels[prediction.answer.labels > 0]
        if prediction.answer.probability is not None:
            arrays["probability"] = prediction.answer.probability
    if prediction.answer.saliency is not None:
        arrays["saliency"] = prediction.answer.saliency
    return arrays


def _facts(volume: Volume, prediction: Prediction) -> dict[str, Any]:
    answer = prediction.answer
    if isinstance(answer, Segmentation):
        said: dict[str, Any] = {"uncertainty": {str(k): v for k, v in answer.uncertainty.items()}}
    elif isinstance(answer, Detection):
        said = {"lesions": [asdict(lesion) for lesion in answer.lesions]}
    else:
        said = {"scores": [asdict(score) for score in answer.scores]}
    return {
        "volume": {
            "shape": list(volume.voxels.shape),
            "frames": [asdict(frame) | {"path": str(frame.path)} for frame in volume.frames],
            "series_uid": volume.series_uid,
            "frame_of_reference_uid": volume.frame_of_reference_uid,
            "has_geometry": volume.has_geometry,
            "notes": list(volume.notes),
        },
        "prediction": said
        | {
            "domain": asdict(prediction.domain),
            "device": prediction.device,
            "seconds": prediction.seconds,
            "notes": list(prediction.notes),
        },
    }


def _volume(facts: dict[str, Any], arrays: Any, prediction: Prediction) -> Volume:  # noqa: ANN401 - an open npz
    frames = tuple(Frame(**(frame | {"path": Path(frame["path"])})) for frame in facts["frames"])
    voxels = _voxels(tuple(facts["shape"]), arrays, prediction)
    rest = {name: facts[name] for name in ("series_uid", "frame_of_reference_uid", "has_geometry")}
    return Volume(voxels, arrays["affine_lps"], frames, notes=tuple(facts["notes"]), **rest)


def _voxels(shape: tuple[int, ...], arrays: Any, prediction: Prediction) -> NDArray[np.float32]:  # noqa: ANN401
    if "inside" not in arrays and "pictured" not in arrays:
        return np.broadcast_to(np.float32("nan"), shape)
    voxels = np.full(shape, np.nan, np.float32)
    if isinstance(prediction.answer, Segmentation):
        voxels[prediction.answer.labels > 0] = arrays["inside"]
    if "pictured" in arrays:
        voxels[arrays["pictured"]] = arrays["slices"]
    return voxels


def _prediction(facts: dict[str, Any], arrays: Any) -> Prediction:  # noqa: ANN401 - an open npz
    saliency = arrays.get("saliency")
    domain = DomainAnswer(**(facts["domain"] | {"reasons": tuple(facts["domain"]["reasons"])}))
    answer: Answer
    if "scores" in facts:
        answer = Classification(tuple(FindingScore(**score) for score in facts["scores"]), saliency)
    elif "lesions" in facts:
        answer = Detection(tuple(Lesion.of(**lesion) for lesion in facts["lesions"]))
    else:
        uncertainty = {int(k): v for k, v in facts["uncertainty"].items()}
        answer = Segmentation(arrays["labels"], uncertainty, saliency, arrays.get("probability"))
    prediction = Prediction(answer, domain, facts["device"], facts["seconds"])
    return replace(prediction, notes=tuple(facts["notes"]))


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
