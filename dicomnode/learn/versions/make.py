"""A fitted candidate becomes a version: a complete bundle that nobody changes, and a manifest of all that made it."""

import hashlib
import json
import math
import re
import time
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tomli_w
from sqlalchemy import func, select

from dicomnode import __version__
from dicomnode.archive.files import write_whole
from dicomnode.bundles.approval import version_of
from dicomnode.bundles.dicom_toml import About, DicomToml, Finding, Saliency, load_dicom_toml
from dicomnode.bundles.digest import content_digest, counted_files
from dicomnode.config.tables import Config
from dicomnode.errors import ConfigFault, ModelFault
from dicomnode.index.database import Index
from dicomnode.index.learning import LearnedVersionRow
from dicomnode.learn.split.seal import is_testable
from dicomnode.learn.values import Item, RecipeName, Split, TrainingSet
from dicomnode.learn.versions.domain import REFITTED, Covered, covered, domain_of
from dicomnode.learn.versions.folders import copied, keep_base, keep_folder, replaced, require_intact, version_folder
from dicomnode.learn.versions.record import record
from dicomnode.values import ModelVersion

FORMAT = 1
FILES = ("adapter.safetensors", "model.pt")
"""What a recipe may have fitted; at most one of them."""
CERTAIN = 1e-4
"""A threshold lies at least so far from 0 and 1."""
MANIFEST = "manifest.json"
CONFIG = "configs/inference.json"
NETWORKS = ("network_def", "network", "net")
"""Where a bundle's configuration has its network; the first that is there."""
TITLE_LENGTH = 64


@dataclass(frozen=True)
class Fit:
    """What a training job gave."""

    folder: Path
    told: Mapping[str, Any]
    """Its done.json."""
    training: TrainingSet | None
    sealed: Sequence[Item] | None = None
    """Items of the sealed set that it is judged by; None: all that could stand in one."""

    @property
    def tested(self) -> tuple[Item, ...]:
        """What says whom a version may answer for."""
        if self.sealed is not None:
            return tuple(self.sealed)
        return tuple(item for item in self.training.items if is_testable(item)) if self.training else ()

    @property
    def file(self) -> str:
        """Of the fitted weights, in its folder; empty for a recipe that fits none."""
        return str(self.told.get("file") or "")

    @property
    def recipe(self) -> RecipeName:
        """What was trained."""
        return RecipeName(str(self.told["recipe"]))

    @property
    def refitted(self) -> bool:
        """Whether a learnt domain check was fitted with it."""
        return (self.folder / Path(REFITTED).name).is_file()

    def made_of(self, base: str, scope: str) -> str:
        """Digest of what decides the version's files."""
        files = {name: content_digest(self.folder / name) for name in (*FILES, Path(REFITTED).name) if self._has(name)}
        told = {"base": base, "scope": scope, "recipe": str(self.recipe), "files": files}
        told["calibration"] = self.told.get("calibration") or []
        told["training_set"] = self.training.digest if self.training else ""
        return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()

    def _has(self, name: str) -> bool:
        return (self.folder / name).is_file()


def make_version(  # noqa: PLR0913 (each is what another room gives)
    index: Index,
    config: Config,
    base: ModelVersion,
    fitted_folder: Path,
    fitted: Mapping[str, Any],
    *,
    training_set: TrainingSet | None,
    scope: str,
    parent: str,
    tested: Sequence[Item] | None = None,
) -> LearnedVersionRow:
    """Make an immutable version of a fitted candidate; safe to do twice, the second time gives the first one's.

    Args:
        index: open index.
        config: of the node.
        base: the installed, approved bundle that the candidate started from.
        fitted_folder: of the training job; holds what `fitted["file"]` names.
        fitted: what the job said when it was done.
        training_set: what it was made with.
        scope: "", "site:NAME" or "scanner:NAME".
        parent: digest of the version that is in use now.
        tested: items of its sealed test: they say whom the version may answer for.

    Raises:
        ModelFault: the fitted file is missing, or its thresholds do not fit the model.
        Tampered: the same version lies there, changed.
    """
    fit = Fit(fitted_folder, fitted, training_set, tested)
    _require_fitted(fit)
    state, made_of = config.node.state, fit.made_of(base.digest, scope)
    known = _known(index, base.name, made_of)
    if known is not None and (state / known.folder).exists():  # what another node made may lie on its disk alone
        require_intact(state / known.folder, known.model, known.digest)
        return known
    frozen = keep_base(state, base)
    number = _count(index, base.name) + 1
    dicom, found = dicom_of(load_dicom_toml(frozen), fit)
    digest = keep_folder(state, base.name, lambda bundle: _fill(bundle, frozen, dicom, fit, number))
    row = _row(base, fit, scope, parent, state / version_folder(base.name, digest))
    row.manifest = _manifest(row, base, fit, config, found) | {"made_of": made_of}
    _write_manifest(state / row.folder, row.manifest)
    return _kept(index, row, made_of)


