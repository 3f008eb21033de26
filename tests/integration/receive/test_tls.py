"""Mutual TLS: three lines of config, and nobody without a certificate gets an association."""

import shutil
import socket
import ssl
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.integration.receive.certificates import authority, client, signed
from tests.integration.receive.conftest import Start
from tests.integration.receive.loopback import SUCCESS, Node, echo, send, wait_for
from tests.integration.receive.wire import associate_request
from tests.phantom import ct_series

pytestmark = pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl is not installed")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("certificates")
    authority(made)
    authority(made, "stranger")
    return made


@pytest.fixture
def node(start: Start, folder: Path) -> Node:
    certificate, key = signed(folder, "node")
    tls = {"certificate": str(certificate), "key": str(key), "authorities": str(folder / "authority.pem")}
    return start({"tls": tls, "association_timeout_s": 5})


def test_a_caller_with_our_authoritys_certificate_stores_over_tls(node: Node, folder: Path) -> None:
    context = client(folder / "authority.pem", signed(folder, "pacs"))

    assert send(node.port, ct_series(slices=3), tls=context) == [SUCCESS] * 3
    assert len(node.instances()) == 3


@pytest.mark.parametrize("who", ["nobody", "stranger", "plain", "TLS 1.1"])
def test_others_get_no_association(node: Node, folder: Path, who: str) -> None:
    outcome = {
        "nobody": lambda: is_answered(node.port, client(folder / "authority.pem", None)),
        "stranger": lambda: is_answered(
            node.port, client(folder / "authority.pem", signed(folder, "intruder", by="stranger"))
        ),
        "plain": lambda: is_answered(node.port, None),
        "TLS 1.1": lambda: old_tls_is_answered(node.port),
    }[who]()

    assert not outcome
    assert echo(node.port, tls=client(folder / "authority.pem", signed(folder, "pacs"))) == SUCCESS


def is_answered(port: int, tls: ssl.SSLContext | None) -> bool:
    """Whether an association request gets any answer."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=10) as raw, ExitStack() as stack:
            caller = stack.enter_context(tls.wrap_socket(raw, server_hostname="localhost")) if tls else raw
            caller.sendall(associate_request())
            return caller.recv(1) in (b"\x02", b"\x03")
    except OSError:
        return False


def old_tls_is_answered(port: int) -> bool:
    """Send the ClientHello of TLS 1.1 by hand: modern libraries will not."""
    hello = bytes.fromhex("16030200300100002c0302" + "00" * 32 + "000004002f0035" + "0100" + "")
    with socket.create_connection(("127.0.0.1", port), timeout=5) as raw:
        raw.sendall(hello)
        raw.shutdown(socket.SHUT_WR)
        return raw.recv(1) == b"\x16"


def test_a_caller_that_never_finishes_the_handshake_holds_up_nobody(node: Node, folder: Path) -> None:
    context = client(folder / "authority.pem", signed(folder, "pacs"))
    with socket.create_connection(("127.0.0.1", node.port), timeout=10) as silent:
        silent.sendall(b"\x16\x03\x01")

        assert echo(node.port, tls=context) == SUCCESS
        silent.settimeout(10)
        assert wait_for(lambda: silent.recv(100) == b"", 8)
