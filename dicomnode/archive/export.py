"""Copy a study out of the archive, as it was received."""

import shutil
from collections.abc import Sequence
from pathlib import Path

from dicomnode.errors import DiskReserve, IdentityFault
from dicomnode.full_disk import is_full
from dicomnode.index.database import Index
from dicomnode.index.studies import load_study, study_by_uid
from dicomnode.scratch import scratch_folder
from dicomnode.values import Instance


class NoSuchStudy(IdentityFault):
    """The index knows no such study, or keeps no instance of it any more."""

    def __init__(self, study_uid: str) -> None:
        super().__init__(f"no instance of study {study_uid} is kept here; `dicomnode studies` lists what is")
        self.study_uid = study_uid


class StudyLeft(IdentityFault):
    """Images of a study went while it was copied, as when retention removes it."""

    def __init__(self, study_uid: str, folder: Path) -> None:
        super().__init__(
            f"study {study_uid} was removed while it was copied, and what is in {folder} is not all of it: "
            "have the PACS send it again (`dicomnode studies` lists what is here), and export again"
        )
        self.study_uid = study_uid


def export(index: Index, state: Path, study_uid: str, folder: Path) -> int:
    """Copy the current instances of a study to folder/<series UID>/<SOP instance UID>.dcm; how many.

    Each file there is whole, however many export to the same folder at once.

    Raises:
        NoSuchStudy: there is nothing to copy.
        StudyLeft: an image went meanwhile; what is there of the study is whole, and incomplete.
        DiskReserve: the folder's disk is full; the same.
    """
    with index.snapshot() as session:
        row = study_by_uid(session, study_uid)
        study = load_study(session, state, row.study_key) if row else None
    if study is None or not study.series:
        raise NoSuchStudy(study_uid)
    instances = [instance for series in study.series for instance in series.instances]
    try:
        _copy_all(instances, folder)
    except OSError as fault:
        if is_full(fault):
            raise DiskReserve(f"no room for the study in {folder}: free some, and export again") from fault
        if not all(instance.path.exists() for instance in instances):
            raise StudyLeft(study_uid, folder) from fault
        raise
    return len(instances)


def _copy_all(instances: Sequence[Instance], folder: Path) -> None:
    """Copy each file whole, or not at all."""
    folder.mkdir(parents=True, exist_ok=True)
    with scratch_folder(folder) as aside:
        for instance in instances:
            target = folder / instance.series_uid / f"{instance.sop_instance_uid}.dcm"
            target.parent.mkdir(exist_ok=True)
            shutil.copy2(instance.path, aside / target.name)
            (aside / target.name).replace(target)
