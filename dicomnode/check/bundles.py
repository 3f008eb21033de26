"""The models that routes name: there, readable, approved; and how long a STAT study waits for them at worst."""

from sqlalchemy import select

from dicomnode.bundles.dicom_toml import load_dicom_toml
from dicomnode.bundles.digest import digest
from dicomnode.check.finding import Finding, fault, ok, warning
from dicomnode.config.tables import Config
from dicomnode.errors import NodeError
from dicomnode.index.database import Index
from dicomnode.index.learning import InUseRow, LearnedVersionRow
from dicomnode.index.schema import ModelVersionRow
from dicomnode.learn.versions.folders import require_intact


def bundles(config: Config, index: Index) -> list[Finding]:
    """Look at every model that a route names."""
    names = list(dict.fromkeys(name for route in config.routes for name in route.models))
    if not names:
        fix = "add [[routes]] to config.toml; until then studies are only stored"
        return [warning("routes", "no route names a model", fix)]
    return [*(_bundle(config, index, name) for name in names), *versions(config, index), *stat_wait(config, names)]


def versions(config: Config, index: Index) -> list[Finding]:
    """Every version made here that is in use: whole, and of the bundle that is installed."""
    with index.snapshot() as session:
        rows = [session.get_one(LearnedVersionRow, one.digest) for one in session.scalars(select(InUseRow))]
    return [_version(config, row) for row in rows]


def _version(config: Config, row: LearnedVersionRow) -> Finding:
    part = f"version {row.version} of {row.model}"
    try:
        require_intact(config.node.state / row.folder, row.model, row.digest)
        base = digest(config.infer.folder / row.model)
    except (NodeError, OSError) as error:
        return fault(part, str(error), f"dicomnode models rollback {row.model}")
    if base != row.base:
        fix = f"make a candidate from the installed bundle, or: dicomnode models rollback {row.model}"
        return warning(part, "the bundle that it was made from was replaced, and the new one answers", fix)
    if row.research:
        return warning(
            part, "in use for RESEARCH, against the gate's verdict", f"dicomnode models rollback {row.model}"
        )
    return ok(part, f"in use{f' for {row.scope}' if row.scope else ''}, digest {row.digest[:12]}")


def stat_wait(config: Config, names: list[str]) -> list[Finding]:
    """How long a STAT study waits at worst before its own analysis begins."""
    limits = {name: limit_s for name in names if (limit_s := time_limit_s(config, name)) is not None}
    if not limits:
        return []
    slowest = max(limits, key=lambda name: limits[name])
    if config.infer.stat_process:
        return [ok("stat", "a STAT study waits for other STAT studies alone, each at most " + _limit(limits, slowest))]
    before = f"a STAT study waits for one attempt at the study before it, at most {_limit(limits, slowest)}"
    return [ok("stat", f"{before}; with [infer].stat_process = true it does not wait for others")]


def time_limit_s(config: Config, name: str) -> float | None:
    """Seconds after which a model's study is stopped; None where its bundle cannot be read."""
    own = config.model(name).timeout_s
    if own is not None:
        return own
    try:
        return load_dicom_toml(config.infer.folder / name).model.timeout_s
    except (NodeError, OSError):
        return None


def _limit(limits: dict[str, float], name: str) -> str:
    return f"{limits[name]:.0f} s (the time limit of {name})"


def _bundle(config: Config, index: Index, name: str) -> Finding:
    part, folder = f"model {name}", config.infer.folder / name
    try:
        load_dicom_toml(folder)
        found = digest(folder)
    except (NodeError, OSError) as error:
        return fault(part, f"its bundle cannot be used: {error}", f"put a whole bundle into {folder}")
    row = approved(index, found)
    if row is not None:
        return ok(part, f"version {row.version}, approved by {row.approved_by}, digest {found[:12]}")
    before = f", though another version of it was: {', '.join(others)}" if (others := known(index, name)) else ""
    fix = f"read its model card, then: dicomnode models approve {name}"
    return fault(part, f"digest {found[:12]} is not approved{before}", fix)


def approved(index: Index, found: str) -> ModelVersionRow | None:
    """The approval of a digest that is in force."""
    with index.snapshot() as session:
        row = session.get(ModelVersionRow, found)
    return row if row is not None and row.revoked_s is None else None


def known(index: Index, name: str) -> list[str]:
    """Beginnings of the digests that are approved for a model."""
    question = select(ModelVersionRow.digest).where(ModelVersionRow.name == name, ModelVersionRow.revoked_s.is_(None))
    with index.snapshot() as session:
        return [found[:12] for found in session.scalars(question)]
