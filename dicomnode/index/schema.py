"""Tables of the index: what the node knows. Work in progress lives in the workflow engine alone.

Times are UTC seconds since 1970 (float), since SQLite keeps no time zone.
"""

from sqlalchemy import JSON, BigInteger, Boolean, Float, ForeignKey, Index, Integer, String, Text, UniqueConstraint
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

UID = String(64)
KEY = BigInteger().with_variant(Integer, "sqlite")


class Base(DeclarativeBase):
    """Base of every table."""


class StudyRow(Base):
    """One study that reached us."""

    __tablename__ = "studies"

    study_key: Mapped[int] = mapped_column(KEY, primary_key=True)
    study_uid: Mapped[str] = mapped_column(UID, unique=True)
    patient_id: Mapped[str] = mapped_column(String(255), default="")
    patient_name: Mapped[str] = mapped_column(String(1024), default="")
    patient_birth_date: Mapped[str] = mapped_column(String(16), default="")
    patient_sex: Mapped[str] = mapped_column(String(16), default="")
    accession_number: Mapped[str] = mapped_column(String(64), default="")
    study_date: Mapped[str] = mapped_column(String(16), default="", index=True)
    description: Mapped[str] = mapped_column(String(255), default="")
    first_received_s: Mapped[float] = mapped_column(Float)
    last_received_s: Mapped[float] = mapped_column(Float, index=True)
    """When an instance that is not our own result last arrived (new or changed)."""
    decided_digest: Mapped[str] = mapped_column(String(64), default="")
    """Digest of the contents that `complete` last decided on; another digest means something new to decide."""
    decided_s: Mapped[float | None] = mapped_column(Float, index=True)
    settled_received_s: Mapped[float | None] = mapped_column(Float)
    """`last_received_s` at the first of two equal counts at the PACS."""
    settled_s: Mapped[float | None] = mapped_column(Float)
    """When that count was made."""
    state: Mapped[str] = mapped_column(String(16), default="receiving", index=True)
    """receiving, decided, held, parked, retired."""
    reason: Mapped[str] = mapped_column(Text, default="")
    """Why held or parked, in words."""


class SeriesRow(Base):
    """One series of a study."""

    __tablename__ = "series"

    series_key: Mapped[int] = mapped_column(KEY, primary_key=True)
    study_key: Mapped[int] = mapped_column(ForeignKey("studies.study_key", ondelete="CASCADE"), index=True)
    series_uid: Mapped[str] = mapped_column(UID)
    modality: Mapped[str] = mapped_column(String(16), default="")
    description: Mapped[str] = mapped_column(String(255), default="")
    number: Mapped[str] = mapped_column(String(16), default="")

    __table_args__ = (UniqueConstraint("study_key", "series_uid"),)


class InstanceRow(Base):
    """One version of one received instance; of several under one UID the newest is current."""

    __tablename__ = "instances"

    instance_key: Mapped[int] = mapped_column(KEY, primary_key=True)
    study_key: Mapped[int] = mapped_column(ForeignKey("studies.study_key", ondelete="CASCADE"), index=True)
    series_key: Mapped[int] = mapped_column(ForeignKey("series.series_key", ondelete="CASCADE"), index=True)
    sop_instance_uid: Mapped[str] = mapped_column(UID, index=True)
    sop_class_uid: Mapped[str] = mapped_column(UID)
    transfer_syntax_uid: Mapped[str] = mapped_column(UID)
    content_digest: Mapped[str] = mapped_column(String(64))
    file: Mapped[str] = mapped_column(String(512))
    """Path below the state folder."""
    size_bytes: Mapped[int] = mapped_column(BigInteger)
    patient_id: Mapped[str] = mapped_column(String(255), default="")
    """As in this instance; two different ones in a study hold it."""
    received_s: Mapped[float] = mapped_column(Float)
    calling_ae: Mapped[str] = mapped_column(String(16), default="")
    current: Mapped[bool] = mapped_column(Boolean, default=True)
    own_result: Mapped[bool] = mapped_column(Boolean, default=False)
    """One of our own results that came back: kept, never worked on."""
    header: Mapped[dict[str, str]] = mapped_column(JSON)
    """`values.Header.values`."""

    __table_args__ = (UniqueConstraint("sop_instance_uid", "study_key", "content_digest"),)


