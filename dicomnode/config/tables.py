"""config.toml, table for table. The shipped file names every key with its default."""

from ipaddress import IPv4Network, IPv6Network
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, NonNegativeInt, PositiveFloat, PositiveInt, field_validator, model_validator

from dicomnode.config.conditions import Table, When
from dicomnode.config.learning import Learn
from dicomnode.config.profiles import OBJECTS, PRIOR, PROFILES
from dicomnode.values import Priority, Role


def _ae_title(value: str) -> str:
    if not 1 <= len(value.strip()) <= 16 or "\\" in value or not value.isprintable() or not value.isascii():
        raise ValueError(f"{value!r} is no AE title: 1-16 ASCII characters, no backslash (PS3.5 6.2)")
    return value.strip()


AETitle = Annotated[str, AfterValidator(_ae_title)]
Port = Annotated[int, Field(ge=1, le=65535)]


class Tls(Table):
    """Three lines that switch mutual TLS on (TLS 1.2 or later, PS3.15 B.12)."""

    certificate: Path
    """Our certificate chain, PEM."""
    key: Path
    """Its private key, PEM."""
    authorities: Path
    """Certificates that sign our peers', PEM."""


class Node(Table):
    """The [node] table."""

    state: Path = Path("state")
    """Folder of everything that must survive a restart."""
    station_name: str = "dicomnode"
    """Station Name in results."""
    institution: str = ""
    """Institution that runs the node; copied from the source images where empty."""
    uid_root: str = "2.25"
    """Root of UIDs made here; "2.25" needs no registration (PS3.5 B.2)."""
    language: Literal["en", "de", "ja"] = "en"
    """Language of what a reader reads in results."""


class Index(Table):
    """The [index] table."""

    url: str = ""
    """SQLAlchemy URL; empty: SQLite in the state folder."""
    engine_url: str = ""
    """Database of the workflow engine; empty: SQLite in the state folder."""


class Caller(Table):
    """One [[receive.callers]] entry: who may open an association."""

    ae_title: AETitle
    networks: tuple[IPv4Network | IPv6Network, ...]
    """Addresses it may call from."""


class Receive(Table):
    """The [receive] table."""

    ae_title: AETitle = "DICOMNODE"
    """Our AE title; a call for another is rejected."""
    host: str = "127.0.0.1"
    """Address to listen on; "0.0.0.0" for every interface."""
    port: Port = 11112
    processes: PositiveInt = 1
    """Receiver processes that share the port."""
    fast: bool = True
    """Read C-STORE with one plain loop instead of pynetdicom's reactor."""
    callers: tuple[Caller, ...] = ()
    """Who may call; empty: loopback alone, under any AE title."""
    tls: Tls | None = None
    max_associations: PositiveInt = 100
    max_pdu_bytes: int = Field(131072, ge=4096, le=1 << 20)
    max_instance_bytes: PositiveInt = 4 << 30
    """Larger instances are refused (A700)."""
    association_timeout_s: PositiveFloat = 30.0
    """A caller that has not finished negotiating by then is dropped."""
    idle_timeout_s: PositiveFloat = 60.0
    """A caller that sends nothing for so long is dropped."""
    reserve_bytes: NonNegativeInt = 5 << 30
    """Free disk below which nothing more is accepted."""


class Storage(Table):
    """The [storage] table: how long received instances stay."""

    keep_days: PositiveFloat = 90.0
    """Studies not touched for so long are removed, unless a result is uncommitted or a training set uses them."""
    keep_free_bytes: NonNegativeInt = 20 << 30
    """Oldest studies go earlier while less than this is free."""