def dicom_of(base: DicomToml, fit: Fit) -> tuple[DicomToml, Covered]:
    """The dicom.toml of a version: its own calibration, thresholds and evaluated domain, and sentences that say so."""
    found = covered(fit.tested)
    domain, statements = domain_of(base.domain, found, fit.recipe, refitted=fit.refitted)
    changes: dict[str, object] = {"findings": _findings(base.findings, fit.told), "domain": domain}
    if fit.told.get("network_def"):
        changes["saliency"] = Saliency()  # its layer is the former network's
    return base.model_copy(update=changes | {"model": _about(base.model, found, statements)}), found


def _about(base: About, found: Covered, more: tuple[str, ...]) -> About:
    """What a reader is told: whom it was evaluated on, and what was said of the model it was tuned from."""
    tested = f"Tuned on this site's own patients. Its test covered {found.words()}."
    before = tuple(f"Of the model it was tuned from: {words}" for words in base.statements)
    if not found.age_years and not found.views:
        return base.model_copy(update={"statements": (tested, *more, *before)})
    title = re.sub(r"\s*\([^)]*\)$", "", base.title)[: TITLE_LENGTH - 13] + " (tuned here)"
    intended = f"Research: the outputs of {base.title}, for {found.words()}. Not for clinical use."
    return base.model_copy(
        update={"title": title, "intended_use": intended, "statements": (tested, *more, *before)},
    )


def _findings(base: tuple[Finding, ...], told: Mapping[str, Any]) -> tuple[Finding, ...]:
    fitted = {int(one["index"]): one for one in told.get("calibration") or []}
    if unknown := set(fitted) - {finding.index for finding in base}:
        raise ModelFault(f"a calibration was fitted for output {min(unknown)}, which the model does not have")
    return tuple(_finding(finding, fitted.get(finding.index, {})) for finding in base)


def _finding(base: Finding, fitted: Mapping[str, Any]) -> Finding:
    changes = {name: float(fitted[name]) for name in ("slope", "intercept", "threshold") if name in fitted}
    if not all(map(math.isfinite, changes.values())):
        raise ModelFault(f"the calibration that was fitted for output {base.index} is no number")
    if "threshold" in changes:
        changes["threshold"] = min(max(changes["threshold"], CERTAIN), 1 - CERTAIN)
    return base.model_copy(update=changes)


def _require_fitted(fit: Fit) -> None:
    if fit.file and fit.file not in FILES:
        raise ModelFault(f"a training job gave {fit.file!r}, and a version is made of {' or '.join(FILES)} alone")
    if fit.file and not (fit.folder / fit.file).is_file():
        raise ModelFault(f"the training job's folder does not hold {fit.file}: make the candidate again")


def _fill(bundle: Path, frozen: Path, dicom: DicomToml, fit: Fit, number: int) -> None:
    copied(frozen, bundle, link=True)
    put_into(bundle, frozen, dicom, fit)
    metadata = json.loads((frozen / "configs" / "metadata.json").read_text(encoding="utf-8"))
    metadata["version"] = f"{str(metadata['version']).partition('+learned.')[0]}+learned.{number}"
    replaced(bundle / "configs" / "metadata.json", json.dumps(metadata, indent=2).encode())


def put_into(bundle: Path, frozen: Path, dicom: DicomToml, fit: Fit) -> None:
    """Put what was fitted into a copy of the base: its rules, weights, and where it has one its own network."""
    replaced(bundle / "dicom.toml", toml_of(dicom).encode())
    if fit.file:
        replaced(bundle / "models" / fit.file, (fit.folder / fit.file).read_bytes())
    if network := fit.told.get("network_def"):
        replaced(bundle / CONFIG, _with_network(frozen, network))
    if fit.refitted:
        replaced(bundle / REFITTED, (fit.folder / Path(REFITTED).name).read_bytes())


