"""Forty corrected segmentations through the PACS, for a base that was trained on twenty patients."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from dicomnode.bench.loop.course import Course, Told
from dicomnode.bench.loop.hippocampus import LEARNING, MODEL, Crop, base_bundle, read_crops
from dicomnode.bench.loop.site import ANALYSE, Site, site
from dicomnode.bench.tables import interval
from dicomnode.index.learnings import folder_of
from dicomnode.learn.evaluate.compare import Figure, compare, estimate
from dicomnode.learn.evaluate.files import load_evidence
from dicomnode.learn.split.keys import patient_key, split_key, split_of
from dicomnode.learn.values import Evidence, Split

CORRECTED = 40
SHADOWED = 5
LEARN_S = 4 * 3600.0


def corrected_loop(data: Path, folder: Path, told: Told, *, threads: int = 0) -> dict[str, Any]:
    """Base, labels, candidate, verdict and promotion; figures on patients whom the node sealed.

    Args:
        data: the public set of hippocampus crops.
        folder: for everything that is made; a base that is there already is used.
        told: what a person who waits reads.
        threads: of every training; 0: all cores.
    """
    told("the base is trained on twenty patients")
    _, used = base_bundle(data, folder / "models", threads or 2)
    learning = LEARNING.replace("[learn]", f"[learn]\nthreads = {threads}")
    with site(folder / "site", folder / "models", MODEL, learning) as here:
        course = Course(here, MODEL, told)
        chosen = _chosen(here, [crop for crop in read_crops(data) if crop.name not in used])
        images = {crop.name: crop.series("kept") for crop in chosen}
        course.label(
            [one for series in images.values() for one in series],
            [crop.corrected(images[crop.name]) for crop in chosen],
        )
        made = course.learn(LEARN_S)
        evidence = load_evidence(folder_of(here.config.node.state, made["learning"]))
        fresh = [crop for crop in read_crops(data) if crop.name in used][:SHADOWED]
        course.analyse([one for crop in fresh for one in crop.series(ANALYSE)])
        promoted = course.promote(made) if made["verdict"] != "REJECT" else "rejected, and not promoted"
        return made | _figures(evidence) | {"promoted": promoted, "seconds": course.seconds}


def _chosen(here: Site, crops: Sequence[Crop]) -> list[Crop]:
    """Forty crops that a version may be made with, and all those whom the node's split seals."""
    secret = split_key(here.config.node.state)
    splits = {crop.name: split_of(secret, patient_key(secret, "", f"BENCH-{crop.name}")) for crop in crops}
    fitted = [crop for crop in crops if splits[crop.name] in (Split.TRAIN, Split.VALIDATION, Split.CALIBRATION)]
    return fitted[:CORRECTED] + [crop for crop in crops if splits[crop.name] is Split.TEST]


def _figures(evidence: Evidence) -> dict[str, Any]:
    names = evidence.outputs or tuple(map(str, range(evidence.candidate.dice.shape[1])))
    told: dict[str, Any] = {"sealed_patients": len(set(evidence.candidate.patients))}
    for output, name in enumerate(names):
        gain = compare(Figure.DICE, evidence.candidate, evidence.baseline, output)
        told[name] = {
            "base": interval(estimate(Figure.DICE, evidence.baseline, output)),
            "fine-tuned": interval(estimate(Figure.DICE, evidence.candidate, output)),
            "local only": interval(estimate(Figure.DICE, evidence.local_only, output)) if evidence.local_only else None,
            "gain": interval(gain.figure) if gain else None,
        }
    return told
