"""Every way an association of ours can fail is named, with the peer and what to do."""

import socket
import subprocess
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from pynetdicom import build_context, evt
from pynetdicom.presentation import PresentationContext
from pynetdicom.sop_class import StorageCommitmentPushModel, Verification

from dicomnode.config.tables import Config, Peer, Receive, Tls
from dicomnode.errors import ConfigFault
from dicomnode.peers.associate import association
from dicomnode.peers.echo import echo
from dicomnode.peers.faults import Aborted, BusyPeer, NoAnswer, NotAccepted, Rejected, Untrusted
from dicomnode.peers.remote import Remote, remote
from tests.orthanc import require_program
from tests.peers_made import Pacs, peer, remote_at, silent_port
from tests.results_made import SEG, SR_3D

ECHO = [build_context(Verification)]


def test_a_peer_that_is_there_answers_and_shows_what_it_accepts() -> None:
    with peer(Pacs(storage={SEG: ["1.2.840.10008.1.2.1"]})) as remote:
        answer = echo(remote, {SEG, SR_3D, StorageCommitmentPushModel})

    assert answer.accepted == {SEG, StorageCommitmentPushModel}
    assert 0 < answer.seconds < 5


def test_our_associations_send_at_once_and_bound_what_nobody_reads() -> None:
    with peer(Pacs(), timeout_s=7.5) as remote, association(remote, ECHO) as opened:
        connection = opened.dul.socket.socket

        assert connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) != 0
        assert connection.getsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, 16)[0] == 8


def test_an_association_is_released_also_when_the_block_fails() -> None:
    ended: list[str] = []
    with peer(Pacs()) as remote:
        handlers = [(evt.EVT_RELEASED, lambda _: ended.append("released"))]
        with pytest.raises(ZeroDivisionError), association(remote, ECHO, handlers=handlers):
            _ = 1 / 0

    assert ended == ["released"]


def test_a_peer_that_is_not_there_is_named_with_its_address() -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
        with pytest.raises(NoAnswer) as caught:
            echo(remote_at(port))

    assert str(caught.value) == f"pacs (PACS at 127.0.0.1:{port}) does not answer: connection refused"


def test_an_unknown_host_name_is_named() -> None:
    nowhere = Remote("pacs", Peer(ae_title="PACS", host="no-such-host.invalid", port=104), "DICOMNODE")
    with pytest.raises(NoAnswer, match="host name is not known"):
        echo(nowhere)


def test_a_silent_peer_is_given_up_in_time() -> None:
    begun_s = time.monotonic()
    with silent_port() as port, pytest.raises(NoAnswer, match="took too long to negotiate"):
        open_and_close(remote_at(port, timeout_s=0.5))

    assert time.monotonic() - begun_s < 5


def test_a_peer_that_hangs_up_at_once_is_worth_another_try() -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        listener.settimeout(5)
        opened = _later(lambda: listener.accept()[0].close())
        with pytest.raises(Aborted, match="negotiation"):
            echo(remote_at(listener.getsockname()[1]))
        opened.join()


def test_a_wrong_ae_title_on_either_side_is_told_apart() -> None:
    with peer(Pacs(knows=["OTHER"])) as remote, pytest.raises(Rejected, match="Calling AE title not recognised"):
        echo(remote)
    with peer(Pacs(ae_title="OTHER")) as remote, pytest.raises(Rejected, match="Called AE title not recognised"):
        echo(remote_at(remote.peer.port, ae_title="PACS"))


def test_a_peer_with_too_many_associations_is_asked_later() -> None:
    busy = pytest.raises(BusyPeer, match="Local limit exceeded")
    with peer(Pacs(at_most=1)) as remote, association(remote, ECHO), busy:
        echo(remote)


def test_a_peer_that_accepts_nothing_we_propose_is_refused_by_sop_class() -> None:
    with peer(Pacs(storage={})) as remote, pytest.raises(NotAccepted, match="Segmentation Storage"):
        open_and_close(remote, [build_context(SEG)])