class ModelVersionRow(Base):
    """One approved version of a bundle."""

    __tablename__ = "model_versions"

    digest: Mapped[str] = mapped_column(String(64), primary_key=True)
    name: Mapped[str] = mapped_column(String(128), index=True)
    version: Mapped[str] = mapped_column(String(64))
    device_uid: Mapped[str] = mapped_column(UID)
    approved_by: Mapped[str] = mapped_column(String(255))
    approved_s: Mapped[float] = mapped_column(Float)
    revoked_s: Mapped[float | None] = mapped_column(Float)


class ChoiceRow(Base):
    """What one model said of one study when it was last decided: taken or not, and why."""

    __tablename__ = "choices"

    choice_key: Mapped[int] = mapped_column(KEY, primary_key=True)
    study_key: Mapped[int] = mapped_column(ForeignKey("studies.study_key", ondelete="CASCADE"), index=True)
    content_digest: Mapped[str] = mapped_column(String(64))
    route: Mapped[str] = mapped_column(String(128))
    model: Mapped[str] = mapped_column(String(128))
    series_uid: Mapped[str | None] = mapped_column(UID)
    verdicts: Mapped[list[dict[str, object]]] = mapped_column(JSON)
    """`values.Verdict`s as plain dicts."""
    decided_s: Mapped[float] = mapped_column(Float)


class PriorRow(Base):
    """The prior study that a study is compared with, where a route asks for one."""

    __tablename__ = "priors"

    study_key: Mapped[int] = mapped_column(ForeignKey("studies.study_key", ondelete="CASCADE"), primary_key=True)
    state: Mapped[str] = mapped_column(String(16))
    """asked, fetched, none, failed."""
    prior_study_uid: Mapped[str | None] = mapped_column(UID, index=True)
    """What was fetched; it may not have arrived yet."""
    asked_s: Mapped[float] = mapped_column(Float)
    reason: Mapped[str] = mapped_column(Text, default="")
    """Why it could not be fetched, in words."""


class RejectionRow(Base):
    """A Key Object Selection that came in and was looked at; a code where it takes images back."""

    __tablename__ = "rejections"

    instance_key: Mapped[int] = mapped_column(
        ForeignKey("instances.instance_key", ondelete="CASCADE"), primary_key=True
    )
    study_key: Mapped[int] = mapped_column(ForeignKey("studies.study_key", ondelete="CASCADE"), index=True)
    code: Mapped[str] = mapped_column(String(16), default="")
    meaning: Mapped[str] = mapped_column(String(64), default="")
    instances: Mapped[int] = mapped_column(Integer, default=0)
    """That are no longer current because of it."""
    at_s: Mapped[float] = mapped_column(Float)


class RunRow(Base):
    """One run: one study × one model version."""

    __tablename__ = "runs"

    run_key: Mapped[str] = mapped_column(String(64), primary_key=True)
    study_key: Mapped[int] = mapped_column(ForeignKey("studies.study_key", ondelete="CASCADE"), index=True)
    model: Mapped[str] = mapped_column(String(128))
    model_digest: Mapped[str] = mapped_column(String(64))
    series_uid: Mapped[str] = mapped_column(UID)
    profile: Mapped[str] = mapped_column(String(32))
    priority: Mapped[str] = mapped_column(String(16))
    destinations: Mapped[list[str]] = mapped_column(JSON)
    revision: Mapped[int] = mapped_column(Integer, default=1)
    """1 for the first run of this study and model, then counted up."""
    status: Mapped[str] = mapped_column(String(16), index=True)
    """`values.RunStatus`."""
    stage: Mapped[str] = mapped_column(String(32), default="")
    """Last stage begun, for a person who watches."""
    reason: Mapped[str] = mapped_column(Text, default="")
    """Why parked, or what the reader was told ("nothing found")."""
    attempt: Mapped[int] = mapped_column(Integer, default=0)
    """Counted up by `dicomnode retry`; part of the workflow's id, never of a result's UID."""
    summary: Mapped[dict[str, object]] = mapped_column(JSON, default=dict)
    """Volumes or probabilities, for tables; no identity."""
    seconds: Mapped[dict[str, float]] = mapped_column(JSON, default=dict)
    """Wall time by stage."""
    created_s: Mapped[float] = mapped_column(Float)
    finished_s: Mapped[float | None] = mapped_column(Float)
    shadow: Mapped[bool] = mapped_column(Boolean, default=False)
    """A candidate beside the version in use: analysed and compared, never sent."""
    withdrawn_s: Mapped[float | None] = mapped_column(Float)
    """When its results were taken back, since the images they were made of were rejected or corrected."""


