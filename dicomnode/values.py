"""The frozen values that pass between the rooms of the node.

Arrays are indexed (slice, row, column) = (k, j, i). Patient space is LPS in millimetres
(PS3.3 C.7.6.2.1.1). A run is one study × one model version.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray


class Priority(StrEnum):
    """How urgently a run is worked on (Requested Procedure Priority (0040,1003))."""

    STAT = "stat"
    URGENT = "urgent"
    ROUTINE = "routine"
    REPROCESS = "reprocess"


QUEUE_PRIORITY = {Priority.STAT: 1, Priority.URGENT: 10, Priority.ROUTINE: 100, Priority.REPROCESS: 1000}
"""Lower runs first; never zero, which the engine takes for unset."""
SHADOW_RANK = 10_000
"""Of a candidate's run beside the version in use: after everything that somebody waits for."""


class RunStatus(StrEnum):
    """Where a run stands."""

    QUEUED = "queued"
    RUNNING = "running"
    DELIVERING = "delivering"
    """All results are in the outbox."""
    DONE = "done"
    """Every result is stored at every destination, and committed where the destination commits."""
    PARKED = "parked"
    """A person must act; the reason says how."""
    CANCELLED = "cancelled"


class DeliveryStatus(StrEnum):
    """Where one result stands at one destination."""

    QUEUED = "queued"
    SENT = "sent"
    """Stored; the commitment is awaited."""
    COMMITTED = "committed"
    STORED = "stored"
    """Stored at a destination that gives no commitment (as configured)."""
    WITHDRAWN = "withdrawn"
    """Not to be sent any more: its images were rejected or corrected."""
    PARKED = "parked"


@dataclass(frozen=True)
class Instance:
    """One received SOP instance, as the index knows it."""

    instance_key: int
    sop_instance_uid: str
    sop_class_uid: str
    series_uid: str
    study_uid: str
    transfer_syntax_uid: str
    content_digest: str
    """SHA-256 of the encoded data set without group 0002, hex."""
    path: Path
    """Absolute path of the DICOM Part 10 file."""
    header: Header


@dataclass(frozen=True)
class Header:
    """Attributes of one instance that routes and series rules look at, without pixels.

    Values are strings in DICOM's own notation, multi-values joined by a backslash; an absent or
    empty attribute is absent here. Keys are DICOM keywords ("ImageType", "SeriesDescription").
    """

    values: dict[str, str]

    def text(self, keyword: str) -> str:
        """The value of one keyword, or an empty string."""
        return self.values.get(keyword, "")

    def parts(self, keyword: str) -> tuple[str, ...]:
        """The values of a multi-valued keyword."""
        value = self.text(keyword)
        return tuple(value.split("\\")) if value else ()

    def numbers(self, keyword: str) -> tuple[float, ...]:
        """The values of a numeric keyword; empty where absent or not numeric."""
        try:
            return tuple(float(part) for part in self.parts(keyword))
        except ValueError:
            return ()

    @property
    def scanner(self) -> str:
        """Manufacturer and model, as groups, scopes and evaluated domains name them; or "unknown"."""
        words = (self.text("Manufacturer").strip(), self.text("ManufacturerModelName").strip())
        return " ".join(word for word in words if word) or "unknown"


@dataclass(frozen=True)
class Series:
    """The current instances of one series."""

    series_uid: str
    instances: tuple[Instance, ...]

    @property
    def first(self) -> Header:
        """Header of the first instance, for attributes that a series shares."""
        return self.instances[0].header


@dataclass(frozen=True)
class Study:
    """The current instances of one study, our own results left out."""

    study_key: int
    study_uid: str
    series: tuple[Series, ...]


@dataclass(frozen=True)
class Verdict:
    """Whether one model takes one series, and why."""

    series_uid: str
    description: str
    taken: bool
    reasons: tuple[str, ...]
    """Plain English: the failed condition(s), or why this one ranked first."""