def test_a_remote_is_made_from_the_configuration() -> None:
    pacs = Peer(ae_title="PACS", host="127.0.0.1", port=104)
    config = Config(receive=Receive(ae_title="OURS"), peers={"pacs": pacs})

    assert remote(config, "pacs") == Remote("pacs", pacs, "OURS", None)
    with pytest.raises(ConfigFault, match=r"no \[peers.paks\].*known: pacs"):
        remote(config, "paks")


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with two authorities, "ca" and "other", and a certificate of each for 127.0.0.1."""
    require_program("openssl")
    folder = tmp_path_factory.mktemp("tls")
    names = "subjectAltName=IP:127.0.0.1\nextendedKeyUsage=serverAuth,clientAuth\n"
    (folder / "names.txt").write_text(names)
    for ca, name in (("ca", "node"), ("other", "stranger")):
        _openssl(folder, "req", "-x509", "-new", "-keyout", f"{ca}.key", "-out", f"{ca}.pem", "-subj", f"/CN={ca}")
        _openssl(folder, "req", "-new", "-keyout", f"{name}.key", "-out", f"{name}.csr", "-subj", f"/CN={name}")
        signed_by = ["-CA", f"{ca}.pem", "-CAkey", f"{ca}.key", "-CAcreateserial", "-extfile", "names.txt"]
        subprocess.run(
            ["openssl", "x509", "-req", "-in", f"{name}.csr", "-out", f"{name}.pem", "-days", "2", *signed_by],
            cwd=folder,
            check=True,
            capture_output=True,
        )
    return folder


def test_mutual_tls_carries_an_association_at_1_2_or_later(authority: Path) -> None:
    node = certificates(authority, "node", "ca")
    with peer(Pacs(), tls=node, ours=node) as remote, association(remote, ECHO) as opened:
        assert opened.dul.socket.socket.version() in ("TLSv1.2", "TLSv1.3")
        assert opened.send_c_echo().Status == 0x0000


def test_a_certificate_of_another_authority_is_not_trusted(authority: Path) -> None:
    theirs, ours = certificates(authority, "stranger", "other"), certificates(authority, "node", "ca")
    with peer(Pacs(), tls=theirs, ours=ours) as remote, pytest.raises(Untrusted, match="that we do not trust"):
        echo(remote)


def test_a_peer_that_does_not_trust_us_ends_the_negotiation(authority: Path) -> None:
    theirs, ours = certificates(authority, "node", "ca"), certificates(authority, "stranger", "ca")
    with peer(Pacs(), tls=theirs, ours=ours) as remote, pytest.raises(Aborted, match="trust our certificate"):
        echo(remote)


def test_tls_towards_a_port_without_it_is_named(authority: Path) -> None:
    with peer(Pacs()) as plain, pytest.raises(NoAnswer, match="does not answer"):
        echo(remote_at(plain.peer.port, tls=certificates(authority, "node", "ca")))


def test_an_unreadable_certificate_is_a_fault_of_the_configuration(authority: Path) -> None:
    missing = Tls(certificate=authority / "none.pem", key=authority / "node.key", authorities=authority / "ca.pem")
    with pytest.raises(ConfigFault, match=r"\[receive.tls\]"):
        echo(remote_at(104, tls=missing))


def open_and_close(remote: Remote, contexts: Sequence[PresentationContext] = ECHO) -> None:
    with association(remote, contexts):
        pass


def certificates(folder: Path, name: str, ca: str) -> Tls:
    return Tls(certificate=folder / f"{name}.pem", key=folder / f"{name}.key", authorities=folder / f"{ca}.pem")


def _openssl(folder: Path, *arguments: str) -> None:
    fixed = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"]
    subprocess.run(["openssl", *arguments, *fixed], cwd=folder, check=True, capture_output=True)


def _later(action: Callable[[], None]) -> threading.Thread:
    thread = threading.Thread(target=action)
    thread.start()
    return thread
