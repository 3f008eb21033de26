"""The self-test: a small fixed set of images whose answers are known, asked again at every start and every week.

It lies in the bundle, `docs/selftest/`: `cases.json` and one array file a case. The folder is not part of what was
approved: it changes no result, and a set can be added to a bundle that runs. A version made here has the set of its
base; its own answers are kept when it first runs, beside its folder, and must not change from then on.
"""

import json
import math
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import structlog
from sqlalchemy import select
from sqlalchemy.orm import Session

from dicomnode.archive.files import write_whole
from dicomnode.bundles.dicom_toml import load_dicom_toml
from dicomnode.config.tables import Config, ModelSetting
from dicomnode.encode.voxel import voxel_ml
from dicomnode.errors import ConfigFault, ModelFault, NodeError, Transient
from dicomnode.index.database import Index
from dicomnode.index.learning import AlarmRow, InUseRow, LearnedVersionRow, SelfTestRow, ShadowRow
from dicomnode.index.work import pause
from dicomnode.learn.versions.in_use import installed, learned_version
from dicomnode.learn.versions.record import record
from dicomnode.learn.versions.rollback import automatic_rollback
from dicomnode.values import Classification, Detection, Header, ModelVersion, Prediction, Segmentation, Volume

log = structlog.get_logger()

FOLDER = Path("docs") / "selftest"
CASES = "cases.json"
RECORDED = "self_test.json"
"""Beside the folder of a version made here: what it said when it first ran."""
WEEK_S = 7 * 86400.0
PROBABILITY = 0.02
"""An answer may differ by so much: another device rounds otherwise."""
VOLUME_SHARE = 0.03
VOLUME_ML = 0.05
THE_TEST = "the self-test"

Answers = dict[str, dict[str, float]]
"""By case: what was said of each finding or segment."""


class Predictor(Protocol):
    """What answers; the gpu process holds one."""

    def predict(self, model: ModelVersion, volume: Volume, header: Header, setting: ModelSetting) -> Prediction:
        """What a model says of a volume."""


@dataclass(frozen=True)
class Case:
    """One image of a set."""

    name: str
    volume: Volume
    header: Header
    expected: Mapping[str, float]


@dataclass(frozen=True)
class Tested:
    """What came of one test."""

    passed: bool
    words: str


def cases_of(bundle: Path) -> tuple[Case, ...]:
    """The set of a bundle; empty where it has none.

    Raises:
        ConfigFault: it cannot be read.
    """
    path = bundle / FOLDER / CASES
    if not path.is_file():
        return ()
    try:
        return tuple(_case(path.parent, told) for told in json.loads(path.read_text(encoding="utf-8"))["cases"])
    except (OSError, ValueError, KeyError, TypeError) as fault:
        raise ConfigFault(f"the self-test set in {path.parent} cannot be read: {fault}") from fault


def _case(folder: Path, told: Mapping[str, Any]) -> Case:
    with np.load(folder / Path(str(told["file"])).name, allow_pickle=False) as arrays:
        voxels, affine = arrays["voxels"].astype(np.float32), arrays["affine_lps"].astype(np.float64)
    volume = Volume(voxels, affine, (), f"self-test {told['name']}", None, bool(told["has_geometry"]))
    expected = {str(name): float(value) for name, value in told["expected"].items()}
    return Case(str(told["name"]), volume, Header(dict(told["header"])), expected)


def answers_of(prediction: Prediction, volume: Volume, outputs: Sequence[tuple[int, str]]) -> dict[str, float]:
    """What was said, as figures: probability of a finding, millilitres of a segment, number and sum of lesions."""
    answer = prediction.answer
    if isinstance(answer, Segmentation):
        ml = voxel_ml(volume)
        return {name: round(int((answer.labels == index).sum()) * ml, 4) for index, name in outputs}
    if isinstance(answer, Classification):
        scores = {score.index: score.probability for score in answer.scores}
        return {name: math.nan if (p := scores.get(n)) is None else p for n, (_, name) in enumerate(outputs)}
    found: dict[str, float] = {}
    if isinstance(answer, Detection):
        for index, name in outputs:
            lesions = [lesion.probability for lesion in answer.lesions if lesion.index == index]
            found |= {f"{name} (number)": float(len(lesions)), f"{name} (sum)": round(sum(lesions), 4)}
    return found


def asked(config: Config, predictor: Predictor, version: ModelVersion) -> Answers:
    """What a version says of its set now.

    Raises:
        NodeError: it has no answer.
    """
    return {
        case.name: asked_one(config, predictor, version, case.volume, case.header) for case in cases_of(version.folder)
    }


def asked_one(
    config: Config, predictor: Predictor, version: ModelVersion, volume: Volume, header: Header
) -> dict[str, float]:
    """What a version says of one image; inside or outside of what it was evaluated on, the network is asked."""
    rules = load_dicom_toml(version.folder)
    outputs = [(segment.index, segment.label) for segment in rules.segments]
    outputs += [(finding.index, finding.concept.meaning) for finding in rules.findings]
    update = {"research_outside_domain": True, "saliency": False, "probability": False}
    setting = config.model(version.name).model_copy(update=update)
    return answers_of(predictor.predict(version, volume, header, setting), volume, outputs)


