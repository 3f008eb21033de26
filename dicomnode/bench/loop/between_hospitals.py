"""The loop between two hospitals: a base of the first, readers' reports of the second, and what comes back in SRs."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from pydicom import Dataset
from pydicom.sr.coding import Code

from dicomnode.bench.learning_base import frozen_base
from dicomnode.bench.learning_data import Picture, labelled_at_b, pictures, sealed_at_b
from dicomnode.bench.loop.course import Course, Told, reports_in
from dicomnode.bench.loop.reader import reader_report
from dicomnode.bench.loop.site import ANALYSE, site
from dicomnode.bench.loop.slices import secondary_capture
from dicomnode.bench.tables import interval
from dicomnode.encode import concepts
from dicomnode.encode.door.items import code_text, tree
from dicomnode.learn.evaluate.compare import Figure, compare, estimate
from dicomnode.learn.values import Answers, Estimate

MODEL = "base"
COVID = Code("840539006", "SCT", "COVID-19")
LABELLED, SEED = 400, 0
TESTED_OF_A_GROUP = 6
LEARN_S = 4 * 3600.0
LEARNING = f"""[learn]
enabled = true
sources = ["READER"]
recipe = "lpft"
trials = 2
window = ""
idle = false
shadow_studies = 100
[[learn.map]]
model = "{MODEL}"
output = 0
codes = ["840539006/SCT"]
"""


def hospital_loop(a: Path, b: Path, folder: Path, told: Told, *, threads: int = 0) -> dict[str, Any]:
    """One seed, through the node: AUC at the second hospital before and after, from the SRs in the PACS.

    Args:
        a: pictures of the first hospital.
        b: pictures of the second; its test groups are the ones fixed for the whole bench.
        folder: for everything that is made; a base that is there already is used.
        told: what a person who waits reads.
        threads: of every training; 0: all cores.
    """
    base = frozen_base(folder, a, threads or 1, told)
    found = pictures(b)
    labelled = [picture for picture, _ in labelled_at_b(found, SEED, LABELLED)]
    tested = _tested(found)
    learning = LEARNING.replace("[learn]", f"[learn]\nthreads = {threads}")
    with site(folder / "site", folder, MODEL, learning) as here:
        course = Course(here, MODEL, told)
        images = [secondary_capture(one, "B", "kept") for one in labelled]
        reports = [
            reader_report(image, COVID, present=bool(one.label)) for image, one in zip(images, labelled, strict=True)
        ]
        course.label(images, reports)
        made = course.learn(LEARN_S)
        if made["verdict"] == "REJECT":
            here.command("models", "shadow", MODEL, "--start", made["version"])
        before = [secondary_capture(one, "B", ANALYSE, "before") for one in tested]
        course.analyse(before)  # the version in use answers, and the candidate in its shadow
        promoted = course.promote(made)
        after = [secondary_capture(one, "B", ANALYSE, "after") for one in tested]
        course.analyse(after)
        said = probabilities(reports_in(folder / "site" / "pacs"))
    answers = [_answers(name, tested, sent, said) for name, sent in (("before", before), ("after", after))]
    return {
        "base_auc_on_held_out_a": round(base.auc_on_a, 4),
        "labelled_images": len(labelled),
        "test_groups": len(set(answers[0].patients)),
        "test_images": [len(one.item_ids) for one in answers],
        **made,
        "promoted": promoted,
        "auc_before": interval(estimate(Figure.AUC, answers[0], 0)),
        "auc_after": interval(estimate(Figure.AUC, answers[1], 0)),
        "gain": interval(_gain(answers[1], answers[0])),
        "seconds": course.seconds,
    }


def probabilities(reports: Iterable[Dataset]) -> dict[str, float]:
    """Probability of the finding, by Study Instance UID, as the SRs say."""
    found = {}
    for report in reports:
        for _, item in tree(report):
            if code_text(item, "ConceptNameCodeSequence") == f"{concepts.PROBABILITY.value}/DCM":
                found[str(report.StudyInstanceUID)] = float(item.MeasuredValueSequence[0].NumericValue)
    return found


def _tested(found: Sequence[Picture]) -> list[Picture]:
    groups = sealed_at_b(found)
    return [one for group in groups for one in [p for p in found if p.group == group][:TESTED_OF_A_GROUP]]


def _answers(name: str, tested: Sequence[Picture], sent: Sequence[Dataset], said: dict[str, float]) -> Answers:
    """What came back; a study without a probability is left out of both figures' comparison by its picture."""
    rows = [
        (picture, said[str(image.StudyInstanceUID)])
        for picture, image in zip(tested, sent, strict=True)
        if str(image.StudyInstanceUID) in said
    ]
    told = np.array([[probability] for _, probability in rows], np.float64)
    targets = np.array([[float(picture.label)] for picture, _ in rows])
    ids = tuple(picture.path.stem for picture, _ in rows)
    groups = tuple(picture.group for picture, _ in rows)
    return Answers(name, ids, groups, targets, told, told, np.empty((0, 0)))


def _gain(one: Answers, other: Answers) -> Estimate | None:
    difference = compare(Figure.AUC, one, other, 0) if one.item_ids == other.item_ids else None
    return difference.figure if difference else None
