"""Tables of the index that learning needs. A patient stands here by a key alone, never by name or ID.

Times are UTC seconds since 1970.
"""

from sqlalchemy import JSON, Boolean, Float, ForeignKey, Integer, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from dicomnode.index.schema import KEY, UID, Base

HEX = String(64)
NAME = String(128)


class LabelRow(Base):
    """One statement about one study and one output of a model: who said what, when, where."""

    __tablename__ = "labels"

    label_key: Mapped[int] = mapped_column(KEY, primary_key=True)
    state: Mapped[str] = mapped_column(String(16), index=True)
    """`learn.values.LabelState`."""
    reason: Mapped[str] = mapped_column(Text, default="")
    """Why refused or withdrawn, in words."""
    study_key: Mapped[int | None] = mapped_column(ForeignKey("studies.study_key", ondelete="SET NULL"), index=True)
    study_uid: Mapped[str] = mapped_column(UID, default="", index=True)
    patient: Mapped[str] = mapped_column(HEX, default="", index=True)
    """Key of the patient; empty until the study is known, and where it names none: such a label is never used."""
    accession_number: Mapped[str] = mapped_column(String(64), default="", index=True)
    """Only until its study is known."""
    found_by: Mapped[str] = mapped_column(HEX, default="", index=True)
    """Keyed hash of the accession number that its study was sought by; empty: by its UID."""
    named: Mapped[str] = mapped_column(Text, default="")
    """The patient that its source names, as keyed hashes (`harvest.named`): compared with the study's."""
    settled_s: Mapped[float] = mapped_column(Float, default=0.0)
    """When the studies that it was last compared with had last changed."""
    series_uid: Mapped[str] = mapped_column(UID, default="")
    """Of a mask or boxes: the series they lie on."""
    model: Mapped[str] = mapped_column(NAME, index=True)
    output: Mapped[int] = mapped_column(Integer)
    """`index` in dicom.toml; of a mask: -1, all segments at once."""
    what: Mapped[str] = mapped_column(String(16))
    """`learn.values.What`."""
    value: Mapped[float | None] = mapped_column(Float)
    """1 present, 0 absent, none: uncertain (or a mask or boxes)."""
    file: Mapped[str] = mapped_column(String(512), default="")
    """Of a mask or boxes: path below the state folder."""
    source: Mapped[str] = mapped_column(String(16))
    """`learn.values.Source`."""
    who: Mapped[str] = mapped_column(String(255), default="")
    """The person, or the labeler and its version."""
    made_s: Mapped[float] = mapped_column(Float)
    """When it was said."""
    at_s: Mapped[float] = mapped_column(Float)
    """When it came in."""
    object_uid: Mapped[str] = mapped_column(UID, default="", index=True)
    """SOP Instance UID, or control id of the message, that it was read from."""
    object_digest: Mapped[str] = mapped_column(HEX, default="")
    """Of that object's content: it may come again under the same UID with another."""
    tracking_uid: Mapped[str] = mapped_column(UID, default="")
    rule: Mapped[str] = mapped_column(String(255), default="")
    """What in the object, and which row of the mapping, in words."""
    assisted: Mapped[bool] = mapped_column(Boolean, default=False)
    """Its maker had seen our result: never in a sealed test."""
    unaided: Mapped[bool] = mapped_column(Boolean, default=False)
    """A person declared that its maker had not, whatever the clock says."""
    weight: Mapped[float] = mapped_column(Float, default=1.0)

    __table_args__ = (
        UniqueConstraint("object_uid", "object_digest", "model", "output", "what", "study_uid", "tracking_uid"),
    )


class HarvestedRow(Base):
    """An object or message that was looked at for labels, once."""

    __tablename__ = "harvested"

    object_uid: Mapped[str] = mapped_column(String(128), primary_key=True)
    at_s: Mapped[float] = mapped_column(Float)
    labels: Mapped[int] = mapped_column(Integer, default=0)
    reason: Mapped[str] = mapped_column(Text, default="")
    """Why nothing was taken from it."""
    again: Mapped[bool] = mapped_column(Boolean, default=False)
    """Worth another look when its study changes: images were missing."""