@dataclass(frozen=True)
class Choice:
    """What one model takes of one study."""

    model: str
    series: Series | None
    """None where no series fits; the verdicts say why."""
    verdicts: tuple[Verdict, ...]


@dataclass(frozen=True)
class ModelVersion:
    """One approved version of one bundle."""

    name: str
    version: str
    """Version of the bundle's metadata.json."""
    digest: str
    """SHA-256 over every file of the bundle that changes a result, hex."""
    device_uid: str
    """Device UID (0018,1002) of this version."""
    folder: Path
    research: bool = False
    """A person put it in use against the gate's verdict: every result is titled RESEARCH."""


@dataclass(frozen=True)
class Run:
    """One study × one model version, and what it works on."""

    run_key: str
    """Digest of instance UIDs and contents, model version, encoder version and viewer profile, hex."""
    study: Study
    model: ModelVersion
    profile: str
    priority: Priority
    destinations: tuple[str, ...]
    shadow: bool = False
    """A candidate beside the version in use: analysed and compared, never sent."""
    is_revision: bool = False
    """Earlier results of the same study, model and profile exist, whatever kind of object they are."""
    predecessors: tuple[Predecessor, ...] = ()
    """SRs of the same study and model that this run replaces, oldest first."""


@dataclass(frozen=True)
class Predecessor:
    """An SR that a revision replaces (Predecessor Documents Sequence (0040,A360))."""

    series_uid: str
    sop_class_uid: str
    sop_instance_uid: str


@dataclass(frozen=True)
class EarlierReport:
    """Our own report of an earlier study of the same patient."""

    study_date: str
    """YYYYMMDD."""
    model_digest: str
    path: Path
    """The SR in the outbox."""
    links: tuple[tuple[str, str], ...] = ()
    """Findings that a reader linked: tracking UID in the present study, and in the earlier one."""


@dataclass(frozen=True)
class Frame:
    """The image that one slice (k) of a volume came from."""

    sop_instance_uid: str
    sop_class_uid: str
    frame_number: int | None
    """1-based frame of a multi-frame instance; None for a single-frame one."""
    path: Path


@dataclass(frozen=True)
class Volume:
    """Real-world values of one series on its own grid."""

    voxels: NDArray[np.float32]
    """(slice, row, column); a 2D image has one slice."""
    affine_lps: NDArray[np.float64]
    """4×4, from index (column i, row j, slice k, 1) to LPS mm; for 2D without geometry: pixel spacing or 1."""
    frames: tuple[Frame, ...]
    """One for each slice, in the order of the first axis."""
    series_uid: str
    frame_of_reference_uid: str | None
    """None for a projection image."""
    has_geometry: bool
    """False for 2D images without position and orientation."""
    notes: tuple[str, ...] = ()
    """What a reader should know ("slices reversed", "pixel padding set to -1024")."""


@dataclass(frozen=True)
class DomainAnswer:
    """Whether the input lies within the domain the model was evaluated on."""

    inside: bool
    reasons: tuple[str, ...] = ()
    """Why outside, in words for the reader."""
    overridden: bool = False
    """True where the site set the research override: every result is marked."""


@dataclass(frozen=True)
class Segmentation:
    """A label map on the source grid."""

    labels: NDArray[np.uint8]
    """(slice, row, column), 0 is background, n is the channel of that number in dicom.toml."""
    uncertainty: dict[int, float] = field(default_factory=dict)
    """Per label: a figure in 0..1 (mean voxel entropy inside the mask), where asked for."""
    saliency: NDArray[np.float32] | None = None
    probability: NDArray[np.float16] | None = None
    """(slice, row, column) in 0..1: that a voxel belongs to any of the structures, where asked for."""


@dataclass(frozen=True)
class FindingScore:
    """The answer for one finding of a classification."""

    index: int
    """Position in dicom.toml's findings."""
    probability: float | None
    """Calibrated; None outside the evaluated domain."""
    uncertainty: float | None
    """Standard deviation of the probability over test-time samples."""
    positive: bool | None
    """At or above the decision threshold; None outside the domain."""


