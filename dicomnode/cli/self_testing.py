"""What `dicomnode models self-test` and `replay` do: they start the model's own process, as a gpu process would."""

from pathlib import Path

from pydicom import dcmread

from dicomnode.bundles.dicom_toml import load_dicom_toml
from dicomnode.config.tables import Config
from dicomnode.errors import ConfigFault
from dicomnode.index.database import Index
from dicomnode.index.headers import header_of
from dicomnode.infer.predict import Predictor
from dicomnode.learn.versions.in_use import installed
from dicomnode.learn.versions.replay import Replayed, replay
from dicomnode.learn.versions.self_test import NoSet, Tested, asked_one, run_self_test, versions_of
from dicomnode.learn.versions.self_test_set import add_case
from dicomnode.values import Instance, Series
from dicomnode.volume.build import build_volume


def tested(config: Config, index: Index, name: str) -> tuple[Tested, ...]:
    """Ask the installed bundle, and the versions made here that answer, their set.

    Raises:
        NoSet: there is none.
    """
    with index.snapshot() as session:
        versions = tuple(versions_of(session, config, name))
    with Predictor(config.infer) as predictor:
        found = [(version, run_self_test(index, config, predictor, version)) for version in versions]
    told = tuple(
        Tested(one.passed, f"{version.name} {version.version}: {'passed' if one.passed else 'FAILED'}, {one.words}")
        for version, one in found
        if one is not None
    )
    if not told:
        raise NoSet(name)
    return told


def added(config: Config, index: Index, name: str, folder: Path, case: str) -> str:
    """Add the images of a folder to a bundle's set, with what the bundle says of them now; words for the person.

    Raises:
        ConfigFault: the folder holds no DICOM image.
        SeriesRefused: they are no series that the model takes.
    """
    instances = tuple(_instance(path) for path in sorted(folder.iterdir()) if path.is_file())
    if not instances:
        raise ConfigFault(f"{folder} holds no file")
    with index.snapshot() as session:
        version = installed(session, config, name)
    series = Series(instances[0].series_uid, instances)
    volume = build_volume(series, load_dicom_toml(version.folder).series)
    with Predictor(config.infer) as predictor:
        said = asked_one(config, predictor, version, volume, series.first)
    file = add_case(version.folder, case, volume, series.first, said)
    figures = ", ".join(f"{name} {value:.4g}" for name, value in said.items())
    return f"{file}: {figures}"


def replayed(config: Config, index: Index, key: str) -> Replayed:
    """Do a run again."""
    with Predictor(config.infer) as predictor:
        return replay(index, config, key, lambda series, rules: build_volume(series, rules.series), predictor)


def _instance(path: Path) -> Instance:
    image = dcmread(path, stop_before_pixels=True)
    return Instance(
        instance_key=0,
        sop_instance_uid=str(image.SOPInstanceUID),
        sop_class_uid=str(image.SOPClassUID),
        series_uid=str(image.SeriesInstanceUID),
        study_uid=str(image.StudyInstanceUID),
        transfer_syntax_uid=str(image.file_meta.TransferSyntaxUID),
        content_digest="",
        path=path,
        header=header_of(image),
    )