class Complete(Table):
    """The [complete] table."""

    quiet_s: PositiveFloat = 60.0
    """Seconds without a new instance after which a study counts as complete."""
    settle_s: PositiveFloat = 5.0
    """Seconds between the two queries that find the PACS's counts equal to ours."""
    cap_s: PositiveFloat = 3600.0
    """A study that never gets quiet, or lacks a required series, waits no longer than this."""
    at_cap: Literal["run", "park"] = "run"
    """What then happens."""
    prior_wait_s: PositiveFloat = 600.0
    """A study waits no longer for its prior study to be fetched and analysed."""


class Peer(Table):
    """One [peers.NAME] table: a PACS that we send to and query."""

    ae_title: AETitle
    host: str
    port: Port
    tls: bool = False
    """Use the certificates of [receive.tls]."""
    query: bool = False
    """It answers C-FIND and C-MOVE (counts of a study, catch-up)."""
    commitment: bool = True
    """It answers Storage Commitment; without it a stored result counts as delivered."""
    commitment_wait_s: PositiveFloat = 3600.0
    """Seconds after which a commitment request that no report came to is made again."""
    profile: str = "standard"
    """Viewer profile of what we send: "standard", "ohif", "basic", "full", or a [profiles.NAME] of the site's own."""
    rejection_notes: bool = True
    """Tell it by a rejection note (IHE IOCM) which results to withdraw; otherwise a person is told to remove them."""
    timeout_s: PositiveFloat = 30.0


class Profile(Table):
    """One [profiles.NAME] table: which objects a viewer gets."""

    objects: tuple[Role, ...] = Field(min_length=1)
    """Of OBJECTS; what a kind of model cannot make is left out."""

    @field_validator("objects")
    @classmethod
    def require_choosable(cls, objects: tuple[Role, ...]) -> tuple[Role, ...]:
        """Kinds of object that a site may ask for."""
        if others := [role for role in objects if role not in OBJECTS]:
            raise ValueError(f"{', '.join(others)}: no kind of object; there are {', '.join(OBJECTS)}")
        return objects


class Route(Table):
    """One [[routes]] entry: which studies go through which models, and where results go."""

    name: str
    when: When = When()
    """Holds for a study when it holds for the header of one of its instances."""
    models: tuple[str, ...]
    destinations: tuple[str, ...]
    """Names of peers."""
    priority: Priority = Priority.ROUTINE
    """Raised by the study's own Requested Procedure Priority."""
    required_series: tuple[When, ...] = ()
    """A series must exist for each before the study counts as complete."""
    source: str | None = None
    """Peer that is asked for counts and by catch-up; None: quiet time alone."""
    prior: bool = False
    """Fetch the patient's prior study from `source` and analyse it too, to tell what has changed; needs `source`."""


class ModelSetting(Table):
    """One [models.NAME] table."""

    device: str = "auto"
    """"auto", "cpu", "cuda:0" ..."""
    timeout_s: PositiveFloat | None = None
    """Overrides the bundle's own."""
    research_outside_domain: bool = False
    """Show probabilities outside the evaluated domain; every result is marked."""
    saliency: bool = True
    probability: bool = True
    """Map the probability of a segmentation, where the run's viewer profile has a Parametric Map."""
    at_once: PositiveInt | None = None
    """Runs of this model under way at once, over all gpu processes; STAT studies have places of their own."""


class Infer(Table):
    """The [infer] table."""

    folder: Path = Path("models")
    """Where the bundles are."""
    allow_cpu: bool = True
    """Fall back to the CPU when the accelerator lacks memory."""
    mixed_precision: bool = True
    """AMP on an accelerator."""
    processes: PositiveInt = 1
    """One per accelerator."""
    stat_process: bool = False
    """A second process that works on STAT studies alone."""
    threads: NonNegativeInt = 0
    """CPU threads of a model's process; 0: all cores."""


class Deliver(Table):
    """The [deliver] table."""

    first_retry_s: PositiveFloat = 5.0
    """Wait after the first failed attempt; doubled up to max_retry_s."""
    max_retry_s: PositiveFloat = 900.0
    give_up_days: PositiveFloat = 14.0
    """After so long a delivery is parked."""


