"""Each stage of the journey, safe to do twice. `journey.py` holds the order."""

import hashlib
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Protocol, TypedDict

import structlog

from dicomnode.audit import AuditTrail
from dicomnode.bundles.dicom_toml import DicomToml, load_dicom_toml
from dicomnode.config.profiles import PICTURES
from dicomnode.config.tables import Config, ModelSetting
from dicomnode.deliver.commitment import overdue, request_commitment, unasked
from dicomnode.deliver.ledger import delivery, note_failure, park
from dicomnode.deliver.outbox import OutboxObject, load_result, post, quarantine
from dicomnode.deliver.send import Sender, send
from dicomnode.encode.context import Encoded
from dicomnode.encode.door import require_valid
from dicomnode.encode.results import could_not_analyse, encode_results, slices_to_keep
from dicomnode.encode.uids import result_uid
from dicomnode.errors import ConfigFault, DoorFault, ModelFault, NodeError, Permanent, Transient
from dicomnode.handover import hand_over, handed_over
from dicomnode.index.database import Index
from dicomnode.index.learning import EmbeddingRow
from dicomnode.index.priors import earlier_report, prior_failure
from dicomnode.index.runs import (
    POSTED,
    POSTING,
    begin,
    end,
    load_run,
    may_post,
    note_fault,
    note_posted,
    paused_scopes,
    require_run,
)
from dicomnode.learn.versions.in_use import version_of_run
from dicomnode.learn.versions.research import for_research
from dicomnode.learn.versions.shadow import COMPARE, compare, failed
from dicomnode.peers.remote import remote
from dicomnode.summary import summary_of
from dicomnode.values import (
    DOCUMENTS,
    QUEUE_PRIORITY,
    SHADOW_RANK,
    DeliveryStatus,
    Header,
    ModelVersion,
    Prediction,
    Priority,
    Role,
    Run,
    RunStatus,
    Series,
    Volume,
)

log = structlog.get_logger()

DAY_S = 86400.0
KILLED_ITS_PROCESS = (
    "the analysis killed its process three times. It did not hang (that ends at the model's time limit): mostly the "
    "machine ran out of memory, which `journalctl -k` tells; else see the gpu process's log. Then `dicomnode retry`"
)
HOLD_S = 0.3
"""Our association stays open so long for a peer that reports on it at once."""


class Start(TypedDict):
    """How a run goes on to its analysis."""

    stat: bool
    rank: int


class Predictor(Protocol):
    """What the gpu process holds open: warm models."""

    def predict(self, model: ModelVersion, volume: Volume, header: Header, setting: ModelSetting) -> Prediction:
        """What a model says of a volume."""


Build = Callable[[Series, DicomToml], Volume]
"""Builds a volume from a series (room `volume`)."""


@dataclass(frozen=True)
class Device:
    """What only a gpu process has."""

    build: Build
    predictor: Predictor


