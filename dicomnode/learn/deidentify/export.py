"""Studies written out for research, image by image; what cannot be let out is counted with its reason.

Pseudonyms and UIDs follow from a secret of their own, so that an export cannot be laid beside a training set. Patients
of an export count as looked at: they stand in no test set that is sealed later.
"""

import hmac
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import structlog
from pydicom import Dataset, dcmread
from sqlalchemy import select

from dicomnode.config.tables import Config
from dicomnode.errors import IdentityFault, Permanent
from dicomnode.index.database import Index
from dicomnode.index.element_text import MALFORMED
from dicomnode.index.schema import InstanceRow, StudyRow
from dicomnode.learn.deidentify.dataset import deidentify
from dicomnode.learn.deidentify.pixels import PixelRule
from dicomnode.learn.deidentify.table import Options, basic_profile
from dicomnode.learn.harvest.patients import opted_out, study_patient
from dicomnode.learn.split.keys import require_split_key
from dicomnode.learn.split.patients import InIndex, entered, mark_looked_at

log = structlog.get_logger()


class OptedOut(IdentityFault):
    """The patient wants no part in it."""

    def __init__(self) -> None:
        super().__init__("the patient opted out")


@dataclass(frozen=True)
class Exported:
    """What was written."""

    images: int
    refused: dict[str, int]
    """Reason to how many images."""


def export_studies(
    index: Index,
    config: Config,
    study_uids: Iterable[str],
    target: Path,
    options: Options | None = None,
    *,
    pixel_rules: Sequence[PixelRule] = (),
) -> Exported:
    """Write the images of studies, de-identified, below a folder: patient, series, image.

    Raises:
        SplitKeyLost: the secret that pseudonyms follow from is not the one it was.
    """
    state = config.node.state
    with index.transaction() as session:
        secret = hmac.digest(require_split_key(session, state), b"export", "sha256")
    written, refused = 0, Counter[str]()
    for uid in study_uids:
        try:
            files = _files(index, state, uid)
        except IdentityFault as fault:
            refused[str(fault)] += 1
            continue
        for image, why in _images(files, secret, options, pixel_rules):
            if image is None:
                refused[why] += 1
                continue
            _write(image, target)
            written += 1
    log.info("export.written", images=written, refused=sum(refused.values()))
    return Exported(written, dict(refused))


def _files(index: Index, state: Path, study_uid: str) -> list[Path]:
    """The images of a study whose patient takes part."""
    with index.transaction() as session:
        study = session.scalars(select(StudyRow).where(StudyRow.study_uid == study_uid)).first()
        if study is None or study.state == "held":
            raise IdentityFault("there is no such study, or a person must first settle whose it is")
        patient = study_patient(session, state, study.study_key)
        if opted_out(session, [patient]):
            raise OptedOut
        entered(InIndex(session), require_split_key(session, state), patient, time.time())
        mark_looked_at(session, [patient])
        files = select(InstanceRow.file).where(
            InstanceRow.study_key == study.study_key, InstanceRow.current, InstanceRow.own_result.is_(False)
        )
        return [state / file for file in session.scalars(files.order_by(InstanceRow.instance_key))]


def _images(
    files: Iterable[Path], secret: bytes, options: Options | None, rules: Sequence[PixelRule]
) -> Iterator[tuple[Dataset | None, str]]:
    table = basic_profile()
    for file in files:
        try:
            yield deidentify(dcmread(file), table, secret, options, pixel_rules=rules), ""
        except Permanent as fault:
            yield None, str(fault)
        except MALFORMED as fault:
            yield None, f"it is not readable throughout ({type(fault).__name__})"


def _write(image: Dataset, target: Path) -> None:
    folder = target / str(image.PatientID) / str(image.SeriesInstanceUID)
    folder.mkdir(parents=True, exist_ok=True)
    image.save_as(folder / f"{image.SOPInstanceUID}.dcm", enforce_file_format=True)
