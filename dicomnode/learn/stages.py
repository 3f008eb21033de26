"""Each stage of a learning, safe to do twice. `learning.py` holds the order."""

import shutil
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import cached_property
from pathlib import Path
from typing import Any

import structlog
from sqlalchemy.orm import Session

from dicomnode.archive.files import write_whole
from dicomnode.bundles.approval import approved
from dicomnode.config.learning import GatePlan, LearnModel
from dicomnode.config.tables import Config
from dicomnode.errors import ModelFault, Permanent, TooFewLabels
from dicomnode.index.database import Index
from dicomnode.index.learning import LearnedVersionRow, LearningRow, SealedSetRow
from dicomnode.index.learnings import REPORT, end_learning, folder_of, held
from dicomnode.learn.apart import Oversight, Stopped, run_apart
from dicomnode.learn.arms import CANDIDATE, Arm, further_arms, train_order
from dicomnode.learn.asking import NotItsTurn, note_waiting, take_turn
from dicomnode.learn.evaluate.files import load_evidence, load_judgement, save_evidence, save_judgement
from dicomnode.learn.evaluate.gate import judge
from dicomnode.learn.evaluate.ledger import sealed_for, take_look, write_verdict
from dicomnode.learn.gathering import Asked, Gatherer, Versions, gather
from dicomnode.learn.harvest.patients import opted_out
from dicomnode.learn.job import DONE, AnyOrder, read
from dicomnode.learn.lease import Lease
from dicomnode.learn.oversight import oversight
from dicomnode.learn.paper.report import html
from dicomnode.learn.paper.told import Picture
from dicomnode.learn.sets.build import build_set
from dicomnode.learn.sets.manifest import load_set, manifest_of
from dicomnode.learn.showing import pictures
from dicomnode.learn.split.merge import bar_trained, standing
from dicomnode.learn.split.seal import current_set, retention_sets, sealed_items
from dicomnode.learn.telling import told_of
from dicomnode.learn.values import Item, Split, TrainingSet, Verdict
from dicomnode.learn.versions.in_use import answers_for, learned_version
from dicomnode.learn.versions.make import make_version
from dicomnode.learn.versions.shadow import note_verdict, start_shadow
from dicomnode.values import ModelVersion

log = structlog.get_logger()

RunApart = Callable[[Path, AnyOrder, Oversight], dict[str, object]]
FITTED = (Split.TRAIN, Split.VALIDATION, Split.CALIBRATION)
"""Splits that a version is made with: their patients are in no test ever after."""
NO_TEST = (
    "too few: none of {patients} labelled patient(s) can stand in a new sealed test set of {model}, so that no "
    "candidate could be judged. It takes labels by a reader who had not seen our result, of patients whom the split "
    "sends to test (one in five) and who were in no earlier test set"
)


class Turn(StrEnum):
    """Whose turn it is when a learning wants to begin."""

    ITS = "its"
    OTHERS = "others"
    NONE = "none"
    """It was cancelled, or has ended."""