class CatchUp(Table):
    """The [catch_up] table: find what the PACS has and never reached us."""

    nightly_at: str = Field("02:30", pattern=r"^([01]\d|2[0-3]):[0-5]\d$")
    days: PositiveInt = 2
    """How far back the nightly look goes."""
    enabled: bool = True


class Web(Table):
    """The [web] table: health and metrics."""

    host: str = "127.0.0.1"
    port: Port = 9464


class Log(Table):
    """The [log] table."""

    level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    format: Literal["auto", "json", "console"] = "auto"
    """"auto": readable on a terminal, JSON under systemd."""


class Config(Table):
    """The whole file."""

    node: Node = Node()
    index: Index = Index()
    receive: Receive = Receive()
    storage: Storage = Storage()
    complete: Complete = Complete()
    peers: dict[str, Peer] = Field(default_factory=dict)
    profiles: dict[str, Profile] = Field(default_factory=dict)
    routes: tuple[Route, ...] = ()
    infer: Infer = Infer()
    models: dict[str, ModelSetting] = Field(default_factory=dict)
    deliver: Deliver = Deliver()
    catch_up: CatchUp = CatchUp()
    learn: Learn = Learn()
    web: Web = Web()
    log: Log = Log()

    @model_validator(mode="after")
    def require_known_names(self) -> Self:
        """Every peer that a route names exists, every route name is used once, TLS has certificates."""
        faults = [
            f"routes[{n}] {route.name!r} names peer {peer!r}, and there is no [peers.{peer}]"
            for n, route in enumerate(self.routes)
            for peer in (*route.destinations, *filter(None, [route.source]))
            if peer not in self.peers
        ]
        faults += [f"profiles.{name} is built in: choose another name" for name in self.profiles if name in PROFILES]
        faults += [
            f"peers.{name}.profile is {peer.profile!r}, and there is no [profiles.{peer.profile}]"
            for name, peer in self.peers.items()
            if peer.profile not in {*PROFILES, *self.profiles} - {PRIOR}
        ]
        names = [route.name for route in self.routes]
        faults += [f"two routes are named {name!r}" for name in sorted({n for n in names if names.count(n) > 1})]
        faults += [
            f"peers.{name}.tls is true, and there is no [receive.tls]"
            for name, peer in self.peers.items()
            if peer.tls and self.receive.tls is None
        ]
        faults += [
            f"routes {route.name!r}: source {route.source!r} is asked, and peers.{route.source}.query is false"
            for route in self.routes
            if route.source in self.peers and not self.peers[route.source].query
        ]
        faults += [
            f"routes {route.name!r}: prior is true, and no source says where the prior study is fetched from"
            for route in self.routes
            if route.prior and not route.source
        ]
        if faults:
            raise ValueError("; ".join(faults))
        return self

    def model(self, name: str) -> ModelSetting:
        """Settings of one model, the defaults where the file has none."""
        return self.models.get(name, ModelSetting())

    def objects(self, profile: str) -> tuple[Role, ...]:
        """Kinds of object that a viewer profile sends."""
        return PROFILES[profile] if profile in PROFILES else self.profiles[profile].objects

    def viewer(self, profile: str) -> str:
        """What of a viewer profile decides a run's results: the kinds of object, and the language."""
        return "+".join((profile, *self.objects(profile), self.node.language))

    @property
    def sources(self) -> tuple[str, ...]:
        """Peers that routes name as their source, each once."""
        return tuple(dict.fromkeys(route.source for route in self.routes if route.source))

    @property
    def index_url(self) -> str:
        """SQLAlchemy URL of the index."""
        return self.index.url or f"sqlite:///{self.node.state / 'index.sqlite'}"

    @property
    def engine_url(self) -> str:
        """SQLAlchemy URL of the workflow engine's database."""
        return self.index.engine_url or f"sqlite:///{self.node.state / 'engine.sqlite'}"
