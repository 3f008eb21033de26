"""TLS towards a real PACS."""

from pathlib import Path

import pytest

from dicomnode.config.tables import Tls
from dicomnode.peers.echo import echo
from dicomnode.peers.faults import Aborted, NoAnswer
from dicomnode.peers.query import series_counts
from tests.integration.receive.certificates import authority, signed
from tests.orthanc import orthanc, require_program
from tests.peers_made import remote_at


def certificates(folder: Path, name: str, by: str = "authority") -> Tls:
    certificate, key = signed(folder, name, by)
    return Tls(certificate=certificate, key=key, authorities=folder / "authority.pem")


@pytest.mark.peers("Orthanc", "cc", "openssl")
def test_orthanc_takes_our_certificate_and_no_strangers(tmp_path: Path) -> None:
    require_program("openssl")
    authority(tmp_path)
    authority(tmp_path, "other")
    theirs, ours = certificates(tmp_path, "pacs"), certificates(tmp_path, "node")
    stranger = certificates(tmp_path, "stranger", "other")
    settings: dict[str, object] = {
        "LuaScripts": [],
        "DicomTlsEnabled": True,
        "DicomTlsCertificate": str(theirs.certificate),
        "DicomTlsPrivateKey": str(theirs.key),
        "DicomTlsTrustedCertificates": str(theirs.authorities),
        "DicomTlsRemoteCertificateRequired": True,
    }
    with orthanc(tmp_path, settings=settings) as pacs:
        here = remote_at(pacs.dicom_port, ae_title=pacs.ae_title, tls=ours)
        assert echo(here).seconds > 0
        assert series_counts(here, "1.2.3") == {}
        for wrong in (stranger, None):
            with pytest.raises((Aborted, NoAnswer)):
                echo(remote_at(pacs.dicom_port, ae_title=pacs.ae_title, tls=wrong))