def judged(found: Answers, expected: Answers) -> Tested:
    """Whether what was said is what was expected."""
    wrong = [words for case in expected for words in _wrong(case, found.get(case, {}), expected[case])]
    if wrong:
        return Tested(False, "; ".join(wrong))
    return Tested(True, f"{len(expected)} image(s), every answer as expected")


def _wrong(case: str, found: Mapping[str, float], expected: Mapping[str, float]) -> Iterator[str]:
    for name, value in expected.items():
        now = found.get(name, math.nan)
        within = max(VOLUME_ML, VOLUME_SHARE * abs(value)) if abs(value) > 1 else PROBABILITY
        if not abs(now - value) <= within:  # NaN is wrong too
            yield f"{case}: {name} is {now:.4g}, expected {value:.4g}"


def run_self_test(index: Index, config: Config, predictor: Predictor, version: ModelVersion) -> Tested | None:
    """Ask a version its set, keep what came of it, and act on a failure; None where it has no set, or cannot now.

    A version made here that fails is rolled back; of a failing installed bundle all runs are paused, and a person
    is alarmed.
    """
    try:
        if not cases_of(version.folder):
            return None
        found = asked(config, predictor, version)
        tested = judged(found, _expected(index, config, version, found))
    except Transient as fault:
        log.warning("self_test.later", model=version.name, reason=str(fault))
        return None
    except NodeError as fault:
        tested = Tested(False, str(fault))
    with index.transaction() as session:
        session.add(
            SelfTestRow(
                model=version.name, digest=version.digest, at_s=time.time(), passed=tested.passed, words=tested.words
            )
        )
    if tested.passed:
        log.info("self_test.passed", model=version.name, digest=version.digest[:12])
    else:
        _on_failure(index, config, version, tested.words)
    return tested


def versions_to_test(session: Session, config: Config) -> tuple[ModelVersion, ...]:
    """Every version that answers here: the installed bundles that routes name, what is in use, and shadows."""
    names = dict.fromkeys(name for route in config.routes for name in route.models)
    return tuple(version for name in names for version in versions_of(session, config, name))


def versions_of(session: Session, config: Config, name: str) -> Iterator[ModelVersion]:
    """The versions of one model that answer here and may run."""
    in_use = session.scalars(select(InUseRow.digest).filter_by(model=name)).all()
    shadows = session.scalars(select(ShadowRow.digest).filter_by(model=name, ended_s=None)).all()
    rows = [session.get_one(LearnedVersionRow, digest) for digest in dict.fromkeys((*in_use, *shadows))]
    for row in (None, *rows):
        try:
            yield learned_version(session, config, row, shadow=True) if row else installed(session, config, name)
        except NodeError as fault:
            log.error("self_test.refused", model=name, reason=str(fault))


def self_test_all(index: Index, config: Config, predictor: Predictor, *, only_due: bool) -> None:
    """Ask every version that answers here its set; with `only_due`, those that were not asked in the last week."""
    with index.snapshot() as session:
        versions = [one for one in versions_to_test(session, config) if not only_due or due(session, one, time.time())]
    for version in versions:
        run_self_test(index, config, predictor, version)


def due(session: Session, version: ModelVersion, now_s: float) -> bool:
    """Whether a version was not tested in the last week; a clock that was set back does not put it off."""
    newest_first = SelfTestRow.test_key.desc()
    last = session.scalar(select(SelfTestRow.at_s).filter_by(digest=version.digest).order_by(newest_first).limit(1))
    return last is None or not 0 <= now_s - last < WEEK_S


def _expected(index: Index, config: Config, version: ModelVersion, found: Answers) -> Answers:
    """What the set says; of a version made here, what it said when it first ran."""
    with index.snapshot() as session:
        row = session.get(LearnedVersionRow, version.digest)
    if row is None:
        return {case.name: dict(case.expected) for case in cases_of(version.folder)}
    path = (config.node.state / row.folder).parent / RECORDED
    if path.is_file():
        told: Answers = json.loads(path.read_text(encoding="utf-8"))
        return told
    write_whole(path, json.dumps(found, indent=1).encode())
    with index.transaction() as session:
        record(session, "self-test kept", model=version.name, digest=version.digest, details=dict(found))
    return found


def _on_failure(index: Index, config: Config, version: ModelVersion, words: str) -> None:
    log.error("self_test.failed", model=version.name, digest=version.digest[:12], reason=words)
    if automatic_rollback(index, config, version.digest, "self-test", f"its self-test failed: {words}") is not None:
        return
    with index.transaction() as session:
        made_here = session.get(LearnedVersionRow, version.digest) is not None
        what = (
            "a candidate's self-test failed" if made_here else "the installed bundle's self-test failed: it is paused"
        )
        session.add(AlarmRow(model=version.name, kind="self-test", words=f"{what}: {words}", at_s=time.time()))
        if not made_here:
            pause(session, f"model:{version.name}", THE_TEST)


class NoSet(ModelFault):
    """A bundle has no self-test set."""

    def __init__(self, name: str) -> None:
        super().__init__(f"{name} has no self-test set: `dicomnode models self-test {name} --add FOLDER` makes one")
