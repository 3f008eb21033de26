"""The [learn] tables of config.toml: where labels come from, when to learn, what a candidate must prove."""

import codecs
import ipaddress
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, NonNegativeInt, PositiveFloat, PositiveInt

from dicomnode.config.conditions import Table
from dicomnode.learn.cron import cron
from dicomnode.learn.values import RecipeName
from dicomnode.values import Header


def _cron(terms: str) -> str:
    if terms:
        cron(terms)
    return terms


Share = Annotated[float, Field(gt=0, lt=1)]
Margin = Annotated[float, Field(ge=0, lt=1)]
Cron = Annotated[str, AfterValidator(_cron)]
Clock = Annotated[str, Field(pattern=r"^([01]\d|2[0-3]):[0-5]\d$")]

WINDOW = r"^(([01]\d|2[0-3]):[0-5]\d-([01]\d|2[0-3]):[0-5]\d)?$"


class Mapping(Table):
    """One [[learn.map]] entry: what a code or word of the site means for an output of a model."""

    model: str
    output: int
    """`index` of the finding or segment in its dicom.toml."""
    codes: tuple[str, ...] = ()
    """Coded concepts as "value/scheme", for reports, segments and structure sets."""
    words: tuple[str, ...] = ()
    """Segment labels, structure names, titles of key objects, columns of tables; case does not matter."""
    finding: str = ""
    """Finding of the labeler's lexicon, for report text."""
    value: Literal["present", "absent"] = "present"
    """What it means where it is merely named; a value that stands beside it (Yes, No, absent) decides instead."""


def _codec(name: str) -> str:
    try:
        codecs.lookup(name)
    except LookupError as fault:
        raise ValueError(f"{name!r} is no character set that is known here: utf-8, cp932, euc_jp, ...") from fault
    return name


def _network(text: str) -> str:
    ipaddress.ip_network(text, strict=False)
    return text


Codec = Annotated[str, AfterValidator(_codec)]
Network = Annotated[str, AfterValidator(_network)]


class Hl7(Table):
    """The [learn.hl7] table: reports as HL7 v2 ORU^R01 over MLLP."""

    enabled: bool = False
    host: str = "127.0.0.1"
    port: Annotated[int, Field(ge=1, le=65535)] = 2575
    networks: tuple[Network, ...] = ("127.0.0.0/8",)
    """Addresses that may send."""
    max_message_bytes: PositiveInt = 4_194_304
    encoding: Codec = "utf-8"
    """Of messages that do not say (MSH-18); Japanese after ISO-2022-JP is recognised."""
    issuers: dict[str, str] = Field(default={})
    """Names of assigning authorities (CX-4) that images know by another Issuer of Patient ID; empty: not at all."""


class GatePlan(Table):
    """The [learn.gate] table: fixed before a candidate exists (FDA PCCP, Japan IDATEN)."""

    alpha: Share = 0.025
    """One-sided, over all looks at one sealed set."""
    margin_auc: Margin = 0.03
    """Non-inferiority margin of AUC (and of FROC's mean sensitivity), against baseline and model in use."""
    margin_dice: Margin = 0.02
    margin_retention: Margin = 0.03
    benefit: Literal["auc", "dice", "froc", "brier", "auto"] = "auto"
    """What must be better; "auto": the kind's own figure."""
    min_sensitivity: Margin = 0.0
    """Lower bound at the deployed threshold; 0: not worse than the model in use by margin_sensitivity."""
    min_specificity: Margin = 0.0
    margin_sensitivity: Margin = 0.05
    max_ece: Share = 0.05
    subgroup_margin: Margin = 0.05
    coverage: Share = 0.90
    max_abstention: Share = 0.30
    min_power: Share = 0.80
    max_looks: PositiveInt = 10