class LabelerRow(Base):
    """What a labeler was measured to be worth."""

    __tablename__ = "labelers"

    labeler: Mapped[str] = mapped_column(NAME, primary_key=True)
    """Id and version."""
    finding: Mapped[str] = mapped_column(NAME, primary_key=True)
    reports: Mapped[int] = mapped_column(Integer)
    ppv: Mapped[float | None] = mapped_column(Float)
    npv: Mapped[float | None] = mapped_column(Float)
    unreviewed: Mapped[bool] = mapped_column(Boolean, default=False)
    """Good enough to be used unreviewed."""
    at_s: Mapped[float] = mapped_column(Float)


class SplitKeyRow(Base):
    """What tells whether the split key is the one that patients were assigned with; one row."""

    __tablename__ = "split_keys"

    number: Mapped[int] = mapped_column(Integer, primary_key=True)
    """1."""
    check_value: Mapped[str] = mapped_column(HEX)


class PatientRow(Base):
    """A patient of learning, by key, and the split it belongs to for life."""

    __tablename__ = "patients"

    patient: Mapped[str] = mapped_column(HEX, primary_key=True)
    """Keyed hash of issuer and Patient ID."""
    split: Mapped[str] = mapped_column(String(16))
    assigned_s: Mapped[float] = mapped_column(Float)
    trained: Mapped[bool] = mapped_column(Boolean, default=False)
    """Ever used to make a version: barred from every test."""
    looked_at: Mapped[bool] = mapped_column(Boolean, default=False)
    """Ever used outside the gate (a report, a curve): never in a set that is sealed later."""
    merged_into: Mapped[str | None] = mapped_column(HEX, index=True)
    opted_out_s: Mapped[float | None] = mapped_column(Float)
    """Excluded for ever."""
    forgotten_s: Mapped[float | None] = mapped_column(Float)


class DuplicateRow(Base):
    """Near-duplicate pixels of two patients, for a person."""

    __tablename__ = "duplicates"

    one: Mapped[str] = mapped_column(HEX, primary_key=True)
    other: Mapped[str] = mapped_column(HEX, primary_key=True)
    """Item ids."""
    model: Mapped[str] = mapped_column(NAME)
    distance: Mapped[float] = mapped_column(Float)
    at_s: Mapped[float] = mapped_column(Float)


class TrainingSetRow(Base):
    """One training set; its manifest is a file."""

    __tablename__ = "training_sets"

    digest: Mapped[str] = mapped_column(HEX, primary_key=True)
    model: Mapped[str] = mapped_column(NAME, index=True)
    model_digest: Mapped[str] = mapped_column(HEX)
    file: Mapped[str] = mapped_column(String(512))
    items: Mapped[int] = mapped_column(Integer)
    created_s: Mapped[float] = mapped_column(Float)


class TrainingItemRow(Base):
    """One item of a training set, and the study it was made from."""

    __tablename__ = "training_items"

    training_set: Mapped[str] = mapped_column(ForeignKey("training_sets.digest", ondelete="CASCADE"), primary_key=True)
    item_id: Mapped[str] = mapped_column(HEX, primary_key=True)
    patient: Mapped[str] = mapped_column(HEX, index=True)
    study_key: Mapped[int | None] = mapped_column(ForeignKey("studies.study_key", ondelete="SET NULL"))
    split: Mapped[str] = mapped_column(String(16))


class SealedSetRow(Base):
    """A sealed test set: its patients are fixed, and each look at it is counted."""

    __tablename__ = "sealed_sets"

    sealed_set: Mapped[str] = mapped_column(HEX, primary_key=True)
    model: Mapped[str] = mapped_column(NAME, index=True)
    scope: Mapped[str] = mapped_column(NAME, default="")
    patients: Mapped[list[str]] = mapped_column(JSON)
    sealed_s: Mapped[float] = mapped_column(Float)
    retired_s: Mapped[float | None] = mapped_column(Float)
    """After its last look: a retention set from then on."""


