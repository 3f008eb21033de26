"""Copy a study out of the archive, as it was received."""

import shutil
from pathlib import Path

from dicomnode.errors import DiskReserve, IdentityFault
from dicomnode.full_disk import is_full
from dicomnode.index.database import Index
from dicomnode.index.studies import load_study, study_by_uid


class NoSuchStudy(IdentityFault):
    """The index knows no such study, or keeps no instance of it any more."""

    def __init__(self, study_uid: str) -> None:
        super().__init__(f"no instance of study {study_uid} is kept here; `dicomnode studies` lists what is")
        self.study_uid = study_uid


def export(index: Index, state: Path, study_uid: str, folder: Path) -> int:
    """Copy the current instances of a study to folder/<series UID>/<SOP instance UID>.dcm; how many.

    Raises:
        NoSuchStudy: there is nothing to copy.
        DiskReserve: the folder's disk is full; what is there of the study is whole, and incomplete.
    """
    with index.snapshot() as session:
        row = study_by_uid(session, study_uid)
        study = load_study(session, state, row.study_key) if row else None
    if study is None or not study.series:
        raise NoSuchStudy(study_uid)
    instances = [instance for series in study.series for instance in series.instances]
    for instance in instances:
        target = folder / instance.series_uid / f"{instance.sop_instance_uid}.dcm"
        _copy(instance.path, target)
    return len(instances)


def _copy(source: Path, target: Path) -> None:
    """Copy one file whole, or not at all."""
    partial = target.with_name(f"{target.name}.part")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(source, partial)
        partial.replace(target)
    except OSError as fault:
        partial.unlink(missing_ok=True)
        if is_full(fault):
            raise DiskReserve(
                f"no room for the study in {target.parent.parent}: free some, and export again"
            ) from fault
        raise