class RunInstanceRow(Base):
    """Which instances a run worked on."""

    __tablename__ = "run_instances"

    run_key: Mapped[str] = mapped_column(ForeignKey("runs.run_key", ondelete="CASCADE"), primary_key=True)
    instance_key: Mapped[int] = mapped_column(
        ForeignKey("instances.instance_key", ondelete="CASCADE"), primary_key=True, index=True
    )


class ResultRow(Base):
    """One result object in the outbox; its bytes never change."""

    __tablename__ = "results"

    sop_instance_uid: Mapped[str] = mapped_column(UID, primary_key=True)
    run_key: Mapped[str] = mapped_column(ForeignKey("runs.run_key", ondelete="CASCADE"), index=True)
    role: Mapped[str] = mapped_column(String(16))
    sop_class_uid: Mapped[str] = mapped_column(UID)
    series_uid: Mapped[str] = mapped_column(UID)
    study_uid: Mapped[str] = mapped_column(UID, index=True)
    transfer_syntax_uid: Mapped[str] = mapped_column(UID)
    file: Mapped[str] = mapped_column(String(512))
    """Path below the state folder."""
    digest: Mapped[str] = mapped_column(String(64))
    created_s: Mapped[float] = mapped_column(Float)


class DeliveryRow(Base):
    """One result object on its way to one destination."""

    __tablename__ = "deliveries"

    delivery_key: Mapped[int] = mapped_column(KEY, primary_key=True)
    sop_instance_uid: Mapped[str] = mapped_column(
        ForeignKey("results.sop_instance_uid", ondelete="CASCADE"), index=True
    )
    destination: Mapped[str] = mapped_column(String(64), index=True)
    status: Mapped[str] = mapped_column(String(16), index=True)
    """`values.DeliveryStatus`."""
    attempts: Mapped[int] = mapped_column(Integer, default=0)
    reason: Mapped[str] = mapped_column(Text, default="")
    """Last answer that was no success, in words."""
    queued_s: Mapped[float] = mapped_column(Float)
    sent_s: Mapped[float | None] = mapped_column(Float)
    committed_s: Mapped[float | None] = mapped_column(Float)
    transaction_uid: Mapped[str | None] = mapped_column(UID, index=True)
    """Of the commitment request last made."""
    requested_s: Mapped[float | None] = mapped_column(Float)

    __table_args__ = (UniqueConstraint("sop_instance_uid", "destination"),)


class CommitmentRequestRow(Base):
    """One result in one commitment request of ours; kept, so that a report that comes late is understood."""

    __tablename__ = "commitment_requests"

    transaction_uid: Mapped[str] = mapped_column(UID, primary_key=True)
    delivery_key: Mapped[int] = mapped_column(
        ForeignKey("deliveries.delivery_key", ondelete="CASCADE"), primary_key=True, index=True
    )
    requested_s: Mapped[float] = mapped_column(Float)
    taken: Mapped[bool] = mapped_column(Boolean, default=False)
    """The destination answered that it will report; until then the request may never have left."""


class CommitmentDutyRow(Base):
    """A commitment report that we owe a peer who asked us (we are the SCP)."""

    __tablename__ = "commitment_duties"

    transaction_uid: Mapped[str] = mapped_column(UID, primary_key=True)
    peer_ae: Mapped[str] = mapped_column(String(16))
    peer_host: Mapped[str] = mapped_column(String(255))
    references: Mapped[list[list[str]]] = mapped_column(JSON)
    """[SOP class UID, SOP instance UID] pairs."""
    asked_s: Mapped[float] = mapped_column(Float)
    answered_s: Mapped[float | None] = mapped_column(Float)
    attempts: Mapped[int] = mapped_column(Integer, default=0)