@dataclass(frozen=True)
class Stages:
    """The stages, bound to one node."""

    config: Config
    index: Index
    device: Device | None = None
    """None in the engine, which never analyses."""
    chores: dict[str, Callable[[str], None]] = field(default_factory=dict)
    told: Callable[[], None] = lambda: None
    """Called when a run's results wait in the outbox: the engine need not find out by itself."""

    def begin(self, run_key: str) -> Start | None:
        """Take the run up; None where it was cancelled or has ended."""
        with self.index.transaction() as session:
            if not begin(session, run_key, "queued for analysis"):
                return None
            row = require_run(session, run_key)
            priority = Priority(row.priority)
        if row.shadow:
            return Start(stat=False, rank=SHADOW_RANK)
        stat = priority is Priority.STAT and self.config.infer.stat_process
        return Start(stat=stat, rank=QUEUE_PRIORITY[priority])

    def analyse(self, run_key: str) -> None:
        """Volume ─► infer: build the volume, ask the model, hand the answer to the engine."""
        if self.device is None:
            raise RuntimeError("only a gpu process analyses")
        run, series, rules = self._load(run_key, "volume")
        began_s = time.monotonic()
        volume = self.device.build(series, rules)
        built_s = time.monotonic() - began_s
        self._note(run_key, "infer")
        setting = self._setting(run)
        prediction = self.device.predictor.predict(run.model, volume, series.first, setting)
        pictured = self._pictured(run, series, volume, prediction, rules)
        hand_over(self.config.node.state, run_key, volume, prediction, pictured)
        self._say(run_key, summary_of(rules, volume, prediction), prediction.embedding)
        self._took(run_key, {"volume": built_s, **prediction.seconds, "analyse": time.monotonic() - began_s})

    def _pictured(
        self, run: Run, series: Series, volume: Volume, prediction: Prediction, rules: DicomToml
    ) -> tuple[int, ...]:
        """The slices whose pixels must go along, where the viewer profile has pictures."""
        if run.shadow or not set(PICTURES) & set(self.config.objects(run.profile)):
            return ()
        return slices_to_keep(run, series, volume, prediction, rules, self.config.node)

    def _setting(self, run: Run) -> ModelSetting:
        """The model's settings; a map of probability, large as it is, is asked for only where it will be sent."""
        setting = self.config.model(run.model.name)
        if run.shadow:
            return setting.model_copy(update={"probability": False, "saliency": False})
        mapped = setting.probability and Role.PMAP in self.config.objects(run.profile)
        return setting.model_copy(update={"probability": mapped})

    def report(self, run_key: str, attempt: int, analysed: dict[str, str]) -> int:
        """Encode ─► door ─► outbox; how many results. One delivery per result and destination follows.

        Of a shadow nothing goes out: it is compared with what the version in use said.
        """
        if self._is_shadow(run_key):
            self._compare(run_key, analysed)
            return 0
        if self._is_cancelled(run_key):
            return 0
        run, series, rules = self._load(run_key, "encode")
        run = unable(run, attempt, self.config.node.uid_root) if analysed else run
        began_s = time.monotonic()
        objects = self._encoded(run_key, run, series, rules, analysed)
        outgoing = [outbox_object(one, _role(one, bool(analysed))) for one in objects]
        self._require_valid(run, series, rules, objects, outgoing)
        with self.index.transaction() as session:
            if not may_post(session, run_key):
                return 0
        post(self.index, self.config.node.state, run_key, run.destinations, outgoing)
        reason = f"could not analyse: {analysed['reason']}" if analysed else ""
        with self.index.transaction() as session:
            note_posted(session, run_key, parked=bool(analysed), reason=reason)
            note_fault(session, run_key, analysed.get("family", ""))
        self.told()
        self._took(run_key, {"encode": time.monotonic() - began_s})
        log.info("run.posted", run=run_key[:12], attempt=attempt, results=len(outgoing))
        return len(outgoing)

    def send(self, result_uid: str, destination: str, since_ms: int) -> str:
        """One attempt to store one result at one destination: "sent", "later", or "" where nothing is left to do.

        What a kill left stored is not stored again, but told and asked for all the same.
        """
        state = self.config.node.state
        with self.index.snapshot() as session:
            row = delivery(session, result_uid, destination)
            if row is None or row.status not in (DeliveryStatus.QUEUED, DeliveryStatus.SENT):
                return ""
            if {"all", f"destination:{destination}"} & paused_scopes(session):
                return "later"
            result = load_result(session, state, result_uid)
        try:
            sent = send(Sender(self.index, state, remote(self.config, destination)), result)
        except Transient:
            if time.time() - since_ms / 1000 < self.config.deliver.give_up_days * DAY_S:
                return "later"
            park(self.index, result_uid, destination, f"{destination} took nothing for days: `dicomnode retry`")
        except Permanent as fault:
            park(self.index, result_uid, destination, str(fault))
        else:
            self._tell_sent(destination, result.study_uid)
            return "sent" if sent.status is DeliveryStatus.SENT else ""
        return ""

    def note_unsent(self, result_uid: str, destination: str, reason: str) -> None:
        """Keep why an attempt came to nothing."""
        note_failure(self.index, result_uid, destination, reason)

    def _tell_sent(self, destination: str, study_uid: str) -> None:
        peer = self.config.peers[destination]
        AuditTrail.of(self.config).sent(called_ae=peer.ae_title, address=peer.host, study_uid=study_uid)

    def ask_commitment(self, destination: str) -> None:
        """Ask a destination to commit what it stored and was not asked for; a failure is asked again later."""
        state = self.config.node.state
        there = remote(self.config, destination)
        with self.index.snapshot() as session:
            wanted = dict.fromkeys((*unasked(session, destination), *overdue(session, there, time.time())))
            results = [load_result(session, state, uid) for uid in wanted]
        try:
            request_commitment(self.index, there, results, hold_s=HOLD_S)
        except NodeError as fault:
            log.warning("commitment.unasked", destination=destination, reason=str(fault))

    def park(self, run_key: str, reason: str) -> None:
        """A person must act; but for a shadow, which nobody waits for."""
        if self._is_shadow(run_key):
            failed(self.index, run_key, reason, time.time())
            return
        if self._is_cancelled(run_key):  # meanwhile, by a person or a rollback: what went wrong then harms nobody
            return
        with self.index.transaction() as session:
            end(session, run_key, RunStatus.PARKED, reason)
        log.error("run.parked", run=run_key[:12], reason=reason)

    def in_words(self, fault: Exception) -> str:
        """What ended a run that nobody foresaw, with what to do."""
        if isinstance(fault, NodeError):
            return str(fault)
        if "MaxRecoveryAttempts" in type(fault).__name__ or "maximum recovery" in str(fault).lower():
            return KILLED_ITS_PROCESS
        return f"unforeseen {type(fault).__name__}; the log of this time has the details"

    def back_off_s(self, attempt: int) -> float:
        """Wait before the next attempt to send."""
        settings = self.config.deliver
        return float(min(settings.first_retry_s * 2 ** min(attempt, 20), settings.max_retry_s))

    def chore(self, name: str, moment: str) -> None:
        """Do one regular duty."""
        self.chores[name](moment)

    def _load(self, run_key: str, stage: str) -> tuple[Run, Series, DicomToml]:
        with self.index.snapshot() as session:
            row = require_run(session, run_key)
            try:
                kinds = {"shadow": row.shadow, "late": row.stage in (POSTING, POSTED)}
                model = version_of_run(session, self.config, row.model, row.model_digest, **kinds)
            except ModelFault as fault:  # for IT: no reader is told that a bundle was replaced
                raise ConfigFault(str(fault)) from fault
        with self.index.snapshot() as session:
            run, series = load_run(session, self.config.node.state, run_key, model)
        self._note(run_key, stage)
        rules = load_dicom_toml(model.folder)
        return run, series, for_research(rules) if model.research else rules

    def _is_shadow(self, run_key: str) -> bool:
        with self.index.snapshot() as session:
            return require_run(session, run_key).shadow

    def _is_cancelled(self, run_key: str) -> bool:
        with self.index.snapshot() as session:
            return require_run(session, run_key).status == RunStatus.CANCELLED

    def _compare(self, run_key: str, analysed: dict[str, str]) -> None:
        """Tell a shadow's answer beside that of the version in use; one that has none yet is waited for by a chore."""
        if analysed:
            failed(self.index, run_key, analysed["reason"], time.time())
        elif not compare(self.index, self.config, run_key, time.time()):
            self._note(run_key, COMPARE)

    def _encoded(
        self, run_key: str, run: Run, series: Series, rules: DicomToml, analysed: dict[str, str]
    ) -> tuple[Encoded, ...]:
        node = self.config.node
        with self.index.snapshot() as session:
            made_at = datetime.fromtimestamp(require_run(session, run_key).created_s).astimezone()
        objects = self.config.objects(run.profile)
        if analysed:
            family, reason = analysed["family"], analysed["reason"]
            return could_not_analyse(run, series, reason, rules, node, made_at, family=family, objects=objects)
        volume, prediction = handed_over(node.state, run_key)
        with self.index.snapshot() as session:
            earlier = earlier_report(session, node.state, run)
            failure = prior_failure(session, run.study.study_key)
        if failure:
            notes = (*prediction.notes, f"the prior study could not be fetched, nothing is compared: {failure}")
            prediction = replace(prediction, notes=notes)
        return encode_results(run, series, volume, prediction, rules, node, made_at, objects=objects, earlier=earlier)

    def _require_valid(
        self, run: Run, series: Series, rules: DicomToml, objects: tuple[Encoded, ...], outgoing: list[OutboxObject]
    ) -> None:
        try:
            require_valid(objects, run, series, rules)
        except DoorFault as fault:
            quarantine(self.config.node.state, run.run_key, outgoing, str(fault))
            raise

    def _note(self, run_key: str, stage: str) -> None:
        """Keep the stage; a run that began to post before a crash goes on posting, whatever is done again for it."""
        with self.index.transaction() as session:
            row = require_run(session, run_key, lock=True)
            row.stage = row.stage if row.stage == POSTING else stage

    def _say(self, run_key: str, summary: dict[str, object], embedding: tuple[float, ...]) -> None:
        with self.index.transaction() as session:
            require_run(session, run_key, lock=True).summary = summary
            if embedding:
                session.merge(EmbeddingRow(run_key=run_key, numbers=list(embedding)))

    def _took(self, run_key: str, seconds: dict[str, float]) -> None:
        with self.index.transaction() as session:
            row = require_run(session, run_key, lock=True)
            row.seconds = {**row.seconds, **{name: round(value, 3) for name, value in seconds.items()}}


def unable(run: Run, attempt: int, uid_root: str) -> Run:
    """The run as the SR of what could not be analysed sees it: UIDs of its own, so that a later success has its own."""
    key = hashlib.sha256(f"{run.run_key}:could not:{attempt}".encode()).hexdigest()
    own = {result_uid(key, role, uid_root) for role in DOCUMENTS}
    others = tuple(one for one in run.predecessors if one.sop_instance_uid not in own)
    return replace(run, run_key=key, predecessors=others)


def _role(encoded: Encoded, unable: bool) -> Role:
    """The report of what could not be analysed is told apart: a later success replaces it."""
    return Role.COULD_NOT if unable and encoded.role in DOCUMENTS else encoded.role


def outbox_object(encoded: Encoded, role: Role) -> OutboxObject:
    """An object that passed the door, as the outbox takes it."""
    dataset = encoded.dataset
    return OutboxObject(
        role=role,
        sop_class_uid=str(dataset.SOPClassUID),
        sop_instance_uid=str(dataset.SOPInstanceUID),
        series_uid=str(dataset.SeriesInstanceUID),
        study_uid=str(dataset.StudyInstanceUID),
        transfer_syntax_uid=str(dataset.file_meta.TransferSyntaxUID),
        content=encoded.content,
    )
