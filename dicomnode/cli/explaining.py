"""What `dicomnode explain` prints: the study as the index knows it, asked of every route and bundle."""

from rich.console import Group
from rich.text import Text

from dicomnode.bundles.dicom_toml import DicomToml, load_dicom_toml
from dicomnode.choose.explain import explain, renderable
from dicomnode.config.tables import Config
from dicomnode.errors import ConfigFault
from dicomnode.index.database import Index
from dicomnode.index.studies import load_study, study_by_uid


def explained(config: Config, index: Index, study_uid: str) -> Group:
    """For a terminal: for each route, model and series why it was taken or not.

    Raises:
        ConfigFault: no such study.
    """
    with index.snapshot() as session:
        row = study_by_uid(session, study_uid)
        if row is None:
            raise ConfigFault(f"no study {study_uid} has reached this node: `dicomnode studies list`")
        study = load_study(session, config.node.state, row.study_key)
    state = Text(f"state: {row.state}{f' ({row.reason})' if row.reason else ''}")
    return Group(renderable(explain(study, config.routes, bundles(config))), state)


def bundles(config: Config) -> dict[str, DicomToml]:
    """dicom.toml of every bundle in the models folder, by name."""
    folders = sorted(path.parent for path in config.infer.folder.glob("*/dicom.toml"))
    return {folder.name: load_dicom_toml(folder) for folder in folders}