class ReaderReportRow(Base):
    """A structured report that is not ours, looked at once."""

    __tablename__ = "reader_reports"

    instance_key: Mapped[int] = mapped_column(
        ForeignKey("instances.instance_key", ondelete="CASCADE"), primary_key=True
    )
    observer: Mapped[str] = mapped_column(String(255), default="")
    """Person who made it, as the report says."""
    reason: Mapped[str] = mapped_column(Text, default="")
    """Why nothing was taken from it, in words."""
    at_s: Mapped[float] = mapped_column(Float)


class ReaderFindingRow(Base):
    """One measurement group of a reader's report, and the finding of ours that it corrects."""

    __tablename__ = "reader_findings"

    finding_key: Mapped[int] = mapped_column(KEY, primary_key=True)
    instance_key: Mapped[int] = mapped_column(ForeignKey("reader_reports.instance_key", ondelete="CASCADE"))
    number: Mapped[int] = mapped_column(Integer)
    """Of the group in its report, from 1."""
    tracking_uid: Mapped[str] = mapped_column(UID, default="")
    code: Mapped[str] = mapped_column(String(128), default="")
    """Finding as "value/scheme"."""
    our_tracking_uid: Mapped[str | None] = mapped_column(UID, index=True)
    """None: unlinked, for a person."""
    our_report_uid: Mapped[str | None] = mapped_column(UID)
    how: Mapped[str] = mapped_column(String(32), default="")
    """`learn.harvest.reader_report.How`."""
    changed: Mapped[bool] = mapped_column(Boolean, default=False)
    """The outline is not the one we drew."""
    reason: Mapped[str] = mapped_column(Text, default="")
    """Why it is unlinked, in words."""
    linked_by: Mapped[str] = mapped_column(String(255), default="")

    __table_args__ = (UniqueConstraint("instance_key", "number"),)


class TrainingMemberRow(Base):
    """An instance that a training set uses: never retired."""

    __tablename__ = "training_members"

    training_set: Mapped[str] = mapped_column(String(64), primary_key=True)
    instance_key: Mapped[int] = mapped_column(ForeignKey("instances.instance_key"), primary_key=True, index=True)


class PauseRow(Base):
    """Something a person has paused: everything, one model, or one destination."""

    __tablename__ = "pauses"

    scope: Mapped[str] = mapped_column(String(128), primary_key=True)
    """"all", "model:NAME" or "destination:NAME"."""
    since_s: Mapped[float] = mapped_column(Float)
    by: Mapped[str] = mapped_column(String(255))


class RefusalRow(Base):
    """Something we refused to accept, for `dicomnode status`; no identity, no content."""

    __tablename__ = "refusals"

    refusal_key: Mapped[int] = mapped_column(KEY, primary_key=True)
    at_s: Mapped[float] = mapped_column(Float, index=True)
    calling_ae: Mapped[str] = mapped_column(String(16), default="")
    address: Mapped[str] = mapped_column(String(64), default="")
    sop_instance_uid: Mapped[str] = mapped_column(String(64), default="")
    status: Mapped[str] = mapped_column(String(8), default="")
    """DIMSE status in hex, or "reject"."""
    reason: Mapped[str] = mapped_column(Text)


class TickRow(Base):
    """When a scheduled job last came due, so that a missed one is found."""

    __tablename__ = "ticks"

    job: Mapped[str] = mapped_column(String(64), primary_key=True)
    last_s: Mapped[float] = mapped_column(Float)


class BeatRow(Base):
    """A process of the node that says it is alive."""

    __tablename__ = "beats"

    process: Mapped[str] = mapped_column(String(64), primary_key=True)
    """"receive-0", "engine", "gpu-0", "web" ..."""
    pid: Mapped[int] = mapped_column(Integer)
    started_s: Mapped[float] = mapped_column(Float)
    beat_s: Mapped[float] = mapped_column(Float)
    note: Mapped[str] = mapped_column(Text, default="")


Index("ix_instances_study_current", InstanceRow.study_key, InstanceRow.current)