class LookRow(Base):
    """One look at a sealed test set: the alpha ledger."""

    __tablename__ = "looks"

    sealed_set: Mapped[str] = mapped_column(ForeignKey("sealed_sets.sealed_set"), primary_key=True)
    look: Mapped[int] = mapped_column(Integer, primary_key=True)
    """From 1."""
    alpha: Mapped[float] = mapped_column(Float)
    candidate: Mapped[str] = mapped_column(HEX, index=True)
    at_s: Mapped[float] = mapped_column(Float)
    verdict: Mapped[str] = mapped_column(String(16), default="")
    """Empty: the look was taken, and its verdict never came; it counts."""
    marked: Mapped[str] = mapped_column(Text, default="")
    """What became known later and speaks against the verdict (a merged patient was trained on)."""


class LearnedVersionRow(Base):
    """A version that was made here: immutable, in a folder of its own, named for its digest."""

    __tablename__ = "learned_versions"

    digest: Mapped[str] = mapped_column(HEX, primary_key=True)
    """Of the bundle, as approval counts it."""
    model: Mapped[str] = mapped_column(NAME, index=True)
    version: Mapped[str] = mapped_column(String(64))
    """Of its metadata.json: the base's with "+learned.N"."""
    folder: Mapped[str] = mapped_column(String(512))
    """Below the state folder."""
    parent: Mapped[str] = mapped_column(HEX)
    """Version that was in use when it was made."""
    base: Mapped[str] = mapped_column(HEX)
    """The installed bundle it goes back to."""
    recipe: Mapped[str] = mapped_column(String(32))
    scope: Mapped[str] = mapped_column(NAME, default="")
    """"", "site:NAME" or "scanner:NAME"."""
    training_set: Mapped[str] = mapped_column(HEX, default="")
    state: Mapped[str] = mapped_column(String(16), index=True)
    """candidate, shadow, in use, former, rolled back, rejected."""
    verdict: Mapped[str] = mapped_column(String(16), default="")
    research: Mapped[bool] = mapped_column(Boolean, default=False)
    """In use by override: every result is titled RESEARCH."""
    created_s: Mapped[float] = mapped_column(Float)
    manifest: Mapped[dict[str, object]] = mapped_column(JSON, default=dict)
    """All that made it; the same stands in its folder."""


class InUseRow(Base):
    """Which version answers for a model, a site or a scanner; without a row the installed bundle does."""

    __tablename__ = "in_use"

    model: Mapped[str] = mapped_column(NAME, primary_key=True)
    scope: Mapped[str] = mapped_column(NAME, primary_key=True, default="")
    digest: Mapped[str] = mapped_column(HEX)
    previous: Mapped[str] = mapped_column(HEX, default="")
    """What `rollback` goes back to; empty: the installed bundle."""
    since_s: Mapped[float] = mapped_column(Float)
    by: Mapped[str] = mapped_column(String(255))


class ShadowRow(Base):
    """A candidate's shadow period."""

    __tablename__ = "shadows"

    digest: Mapped[str] = mapped_column(HEX, primary_key=True)
    model: Mapped[str] = mapped_column(NAME, index=True)
    scope: Mapped[str] = mapped_column(NAME, default="")
    started_s: Mapped[float] = mapped_column(Float)
    studies: Mapped[int] = mapped_column(Integer)
    """Wanted."""
    days: Mapped[float] = mapped_column(Float)
    ended_s: Mapped[float | None] = mapped_column(Float)


class ShadowAnswerRow(Base):
    """What a candidate said of a study beside the version in use."""

    __tablename__ = "shadow_answers"

    run_key: Mapped[str] = mapped_column(HEX, primary_key=True)
    """Of the shadow run."""
    study_key: Mapped[int] = mapped_column(ForeignKey("studies.study_key", ondelete="CASCADE"), index=True)
    digest: Mapped[str] = mapped_column(HEX, index=True)
    in_use: Mapped[str] = mapped_column(HEX)
    agrees: Mapped[bool | None] = mapped_column(Boolean)
    """None: one of the two could not answer; the words tell which."""
    words: Mapped[str] = mapped_column(Text, default="")
    figures: Mapped[dict[str, object]] = mapped_column(JSON, default=dict)
    at_s: Mapped[float] = mapped_column(Float)