class LearnModel(Table):
    """A [learn.models.NAME] table: what is particular to one model."""

    recipe: RecipeName | None = None
    """Instead of learn.recipe."""
    gate: GatePlan | None = None
    """Instead of [learn.gate]."""
    scope: Literal["", "site", "scanner"] = ""
    """Make adapters for each site or scanner; empty: one version for all."""


class Watch(Table):
    """The [learn.watch] table: drift."""

    daily_at: Clock = "05:30"
    alarm_p: Share = 0.01
    """After correction for the number of figures looked at (Benjamini-Hochberg)."""
    psi: PositiveFloat = 0.25
    min_studies: PositiveInt = 50
    reference_studies: PositiveInt = 300
    """The first studies of a version: what the last days are compared with, for as long as it is in use."""
    days: PositiveFloat = 14.0
    """The last days."""
    webhook: Annotated[str, Field(pattern=r"^(https?://\S+)?$")] = ""
    """URL that alarms are posted to as JSON, without any identity."""


class Learn(Table):
    """The [learn] table."""

    enabled: bool = False
    """Collect labels, make candidates; nothing is promoted by itself."""
    models: dict[str, LearnModel] = Field(default_factory=dict)
    sources: tuple[str, ...] = ()
    """AE titles whose objects count as labels, where a person made them; empty: none."""
    map: tuple[Mapping, ...] = ()
    sites: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    """Sites by name, each with its stations (Station Name) and the AE titles that send for it; case does not matter."""
    labelers: tuple[str, ...] = ("japanese", "english")
    """What reads report text, the first that knows its language: in the box, plug-ins, or lexicon files."""
    recipe: RecipeName = RecipeName.AUTO
    processes: PositiveInt = 1
    """Training processes (torchrun), or accelerators."""
    threads: NonNegativeInt = 0
    """CPU threads of each; 0: all cores."""
    idle: bool = True
    """Take only processor time that nobody else wants; false: a little beside others, where there is never any."""
    trials: Annotated[int, Field(ge=0, le=8)] = 8
    """Learning rates that are tried by inner cross-validation; 0: the recipe's own is taken."""
    memory_share: Annotated[float, Field(gt=0, le=1)] = 0.6
    """Of an accelerator's memory that training may take; it keeps it while it is paused, and analyses need the rest."""
    monthly: Cron = "0 20 1 * *"
    """When a candidate is made, in cron terms and local time; empty: never by the calendar."""
    nightly: Cron = "0 20 * * *"
    """When triggers are looked at."""
    window: Annotated[str, Field(pattern=WINDOW)] = "20:00-06:00"
    """Training runs at these hours alone, and pauses outside; empty: at any time. `learn now` does not wait for it."""
    max_hours: PositiveFloat = 24.0
    """Of work, pauses not counted, that one part of a learning may take: what hangs ends in words."""
    min_new_patients: PositiveInt = 200
    """Newly labelled patients that trigger a candidate, or ..."""
    min_new_positives: PositiveInt = 50
    shadow_studies: PositiveInt = 200
    """The shadow period ends after so many studies, or ..."""
    shadow_days: PositiveFloat = 14.0
    promote: Literal["by a named person", "automatically, without a person"] = "by a named person"
    seed: NonNegativeInt = 20261121
    hl7: Hl7 = Hl7()
    gate: GatePlan = GatePlan()
    watch: Watch = Watch()

    def plan_of(self, model: str) -> GatePlan:
        """What a candidate of a model must prove: its own plan, else [learn.gate]."""
        return self.models.get(model, LearnModel()).gate or self.gate

    def site_of(self, header: Header) -> str:
        """The site that a series comes from, as groups and scopes name it; "unknown" where none of [learn.sites] fits.

        Institution Name is not asked: the index does not keep it.
        """
        words = ("StationName", "SendingApplicationEntityTitle", "SourceApplicationEntityTitle")
        told = {header.text(word).strip().casefold() for word in words} - {""}
        fits = (name for name, known in self.sites.items() if told & {one.casefold() for one in known})
        return next(fits, "unknown")
