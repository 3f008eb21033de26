"""Our peers: whether each answers, takes what we send, and can reach us with its commitment reports."""

import socket
from ipaddress import IPv4Address, IPv6Address, ip_address

from pynetdicom.sop_class import StorageCommitmentPushModel

from dicomnode.check.finding import Finding, fault, ok, warning
from dicomnode.config.tables import Config, Peer
from dicomnode.errors import NodeError
from dicomnode.peers.echo import echo
from dicomnode.peers.faults import Rejected, Untrusted
from dicomnode.peers.remote import Remote, remote

COMMITMENT = str(StorageCommitmentPushModel)
CONNECT_S = 3.0
IPAddress = IPv4Address | IPv6Address


def neighbours(config: Config) -> list[Finding]:
    """Call every peer, and look at what a call from it would find."""
    if not config.peers:
        return [warning("peers", "there is no peer to send results to", "add [peers.NAME] to config.toml")]
    calls = [finding for name in config.peers for finding in _peer(config, name)]
    return [*calls, *our_port(config)]


def our_port(config: Config) -> list[Finding]:
    """Whether something listens where studies and commitment reports come in."""
    host, port = config.receive.host, config.receive.port
    try:
        with socket.create_connection((_reachable(host), port), timeout=CONNECT_S):
            return [ok("receive", f"{config.receive.ae_title} listens on {host}:{port}")]
    except OSError:
        fix = "start the node: systemctl start dicomnode.target, or dicomnode serve"
        return [warning("receive", f"nothing listens on {host}:{port}, so nothing can be received", fix)]


def may_call(config: Config, peer: Peer) -> str:
    """Why a peer's commitment report would not get in; empty where it would."""
    addresses = _addresses(peer.host)
    loopback = bool(addresses) and all(address.is_loopback for address in addresses)
    if _only_here(config.receive.host) and not loopback:
        return f"we listen on {config.receive.host} alone, and it calls from elsewhere"
    if not config.receive.callers:
        return "" if loopback else "without [[receive.callers]] loopback alone may call"
    own = [caller for caller in config.receive.callers if caller.ae_title == peer.ae_title]
    if not own:
        return f"no [[receive.callers]] has the AE title {peer.ae_title}"
    networks = [network for caller in own for network in caller.networks]
    inside = any(address in network for address in addresses for network in networks)
    return "" if inside or not addresses else f"its address {addresses[0]} is in no network of its [[receive.callers]]"


def _peer(config: Config, name: str) -> list[Finding]:
    part, called = f"peer {name}", remote(config, name)
    wanted = [COMMITMENT] if called.peer.commitment else []
    try:
        answer = echo(called, wanted)
    except NodeError as error:
        return [fault(part, str(error), _cure(error, called))]
    findings = [ok(part, f"{called} answers C-ECHO in {1000 * answer.seconds:.0f} ms")]
    return findings + (_commitment(config, name, called.peer, COMMITMENT in answer.accepted) if wanted else [])


def _commitment(config: Config, name: str, peer: Peer, accepted: bool) -> list[Finding]:
    part = f"peer {name}"
    if not accepted:
        fix = f"allow it there, or set [peers.{name}].commitment = false"
        return [fault(part, "it does not accept Storage Commitment from us", fix)]
    if why := may_call(config, peer):
        fix = "open [receive] for it: host, and one [[receive.callers]] with its AE title and network"
        return [fault(part, f"its commitment reports would not get in: {why}", fix)]
    title, port = config.receive.ae_title, config.receive.port
    return [ok(part, f"it accepts Storage Commitment; it must know {title} at this machine's address, port {port}")]


def _cure(error: NodeError, called: Remote) -> str:
    if isinstance(error, Rejected):
        return f"enter {called.our_ae} and this machine's address at the peer, and its AE title as it spells it here"
    if isinstance(error, Untrusted):
        return "add the certificate that signed the peer's to [receive.tls].authorities"
    return f"is it running, is a firewall between, and are host and port of [peers.{called.name}] right?"


def _addresses(host: str) -> list[IPAddress]:
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except OSError:
        return []
    return [ip_address(str(entry[4][0]).partition("%")[0]) for entry in found]


def _only_here(host: str) -> bool:
    addresses = [] if host in ("", "0.0.0.0", "::") else _addresses(host)  # noqa: S104 - compared, not bound
    return bool(addresses) and all(address.is_loopback for address in addresses)


def _reachable(host: str) -> str:
    return {"0.0.0.0": "127.0.0.1", "": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 - compared, not bound