@dataclass(frozen=True)
class LearnStages:
    """The stages of a learning, bound to one node."""

    config: Config
    index: Index
    apart: RunApart = run_apart
    """Runs a job's order in a process of its own."""

    @cached_property
    def lease(self) -> Lease:
        """By which other nodes know that this one makes a learning."""
        return Lease(self.index, self.config.node.state)

    def begin(self, job: str) -> str:
        """Take the learning up, if it is its turn (`Turn`); else say for whom it waits."""
        try:
            with self.index.transaction() as session:
                its = take_turn(session, job, holder=self.lease.holder, is_gone=self.lease.is_gone)
                return Turn.ITS if its else Turn.NONE
        except NotItsTurn as fault:
            with self.index.transaction() as session:
                note_waiting(session, job, fault.job)
            log.info("learn.waits", job=job, reason=str(fault))
            return Turn.OTHERS

    def collect(self, job: str) -> None:
        """Split ─► training set, and who is sealed."""
        row = self._at(job, "collect")
        training = build_set(
            self.index,
            self.config,
            self._base(row),
            run_child=lambda folder, order: self.apart(folder, order, self._oversight(row, "collect")),
            scope=row.scope,
        )
        if training.digest != row.training_set and self.folder(job).exists():
            shutil.rmtree(self.folder(job))  # of an attempt with another one
        with self.index.transaction() as session:
            looks, now_s = self._plan(row.model).max_looks, row.started_s
            sealed = current_set(session, row.model, training.items, max_looks=looks, now_s=now_s, scope=row.scope)
            self._held(session, job).training_set = training.digest
        if sealed is None:  # nothing that is trained now could be judged
            raise TooFewLabels(NO_TEST.format(model=row.model, patients=len(training.patients(*Split))))

    def train(self, job: str) -> None:
        """The candidate first; then the arms that it is compared with."""
        row = self._at(job, "train")
        training = self._training(row)
        with self.index.transaction() as session:
            _require_consent(session, training)
            bar_trained(session, training.patients(*FITTED), time.time())
        setting = self._model(row.model)
        candidate = Arm(CANDIDATE, setting.recipe or self.config.learn.recipe, trials=self.config.learn.trials)
        self._trained(row, candidate)
        for arm in further_arms(self._fitted(job)):
            try:
                self._trained(row, arm)
            except Stopped:  # the whole of it
                raise
            except Permanent as fault:  # too few for it: the comparison goes without, and the report says so
                log.warning("learn.without_arm", job=job, arm=arm.name, reason=str(fault))

    def make(self, job: str) -> None:
        """A version of what was fitted: immutable, named for its digest."""
        row = self._at(job, "make")
        base, training = self._base(row), self._training(row)
        with self.index.snapshot() as session:
            _require_consent(session, training)
            parent = answers_for(session, row.model, row.scope, base)
            sealed = sealed_for(session, row.model, row.candidate, row.scope)
        made = make_version(
            self.index,
            self.config,
            base,
            self.folder(job) / CANDIDATE,
            self._fitted(job),
            training_set=training,
            tested=sealed_items(sealed, training.items),
            scope=row.scope,
            parent=parent,
        )
        with self.index.transaction() as session:
            self._held(session, job).candidate = made.digest

    def answer(self, job: str) -> None:
        """Candidate, version in use and baseline on held-out patients; the look is written down first."""
        row = self._at(job, "answer")
        training = self._training(row)
        sealed, _ = self._look(row)
        with self.index.snapshot() as session:
            test = sealed_items(sealed, training.items)
            retention = dict(retention_sets(session, row.model, training.items))
            versions = self._versions(session, row)
        asked = Asked(training, self._manifest(training.digest), test, retention)
        gatherer = Gatherer(lambda name, order: self._apart(row, name, order), asked, self.config.learn.threads)
        integrity = self._integrity(row, training, test)
        save_evidence(self.folder(job), gather(gatherer, versions, self.folder(job), integrity))

    def judge(self, job: str) -> None:
        """The gate's verdict, with every number; written down beside its look."""
        row = self._at(job, "judge")
        sealed, look = self._look(row)
        evidence = load_evidence(self.folder(job))
        judgement = judge(self._plan(row.model), evidence, look, seed=self.config.learn.seed)
        save_judgement(self.folder(job), judgement)
        with self.index.transaction() as session:
            write_verdict(session, sealed_set=sealed.sealed_set, look=look, verdict=judgement.verdict)
            if not session.get_one(LearnedVersionRow, row.candidate).verdict:
                note_verdict(session, row.candidate, judgement)

    def write(self, job: str) -> None:
        """The report on the candidate, for a radiologist and a regulator."""
        row = self._at(job, "write")
        with self.index.snapshot() as session:
            folder, plan, training = self.folder(job), self._plan(row.model), self._training(row)
            told = told_of(session, self.config, row, folder, training, plan)
        told = replace(told, gallery=self._pictures(row, training))
        write_whole(folder / REPORT, html(told).encode())

    def offer(self, job: str) -> None:
        """Beside the version in use from now on, without sending; not where the gate rejects it."""
        row = self._at(job, "offer")
        judgement = load_judgement(self.folder(job))
        with self.index.transaction() as session:
            self._held(session, job)
            if judgement.verdict is not Verdict.REJECT:
                start_shadow(session, self.config, row.candidate)
            told = f"{judgement.verdict}: {judgement.words}"
            end_learning(session, job, self.lease.holder, state="done", reason=told)
        log.info("learn.done", job=job, candidate=row.candidate[:12], verdict=judgement.verdict)

    def park(self, job: str, family: str, reason: str) -> None:
        """No candidate came of it; a person may read why. Too few labels is an answer, and no fault."""
        state = "done" if family == "TooFewLabels" else "parked"
        with self.index.transaction() as session:
            ended = end_learning(session, job, self.lease.holder, state=state, reason=reason)
        if not ended:
            log.info("learn.left", job=job, reason=reason)
            return
        log.warning("learn.ended", job=job, state=state, reason=reason)

    def in_words(self, fault: Exception) -> str:
        """What ended a learning that nobody foresaw, with what to do."""
        kind = type(fault).__name__
        return f"unforeseen {kind}; the log of this time has the details; `dicomnode learn now` tries again"

    def folder(self, job: str) -> Path:
        """Of all that a learning makes."""
        return folder_of(self.config.node.state, job)

    def _at(self, job: str, stage: str) -> LearningRow:
        with self.index.transaction() as session:
            row = self._held(session, job)
            row.stage, row.progress, row.seen_s = stage, {}, time.time()
        return row

    def _held(self, session: Session, job: str) -> LearningRow:
        """The learning, kept from others until the transaction ends.

        Raises:
            Stopped: a person cancelled it, or another node makes it by now.
        """
        row = held(session, job, self.lease.holder)
        if row is None:
            raise Stopped(f"{job} was cancelled, or another node makes it by now")
        return row

    def _versions(self, session: Session, row: LearningRow) -> Versions:
        """The candidate, the version that it was made beside, and the installed bundle."""
        made, base = session.get_one(LearnedVersionRow, row.candidate), self._base(row)
        beside = session.get(LearnedVersionRow, made.parent)
        in_use = learned_version(session, self.config, beside, shadow=True) if beside else base
        return Versions(learned_version(session, self.config, made, shadow=True), in_use, base)

    def _trained(self, row: LearningRow, arm: Arm) -> None:
        order = train_order(self._base(row), self._manifest(row.training_set), arm, self.config.learn)
        self._apart(row, arm.name, order)

    def _apart(self, row: LearningRow, name: str, order: AnyOrder) -> Path:
        """The folder of a job that was run apart."""
        folder = self.folder(row.job) / name
        order = order.model_copy(update={"memory_share": self.config.learn.memory_share})
        self.apart(folder, order, self._oversight(row, name))
        return folder

    def _oversight(self, row: LearningRow, part: str) -> Oversight:
        return oversight(self.config, self.index, row.job, part, self.lease.holder)

    def _pictures(self, row: LearningRow, training: TrainingSet) -> tuple[Picture, ...]:
        """Of the report; one without is better than none."""
        with self.index.snapshot() as session:
            candidate = learned_version(session, self.config, self._version(row), shadow=True)
        manifest, asked = self._manifest(row.training_set), self.folder(row.job) / "answers_candidate"
        try:
            return pictures(lambda name, order: self._apart(row, name, order), candidate, training, manifest, asked)
        except Stopped:
            raise
        except Permanent as fault:
            log.warning("learn.without_pictures", job=row.job, reason=str(fault))
            return ()

    def _fitted(self, job: str) -> dict[str, Any]:
        return dict(read(self.folder(job) / CANDIDATE / DONE) or {})

    def _look(self, row: LearningRow) -> tuple[SealedSetRow, int]:
        """The sealed set that this candidate is judged by, and which look at it this is."""
        plan = self._plan(row.model)
        with self.index.transaction() as session:
            sealed = sealed_for(session, row.model, row.candidate, row.scope)
            look = take_look(session, plan, sealed_set=sealed.sealed_set, candidate=row.candidate)
        return sealed, look.look

    def _integrity(
        self, row: LearningRow, training: TrainingSet, test: Sequence[Item]
    ) -> dict[str, float | bool | str]:
        """What was measured of the candidate by the child that made it, and of who is in its test."""
        with self.index.snapshot() as session:
            fitted, tested = (
                {one.patient if (one := standing(session, key)) else key for key in keys}
                for keys in (training.patients(*FITTED), {item.patient for item in test})
            )
        leaked = float(len(fitted & tested))
        return dict(self._fitted(row.job).get("integrity") or {}) | {"test_patients_trained_on": leaked}

    def _base(self, row: LearningRow) -> ModelVersion:
        return approved(self.index, self.config.infer.folder / row.model)

    def _version(self, row: LearningRow) -> LearnedVersionRow:
        with self.index.snapshot() as session:
            return session.get_one(LearnedVersionRow, row.candidate)

    def _training(self, row: LearningRow) -> TrainingSet:
        return load_set(self._manifest(row.training_set))

    def _manifest(self, digest: str) -> Path:
        return manifest_of(self.config.node.state, digest)

    def _model(self, model: str) -> LearnModel:
        return self.config.learn.models.get(model, LearnModel())

    def _plan(self, model: str) -> GatePlan:
        return self.config.learn.plan_of(model)


def _require_consent(session: Session, training: TrainingSet) -> None:
    """No version is made with a patient who opted out since its training set was built.

    Raises:
        ModelFault: one did.
    """
    if gone := opted_out(session, training.patients(*Split)):
        raise ModelFault(f"{len(gone)} patient(s) opted out meanwhile: `dicomnode learn now` makes another candidate")
