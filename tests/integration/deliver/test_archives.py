"""Every kind of object comes out of one archive after another as it went into the first."""

from io import BytesIO
from pathlib import Path

import pytest
from pydicom import Dataset, dcmread
from pydicom.uid import RLELossless

from dicomnode.deliver.outbox import post
from dicomnode.deliver.send import Sender, send_many
from dicomnode.demo.pacs import store
from dicomnode.encode.context import Encoded
from dicomnode.encode.results import MAKERS
from dicomnode.index.database import Index
from dicomnode.values import Role
from tests.dcmtk import dcmqrscp
from tests.integration.deliver.test_every_kind import outgoing
from tests.orthanc import Orthanc, orthanc
from tests.peers_made import remote_at
from tests.phantoms.answers import given
from tests.results_made import RUN

ANSWERS = {
    "axial CT": "segmentation",
    "oblique MR": "segmentation",
    "enhanced MR": "segmentation",
    "DX": "classification",
    "MG": "classification",
}


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[Encoded, ...]]:
    """All objects of one answer on each source."""
    folder = tmp_path_factory.mktemp("results")
    return {source: given(source, answer, folder).made for source, answer in ANSWERS.items()}


def by_uid(datasets: list[Dataset]) -> dict[str, Dataset]:
    return {str(dataset.SOPInstanceUID): dataset for dataset in datasets}


def held(pacs: Orthanc) -> dict[str, Dataset]:
    return {uid: dcmread(BytesIO(pacs.file(row["id"]))) for uid, row in pacs.instances().items()}


@pytest.mark.peers("Orthanc", "cc")
def test_what_one_orthanc_forwards_to_another_is_what_we_sent(
    results: dict[str, tuple[Encoded, ...]], tmp_path: Path
) -> None:
    files = [tmp_path / f"{n}.dcm" for n, _ in enumerate(one for made in results.values() for one in made)]
    for path, one in zip(files, (one for made in results.values() for one in made), strict=True):
        path.write_bytes(one.content)
    for name in ("first", "second"):
        (tmp_path / name).mkdir()

    with orthanc(tmp_path / "second", ae_title="SECOND", settings={"LuaScripts": []}) as second:
        known = {"second": {"AET": "SECOND", "Host": "127.0.0.1", "Port": second.dicom_port}}
        settings: dict[str, object] = {"LuaScripts": [], "DicomModalities": known}
        with orthanc(tmp_path / "first", ae_title="FIRST", settings=settings) as first:
            store(files, "FIRST", first.dicom_port, "DICOMNODE")
            first.post("/modalities/second/store", [row["id"] for row in first.instances().values()])
            kept, forwarded = held(first), held(second)

    assert kept == forwarded == by_uid([dcmread(path) for path in files])


@pytest.mark.peers("dcmqrscp", "cc")
def test_dcmtks_archive_which_takes_nothing_compressed_keeps_what_we_sent(
    results: dict[str, tuple[Encoded, ...]], tmp_path: Path, index: Index
) -> None:
    marks = [one for one in results["MG"] if one.role is Role.CAD_SR]
    made = [*results["oblique MR"], *marks]
    assert {one.role for one in made} == {role for role, _ in MAKERS}
    posted = post(index, tmp_path, RUN, ["pacs"], [outgoing(one) for one in made])

    with dcmqrscp(tmp_path) as port:
        send_many(Sender(index, tmp_path, remote_at(port, ae_title="DCMQRSCP")), posted)
        stored = [path for path in (tmp_path / "archive").iterdir() if path.name != "index.dat"]
        kept = by_uid([dcmread(path) for path in stored])

    assert kept == by_uid([plain(one) for one in made])


def plain(one: Encoded) -> Dataset:
    """An object as an archive keeps it that takes nothing compressed."""
    dataset = dcmread(BytesIO(one.content))
    if dataset.file_meta.TransferSyntaxUID == RLELossless:
        dataset.decompress(generate_instance_uid=False)
    return dataset
