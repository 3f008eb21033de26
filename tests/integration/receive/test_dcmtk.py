"""DCMTK as the sender: other people's code on the other end of the association."""

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.integration.receive.certificates import authority, signed
from tests.integration.receive.conftest import Start
from tests.integration.receive.loopback import Node
from tests.phantom import ct_series, mr_series, us_image, write

pytestmark = pytest.mark.peers("storescu", "echoscu")


def dcmtk(program: str, node: Node, *words: str) -> bool:
    """Whether a DCMTK program says that all went well."""
    command = [program, *words, "-aet", "PACS", "-aec", "DICOMNODE", "127.0.0.1", str(node.port)]
    return subprocess.run(command, timeout=60, check=False).returncode == 0


def test_storescu_stores_images_of_several_classes_in_one_association(start: Start, tmp_path: Path) -> None:
    node = start()
    files = write([*ct_series(slices=3), *mr_series(slices=2), us_image()], tmp_path / "out")
    command = ["storescu", "-aet", "PACS", "-aec", "DICOMNODE", "127.0.0.1", str(node.port), *map(str, files)]

    assert subprocess.run(command, timeout=60, check=False).returncode == 0

    assert len(node.instances()) == len(files)


def test_echoscu_is_answered(start: Start) -> None:
    assert dcmtk("echoscu", start())


@pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl is not installed")
def test_echoscu_is_answered_over_tls_with_a_certificate_and_not_without(start: Start, tmp_path: Path) -> None:
    trusted = authority(tmp_path)
    certificate, key = signed(tmp_path, "node")
    pacs_certificate, pacs_key = signed(tmp_path, "pacs")
    node = start({"tls": {"certificate": str(certificate), "key": str(key), "authorities": str(trusted)}})

    assert dcmtk("echoscu", node, "+tls", str(pacs_key), str(pacs_certificate), "+cf", str(trusted))
    assert not dcmtk("echoscu", node, "+tla", "+cf", str(trusted))
    assert not dcmtk("echoscu", node, "-to", "3", "-ta", "3")
