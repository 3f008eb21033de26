"""Evidence and judgement as files of a job: arrays in .npz without pickle, all else in JSON."""

import io
import json
from collections.abc import Mapping
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dicomnode.archive.files import write_whole
from dicomnode.learn.values import Answers, CurvePoint, Estimate, Evidence, Judgement, RuleResult, Verdict

EVIDENCE = "evidence.json"
ARRAYS = "evidence.npz"
JUDGEMENT = "judgement.json"
ARMS = ("candidate", "in_use", "baseline", "local_only", "calibration")
TABLES = ("targets", "logits", "probabilities", "dice")

Arrays = dict[str, NDArray[Any]]


def save_evidence(folder: Path, evidence: Evidence) -> None:
    """Write evidence into a folder, arrays first: with the JSON it is complete."""
    arrays: Arrays = {}
    told: dict[str, object] = {
        field.name: getattr(evidence, field.name)
        for field in fields(Evidence)
        if field.name not in (*ARMS, "retention", "curve")
    }
    told |= {arm: _kept(arm, getattr(evidence, arm), arrays) for arm in ARMS}
    told["retention"] = {
        name: [_kept(f"retention/{place}/{side}", one, arrays) for side, one in enumerate(pair)]
        for place, (name, pair) in enumerate(evidence.retention.items())
    }
    told["curve"] = [asdict(point) for point in evidence.curve]
    content = io.BytesIO()
    np.savez_compressed(content, allow_pickle=False, **arrays)
    write_whole(folder / ARRAYS, content.getvalue())
    _write(folder / EVIDENCE, told)


def load_evidence(folder: Path) -> Evidence:
    """Read what `save_evidence` wrote."""
    told = json.loads((folder / EVIDENCE).read_text(encoding="utf-8"))
    with np.load(folder / ARRAYS, allow_pickle=False) as arrays:
        for arm in ARMS:
            told[arm] = _read(arm, told[arm], arrays)
        for place, (name, pair) in enumerate(told["retention"].items()):
            read = [_read(f"retention/{place}/{side}", one, arrays) for side, one in enumerate(pair)]
            told["retention"][name] = (read[0], read[1])
    told["curve"] = tuple(CurvePoint(**point | {"figure": Estimate(**point["figure"])}) for point in told["curve"])
    told["thresholds"] = {name: tuple(values) for name, values in told["thresholds"].items()}
    return Evidence(**told | {name: tuple(told[name]) for name in ("temporal", "outputs", "warnings")})


def save_judgement(folder: Path, judgement: Judgement) -> None:
    """Write a judgement into a folder."""
    _write(folder / JUDGEMENT, asdict(judgement))


def load_judgement(folder: Path) -> Judgement:
    """Read what `save_judgement` wrote."""
    told = json.loads((folder / JUDGEMENT).read_text(encoding="utf-8"))
    rules = tuple(RuleResult(**rule | {"figures": _figures(rule["figures"])}) for rule in told["rules"])
    return Judgement(**told | {"verdict": Verdict(told["verdict"]), "rules": rules})


def _figures(told: dict[str, Any]) -> dict[str, Estimate | float | str]:
    return {name: Estimate(**one) if isinstance(one, dict) else one for name, one in told.items()}


def _kept(name: str, answers: Answers | None, arrays: Arrays) -> dict[str, object] | None:
    if answers is None:
        return None
    arrays |= {f"{name}/{table}": getattr(answers, table) for table in TABLES}
    boxes = [box for item in answers.hits for box in item]
    arrays[f"{name}/boxes"] = np.array([len(item) for item in answers.hits], dtype=np.int64)
    arrays[f"{name}/scores"] = np.array([score for score, _ in boxes], dtype=np.float64)
    arrays[f"{name}/hits"] = np.array([hit for _, hit in boxes], dtype=np.bool_)
    return {
        "version": answers.version,
        "item_ids": answers.item_ids,
        "patients": answers.patients,
        "lesions": answers.lesions,
    }


def _read(name: str, told: dict[str, Any] | None, arrays: Mapping[str, NDArray[Any]]) -> Answers | None:
    if told is None:
        return None
    boxes = list(zip(arrays[f"{name}/scores"].tolist(), arrays[f"{name}/hits"].tolist(), strict=True))
    ends = np.cumsum(arrays[f"{name}/boxes"]).tolist()
    hits = tuple(tuple(boxes[start:end]) for start, end in zip([0, *ends], ends, strict=False))
    names: dict[str, Any] = {key: tuple(told[key]) for key in ("item_ids", "patients", "lesions")}
    names |= {table: arrays[f"{name}/{table}"] for table in TABLES}
    return Answers(version=told["version"], hits=hits, **names)


def _write(path: Path, told: object) -> None:
    write_whole(path, json.dumps(told, indent=1).encode())