@dataclass(frozen=True)
class Classification:
    """Calibrated probabilities of one image or volume."""

    scores: tuple[FindingScore, ...]
    saliency: NDArray[np.float32] | None = None
    """(slice, row, column) in 0..1 on the source grid; None outside the domain."""


@dataclass(frozen=True)
class Lesion:
    """One finding of a detection, at or above its threshold."""

    index: int
    """The `index` of its finding in dicom.toml."""
    probability: float
    """Calibrated."""
    box: tuple[tuple[float, float], tuple[float, float], tuple[float, float]]
    """From and to along (slice, row, column) of the source grid; a voxel reaches from its index to its index + 1."""

    @classmethod
    def of(cls, index: int, probability: float, box: Sequence[Sequence[float]]) -> Lesion:
        """A lesion from plain numbers, as they travel."""
        slices, rows, columns = ((float(first), float(last)) for first, last in box)
        return cls(index, probability, (slices, rows, columns))


@dataclass(frozen=True)
class Detection:
    """The lesions that were found, the most probable first; none: nothing found, or outside the evaluated domain."""

    lesions: tuple[Lesion, ...]
    saliency: None = None


Answer = Segmentation | Classification | Detection


@dataclass(frozen=True)
class Prediction:
    """What a model said of one volume."""

    answer: Answer
    domain: DomainAnswer
    device: str
    """"cpu", "cuda:0" ..."""
    seconds: dict[str, float] = field(default_factory=dict)
    """Wall time of "preprocess", "forward", "postprocess"."""
    notes: tuple[str, ...] = ()
    """What happened on the way ("window halved after out-of-memory")."""
    embedding: tuple[float, ...] = ()
    """What the image looked like to the model, in a few numbers that no image can be made from; for drift."""


class Role(StrEnum):
    """What a result object is, within its run."""

    SEG = "SEG"
    """Segmentation, BINARY."""
    SR = "SR"
    """Comprehensive 3D SR, TID 1500."""
    SR_OHIF = "SR-OHIF"
    """The same with measurements that OHIF makes editable: TID 1501, tracking ids of Cornerstone."""
    CAD_SR = "CAD-SR"
    """Mammography or Chest CAD SR (TID 4000, 4100)."""
    KOS = "KOS"
    """Key Object Selection: the slices to look at."""
    GSPS = "GSPS"
    """Grayscale Softcopy Presentation State: contours and labels."""
    SC = "SC"
    """Secondary Capture: the summary as a picture."""
    PMAP = "PMAP"
    """Parametric Map: probability or saliency."""
    PDF = "PDF"
    """Encapsulated PDF report."""
    RTSTRUCT = "RTSTRUCT"
    """RT Structure Set, for planning systems."""
    SR_FALLBACK = "SR-FALLBACK"
    """The SR again as Comprehensive SR, for a destination that refuses Comprehensive 3D SR."""
    REJECTION = "REJECTION"
    """The Key Object Selection that withdraws the others."""
    COULD_NOT = "COULD_NOT"
    """The SR that says why nothing could be analysed; its UID never serves a later success."""


REPORTS = (Role.SR, Role.SR_OHIF)
"""Structured reports after TID 1500."""
DOCUMENTS = (*REPORTS, Role.CAD_SR)
"""Structured reports of any kind: what a revision names as replaced."""


REJECTIONS = {
    "113001": "Rejected for Quality Reasons",
    "113037": "Rejected for Patient Safety Reasons",
    "113038": "Incorrect Modality Worklist Entry",
}
"""Document titles (CID 7011, DCM) that say objects must no longer be used. Data Retention Policy Expired (113039) says
nothing against a result."""


@dataclass(frozen=True)
class Result:
    """One result object whose bytes are final."""

    run_key: str
    role: Role
    sop_class_uid: str
    sop_instance_uid: str
    series_uid: str
    study_uid: str
    transfer_syntax_uid: str
    path: Path
    digest: str
    """SHA-256 of the file, hex."""
