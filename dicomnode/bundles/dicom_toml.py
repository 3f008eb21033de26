"""dicom.toml: what a MONAI bundle needs to be told about DICOM.

Which series it takes, what each output means in coded concepts, how sure it is, where it was
evaluated. It is data: nothing in it is evaluated or imported.
"""

import tomllib
from enum import StrEnum
from pathlib import Path
from typing import Self

from pydantic import Field, PositiveFloat, PositiveInt, ValidationError, model_validator

from dicomnode.config.conditions import Condition, Table
from dicomnode.errors import ConfigFault


class Code(Table):
    """A coded concept (PS3.3 8.8)."""

    value: str
    scheme: str
    """Coding Scheme Designator: SCT, DCM, LN, RADLEX, 99DICOMNODE ..."""
    meaning: str = Field(max_length=64)


class Kind(StrEnum):
    """What a bundle puts out."""

    SEGMENTATION = "segmentation"
    CLASSIFICATION = "classification"
    DETECTION = "detection"
    """Boxes; [[findings]] say what their labels mean."""


class About(Table):
    """The [model] table."""

    name: str
    """Folder name of the bundle."""
    kind: Kind
    title: str
    """Algorithm Name of TID 4019, as the reader sees it."""
    manufacturer: str = "dicomnode"
    intended_use: str
    """One sentence; written into every SR."""
    procedure: Code
    """Procedure Reported (121058, DCM): the imaging procedure, not the algorithm."""
    site: Code
    """Anatomic region that the result speaks of."""
    statements: tuple[str, ...] = ()
    """Sentences that every SR carries ("position within the head not verified")."""
    timeout_s: PositiveFloat = 300.0
    """The child process is killed when one study takes longer."""


class Exclusion(StrEnum):
    """Kinds of image that no model takes unless it admits them."""

    LOCALIZER = "localizer"
    DERIVED = "derived"
    SECONDARY = "secondary"
    MIP = "mip"


class Geometry(Table):
    """The [series.geometry] table: limits that a series must keep."""

    min_slices: PositiveInt = 1
    max_slices: PositiveInt = 4000
    max_extent_mm: tuple[float, float, float] | None = None
    """Largest size along (slice, row, column) direction."""
    min_extent_mm: tuple[float, float, float] | None = None
    max_spacing_mm: tuple[float, float, float] | None = None
    """Largest voxel spacing along (slice, row, column) direction."""
    max_tilt_deg: float = 1.0
    """Largest angle between the stacking direction and the slice normal."""
    uneven_mm: PositiveFloat = 0.1
    """Largest unevenness of slice gaps, or 5 % of the median if that is more."""


class Rank(StrEnum):
    """Preferences among series that fit, the first that differs decides."""

    THINNEST = "thinnest"
    MOST_SLICES = "most_slices"
    KERNEL = "kernel"
    NEWEST = "newest"


class SeriesRules(Table):
    """The [series] table."""

    modalities: tuple[str, ...]
    require: tuple[Condition, ...] = ()
    exclude: tuple[Condition, ...] = ()
    """A series for which one of these holds is not taken."""
    admit: tuple[Exclusion, ...] = ()
    """Explicit exceptions from the general exclusions (localizer, derived, secondary, MIP)."""
    geometry: Geometry = Geometry()
    rank: tuple[Rank, ...] = (Rank.THINNEST, Rank.MOST_SLICES)
    kernels: tuple[str, ...] = ()
    """Preferred ConvolutionKernel values, best first."""
    orientation_verified: bool = True
    """False where the images' position and side in the patient are not to be relied on: pictures then mark no side."""
    dimensions: int = Field(3, ge=2, le=3)
    """3: a stack with geometry. 2: one projection or ultrasound image."""


class Segment(Table):
    """One output channel that becomes a SEG segment."""

    index: PositiveInt
    """Label in the map, and channel of the network's output (0 is background)."""
    label: str
    category: Code
    type: Code
    region: Code | None = None
    laterality: Code | None = None
    """Only where the model's input fixes the side; never guessed."""
    cielab: tuple[float, float, float] = (60.0, 0.0, 0.0)
    """Recommended display colour, CIELab."""
    min_volume_ml: float = 0.0
    """Less than this is answered as "nothing found"; of a segment of lesions, each one."""
    lesions: bool = False
    """Each connected part (26 neighbours) is a finding of its own: numbered, tracked and measured alone."""