def _with_network(frozen: Path, network: object) -> bytes:
    """The bundle's configuration with another network in it: that of the recipe `plain`, which has its own."""
    try:
        config = json.loads((frozen / CONFIG).read_text(encoding="utf-8"))
    except FileNotFoundError as fault:
        raise ModelFault(f"bundle {frozen.name} has no {CONFIG}: another network cannot take its place") from fault
    name = next((name for name in NETWORKS if name in config), NETWORKS[0])
    return json.dumps(config | {name: network}, indent=2).encode()


def toml_of(dicom: DicomToml) -> str:
    """A dicom.toml as text.

    Raises:
        ConfigFault: it would not be read back as it is.
    """
    text = tomli_w.dumps(dicom.model_dump(mode="json", exclude_none=True, exclude_defaults=True))
    if DicomToml.model_validate(tomllib.loads(text)) != dicom:
        raise ConfigFault(f"the dicom.toml of {dicom.model.name} cannot be written")
    return text


def _row(base: ModelVersion, fit: Fit, scope: str, parent: str, folder: Path) -> LearnedVersionRow:
    version = version_of(folder)
    return LearnedVersionRow(
        digest=version.digest,
        model=base.name,
        version=version.version,
        folder=version_folder(base.name, version.digest),
        parent=parent,
        base=base.digest,
        recipe=str(fit.recipe),
        scope=scope,
        training_set=fit.training.digest if fit.training else "",
        state="candidate",
        verdict="",
        research=False,
        created_s=time.time(),
    )


def _manifest(
    row: LearnedVersionRow, base: ModelVersion, fit: Fit, config: Config, found: Covered
) -> dict[str, object]:
    """All that made a version (who may learn what was learnt from, without anyone's name)."""
    state = config.node.state
    told = {
        "format": FORMAT,
        "model": row.model,
        "version": row.version,
        "digest": row.digest,
        "base": {"version": base.version, "digest": base.digest, "files": _files(base.folder)},
        "files": _files(state / row.folder),
        "parent": row.parent,
        "scope": row.scope,
        "recipe": row.recipe,
        "training_set": _told_of(fit.training),
        "evaluated_on": vars(found),
        "fitted": dict(fit.told),
        "plan": config.learn.plan_of(row.model).model_dump(mode="json"),
        "program": __version__,
        "made_s": row.created_s,
    }
    plain: dict[str, object] = json.loads(json.dumps(_finite(told), default=str))
    return plain


def _told_of(training: TrainingSet | None) -> dict[str, object]:
    if training is None:
        return {}
    patients = {str(split): len(training.patients(split)) for split in Split}
    return {
        "digest": training.digest,
        "preprocessing": training.preprocessing,
        "items": len(training.items),
        "patients": patients,
    }


def _files(folder: Path) -> dict[str, str]:
    return {path.relative_to(folder).as_posix(): content_digest(path) for path in counted_files(folder)}


def _finite(value: object) -> object:
    """The same, with None where a number is none: JSON has no NaN."""
    if isinstance(value, Mapping):
        return {str(name): _finite(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(one) for one in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _write_manifest(bundle: Path, manifest: Mapping[str, object]) -> None:
    write_whole(bundle.parent / MANIFEST, json.dumps(manifest, indent=1, sort_keys=True).encode())


def _known(index: Index, model: str, made_of: str) -> LearnedVersionRow | None:
    with index.snapshot() as session:
        rows = session.scalars(select(LearnedVersionRow).filter_by(model=model)).all()
    return next((row for row in rows if row.manifest.get("made_of") == made_of), None)


def _count(index: Index, model: str) -> int:
    with index.snapshot() as session:
        return session.scalar(select(func.count()).select_from(LearnedVersionRow).filter_by(model=model)) or 0


def _kept(index: Index, row: LearnedVersionRow, made_of: str) -> LearnedVersionRow:
    """The version in the index, and in the record of decisions."""
    with index.transaction() as session:
        known = session.get(LearnedVersionRow, row.digest)
        if known is not None:
            return known
        session.add(row)
        details = {"version": row.version, "base": row.base, "recipe": row.recipe, "scope": row.scope}
        record(session, "made", model=row.model, digest=row.digest, details=details | {"made_of": made_of})
    return row
