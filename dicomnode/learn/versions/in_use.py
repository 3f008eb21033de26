"""Which version answers: of the site, of the scanner, of the model, or the installed bundle that all go back to."""

import structlog
from sqlalchemy.orm import Session

from dicomnode.bundles.approval import NotApproved, device_uid, version_of
from dicomnode.bundles.dicom_toml import load_dicom_toml
from dicomnode.config.learning import Learn
from dicomnode.config.tables import Config
from dicomnode.errors import ModelFault
from dicomnode.index.learning import InUseRow, LearnedVersionRow
from dicomnode.index.models import version_row
from dicomnode.infer.evaluated import reasons_outside
from dicomnode.learn.versions.folders import require_intact
from dicomnode.values import Header, ModelVersion

log = structlog.get_logger()

RUNS = ("in use", "former")
"""States of a version whose runs may go on to their end: those made before a rollback are taken back by it."""
ROLLED_BACK = "rolled back"
SHADOWS = (*RUNS, ROLLED_BACK, "shadow", "candidate", "rejected")


class WasRolledBack(ModelFault):
    """A version was taken out of use; its runs were made anew with another."""

    def __init__(self, row: LearnedVersionRow) -> None:
        super().__init__(
            f"version {row.version} of {row.model} was rolled back, and analyses nothing any more: "
            "`dicomnode retry --study UID` has the study analysed by what is in use now"
        )
        self.digest = row.digest


class OtherBase(ModelFault):
    """A version goes back to another installed bundle than the one that lies there now."""

    def __init__(self, row: LearnedVersionRow, installed: str) -> None:
        super().__init__(
            f"version {row.version} of {row.model} was made from another installed bundle ({row.base[:12]}, now "
            f"{installed[:12]}): make a candidate from the present one, or put the former bundle back"
        )
        self.digest, self.base, self.installed = row.digest, row.base, installed


def scopes_of(learn: Learn, header: Header) -> tuple[str, ...]:
    """Whose version may answer for a series, the first that has one: its site, its scanner, everybody."""
    named = (("site", learn.site_of(header)), ("scanner", header.scanner))
    return (*(f"{kind}:{name}"[:128] for kind, name in named if name != "unknown"), "")


def in_use(session: Session, config: Config, model: str, header: Header | None = None) -> ModelVersion:
    """The version that answers for a series of this model; without a header the one for everybody.

    A version answers for whom its own sealed test covered. Where a series lies outside that and within what the
    installed bundle was evaluated on, the installed bundle answers. It does too where it was replaced by another one
    since the version was made: its approval is then the newest word of a person.

    Raises:
        NotApproved: the installed bundle may not run, and so none that goes back to it.
        Tampered: the files of the version are not those it was made of.
    """
    base = installed(session, config, model)
    row = version_for(session, model, base, scopes_of(config.learn, header) if header else ("",))
    if row is None:
        return base
    found = learned_version(session, config, row)
    if header is not None and _better_answered_by(base, found, header):
        return base
    return found


def installed(session: Session, config: Config, model: str) -> ModelVersion:
    """The bundle in the models folder.

    Raises:
        NotApproved: it may not run.
    """
    base = version_of(config.infer.folder / model)
    approval = version_row(session, base.digest)
    if approval is None or approval.revoked_s is not None:
        raise NotApproved(base.name, base.digest, revoked=approval is not None)
    return base


def version_for(session: Session, model: str, base: ModelVersion, scopes: tuple[str, ...]) -> LearnedVersionRow | None:
    """The version made here that is in use for the first of some scopes that has one; None: the installed bundle."""
    for scope in scopes:
        pointer = session.get(InUseRow, (model, scope))
        row = session.get(LearnedVersionRow, pointer.digest) if pointer else None
        if row is not None and row.base == base.digest:
            return row
        if row is not None:
            log.warning(
                "model.passed_over", model=model, digest=row.digest[:12], reason=str(OtherBase(row, base.digest))
            )
    return None


def answers_for(session: Session, model: str, scope: str, base: ModelVersion) -> str:
    """Digest of the version that answers for a scope now: what a candidate for it is compared with, its parent."""
    row = version_for(session, model, base, (scope, ""))
    return row.digest if row else base.digest


def learned_version(
    session: Session, config: Config, row: LearnedVersionRow, *, shadow: bool = False, late: bool = False
) -> ModelVersion:
    """A version made here, if it may run.

    Args:
        session: open.
        config: of the node.
        row: the version.
        shadow: for a run that nobody is sent; any candidate may.
        late: for a run whose results were about to go out when the version was rolled back.

    Raises:
        NotApproved: nobody promoted it, or its approval was revoked.
        WasRolledBack: it was taken out of use.
        Tampered: its files are not those it was made of.
    """
    approval = version_row(session, row.digest)
    revoked = approval is not None and approval.revoked_s is not None
    if row.state == ROLLED_BACK and not (shadow or late):
        raise WasRolledBack(row)
    states = SHADOWS if shadow else (*RUNS, ROLLED_BACK)
    if revoked or row.state not in states or (approval is None and not shadow):
        raise NotApproved(f"{row.model} {row.version}", row.digest, revoked=revoked)
    folder = config.node.state / row.folder
    require_intact(folder, row.model, row.digest)
    return ModelVersion(row.model, row.version, row.digest, device_uid(row.digest), folder, research=row.research)


def version_of_run(
    session: Session, config: Config, model: str, digest: str, *, shadow: bool, late: bool = False
) -> ModelVersion:
    """The version that a run was made for, wherever it lies; runs in flight keep theirs.

    Raises:
        NotApproved: it may not run any more.
        ModelFault: the installed bundle was replaced since, or the version's files were changed.
    """
    row = session.get(LearnedVersionRow, digest)
    if row is not None:
        return learned_version(session, config, row, shadow=shadow, late=late)
    base = installed(session, config, model)
    if base.digest != digest:
        raise ModelFault(f"{model} was replaced after this run was made: `dicomnode retry --study UID`")
    return base


def _better_answered_by(base: ModelVersion, found: ModelVersion, header: Header) -> bool:
    if not reasons_outside(load_dicom_toml(found.folder).domain, header):
        return False
    return not reasons_outside(load_dicom_toml(base.folder).domain, header)