class DecisionRow(Base):
    """The record of decisions: append-only, each row bound to the one before by its hash."""

    __tablename__ = "decisions"

    number: Mapped[int] = mapped_column(Integer, primary_key=True)
    at_s: Mapped[float] = mapped_column(Float)
    what: Mapped[str] = mapped_column(String(32))
    model: Mapped[str] = mapped_column(NAME, default="")
    digest: Mapped[str] = mapped_column(HEX, default="")
    by: Mapped[str] = mapped_column(String(255), default="")
    reason: Mapped[str] = mapped_column(Text, default="")
    details: Mapped[dict[str, object]] = mapped_column(JSON, default=dict)
    before: Mapped[str] = mapped_column(HEX)
    hash: Mapped[str] = mapped_column(HEX)


class SelfTestRow(Base):
    """One run of a model's fixed self-test set."""

    __tablename__ = "self_tests"

    test_key: Mapped[int] = mapped_column(KEY, primary_key=True)
    model: Mapped[str] = mapped_column(NAME, index=True)
    digest: Mapped[str] = mapped_column(HEX)
    at_s: Mapped[float] = mapped_column(Float)
    passed: Mapped[bool] = mapped_column(Boolean)
    words: Mapped[str] = mapped_column(Text, default="")


class LearningRow(Base):
    """One attempt to make a candidate, from its trigger to its verdict."""

    __tablename__ = "learnings"

    job: Mapped[str] = mapped_column(NAME, primary_key=True)
    """"MODEL:TRIGGER:MOMENT": a double start does nothing twice."""
    model: Mapped[str] = mapped_column(NAME, index=True)
    scope: Mapped[str] = mapped_column(NAME, default="")
    trigger: Mapped[str] = mapped_column(String(32))
    """calendar, labels, drift, person."""
    by: Mapped[str] = mapped_column(String(255), default="")
    state: Mapped[str] = mapped_column(String(16), index=True)
    """waiting, running, done, parked, cancelled."""
    stage: Mapped[str] = mapped_column(String(32), default="")
    progress: Mapped[dict[str, object]] = mapped_column(JSON, default=dict)
    """Of the stage: epoch, epochs, loss, seconds left."""
    reason: Mapped[str] = mapped_column(Text, default="")
    training_set: Mapped[str] = mapped_column(HEX, default="")
    candidate: Mapped[str] = mapped_column(HEX, default="")
    started_s: Mapped[float] = mapped_column(Float)
    ended_s: Mapped[float | None] = mapped_column(Float)
    node: Mapped[str] = mapped_column(String(64), default="")
    """Which installation makes it, or made it; empty while it waits."""
    process: Mapped[str] = mapped_column(String(16), default="")
    """Which start of that node's train process."""
    seen_s: Mapped[float | None] = mapped_column(Float)
    """When it last said that it makes it, by its own clock."""


class EmbeddingRow(Base):
    """What an image looked like to a model, in a few numbers that no image can be made from."""

    __tablename__ = "embeddings"

    run_key: Mapped[str] = mapped_column(ForeignKey("runs.run_key", ondelete="CASCADE"), primary_key=True)
    numbers: Mapped[list[float]] = mapped_column(JSON)


class DriftRow(Base):
    """One figure of one day's look at drift."""

    __tablename__ = "drift"

    model: Mapped[str] = mapped_column(NAME, primary_key=True)
    day: Mapped[str] = mapped_column(String(8), primary_key=True)
    """YYYYMMDD."""
    figure: Mapped[str] = mapped_column(NAME, primary_key=True)
    value: Mapped[float | None] = mapped_column(Float)
    p: Mapped[float | None] = mapped_column(Float)
    studies: Mapped[int] = mapped_column(Integer)
    alarm: Mapped[bool] = mapped_column(Boolean, default=False)
    words: Mapped[str] = mapped_column(Text, default="")


class AlarmRow(Base):
    """Something about a model that a person must look at."""

    __tablename__ = "alarms"

    alarm_key: Mapped[int] = mapped_column(KEY, primary_key=True)
    model: Mapped[str] = mapped_column(NAME, index=True)
    kind: Mapped[str] = mapped_column(String(32))
    """drift, error rate, self-test, output rate."""
    cause: Mapped[str] = mapped_column(NAME, default="")
    """Figure that it is about: told once until it is cleared."""
    words: Mapped[str] = mapped_column(Text)
    at_s: Mapped[float] = mapped_column(Float)
    told_s: Mapped[float | None] = mapped_column(Float)
    """Posted to the webhook."""
    cleared_s: Mapped[float | None] = mapped_column(Float)