class Finding(Table):
    """One classification output, or one label of a detector's boxes."""

    index: int = Field(ge=0)
    """Column of the network's output; of a detection, the label of a box."""
    concept: Code
    """What is looked for (the finding)."""
    site: Code | None = None
    laterality: Code | None = None
    """Only where the model's input fixes the side; never guessed."""
    threshold: float = Field(gt=0, lt=1)
    """Decision threshold on the calibrated probability."""
    slope: float = 1.0
    """Calibration: probability = sigmoid(slope × logit + intercept) (Platt)."""
    intercept: float = 0.0


class Activation(StrEnum):
    """What turns the network's output into labels or probabilities."""

    SOFTMAX = "softmax"
    SIGMOID = "sigmoid"
    NONE = "none"
    """The bundle's own postprocessing has done it."""


class Domain(Table):
    """The [domain] table: where the model was evaluated."""

    min_age_years: float | None = None
    max_age_years: float | None = None
    views: tuple[str, ...] = ()
    """View Position (0018,5101) values; empty: not looked at."""
    scanners: tuple[str, ...] = ()
    """Manufacturer and model as "Manufacturer Model"; empty: not looked at."""
    require: tuple[Condition, ...] = ()
    """Further conditions; one that fails puts the input outside."""
    check: str | None = None
    """File in the bundle with a learnt domain check."""


class UncertaintyMethod(StrEnum):
    """How test-time uncertainty is estimated."""

    NONE = "none"
    MC_DROPOUT = "mc_dropout"
    FLIPS = "flips"


class Uncertainty(Table):
    """The [uncertainty] table."""

    method: UncertaintyMethod = UncertaintyMethod.NONE
    samples: int = Field(8, ge=2, le=64)
    axes: tuple[int, ...] = (2,)
    """Spatial axes of the network's input that may be flipped (0-based), for "flips"."""


class Saliency(Table):
    """The [saliency] table."""

    layer: str | None = None
    """Module name for Grad-CAM; None: no map."""


class Tune(Table):
    """The [tune] table: what fine-tuning may change (used by the learning rooms)."""

    trainable: tuple[str, ...] = ()
    """Parameter-name patterns."""


class DicomToml(Table):
    """A whole dicom.toml."""

    model: About
    series: SeriesRules
    activation: Activation = Activation.SOFTMAX
    segments: tuple[Segment, ...] = ()
    findings: tuple[Finding, ...] = ()
    domain: Domain = Domain()
    uncertainty: Uncertainty = Uncertainty()
    saliency: Saliency = Saliency()
    tune: Tune = Tune()
    translations: dict[str, dict[str, str]] = Field(default_factory=dict)
    """For a language (de, ja): what is said here in English, and the same in that language, for the reader."""

    @model_validator(mode="after")
    def require_outputs(self) -> Self:
        """Segments for a segmentation, findings for a classification or detection."""
        wanted = self.segments if self.model.kind is Kind.SEGMENTATION else self.findings
        if not wanted:
            raise ValueError(f"a {self.model.kind} needs at least one output ([[segments]] or [[findings]])")
        return self

    @property
    def output_names(self) -> tuple[str, ...]:
        """What a reader knows the outputs by: segments of a segmentation, else findings."""
        if self.model.kind is Kind.SEGMENTATION:
            return tuple(segment.label for segment in self.segments)
        return tuple(finding.concept.meaning for finding in self.findings)


def load_dicom_toml(bundle: Path) -> DicomToml:
    """Read `dicom.toml` of a bundle.

    Raises:
        ConfigFault: missing, no TOML, or not as described here; all faults at once.
    """
    path = bundle / "dicom.toml"
    try:
        return DicomToml.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
    except FileNotFoundError as fault:
        raise ConfigFault(f"{path} is missing: a bundle needs it to be routed") from fault
    except tomllib.TOMLDecodeError as fault:
        raise ConfigFault(f"{path} is no TOML: {fault}") from fault
    except ValidationError as fault:
        places = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in fault.errors())
        raise ConfigFault(f"{path} cannot be used: {places}") from fault
