"""TLS files: readable, private, key and certificate belong together, and nothing about to expire."""

import ssl
import time
from pathlib import Path

from dicomnode.check.finding import Finding, fault, ok, warning
from dicomnode.config.tables import Config, Tls

SOON_S = 30 * 86400.0
EXPIRED = 10
"""X509_V_ERR_CERT_HAS_EXPIRED"""
ROUNDS = 10


def certificates(config: Config) -> list[Finding]:
    """Look at the files of [receive.tls], where there are any."""
    tls = config.receive.tls
    if tls is None:
        return []
    missing = [path for path in (tls.certificate, tls.key, tls.authorities) if not _readable(path)]
    if missing:
        fix = "put them there, readable by the account of the service"
        return [fault("tls", f"cannot be read: {', '.join(map(str, missing))}", fix)]
    return [_pair(tls), *_authorities(tls), *_privacy(tls.key)]


def expiry_s(certificate: Path, key: Path) -> float:
    """When a certificate ends, UTC seconds; found by shaking hands with ourselves in memory.

    Raises:
        ssl.SSLError: key and certificate do not belong together, or it has expired.
    """
    server, client = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    server.load_cert_chain(certificate, key)
    client.load_verify_locations(certificate)
    client.check_hostname = False
    client.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN  # the certificate itself is trusted here
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    ours = server.wrap_bio(to_server, to_client, server_side=True)
    theirs = client.wrap_bio(to_client, to_server)
    for _ in range(ROUNDS):
        if _step(theirs) and _step(ours):
            break
        _step(ours)
    shown = theirs.getpeercert() or {}
    return ssl.cert_time_to_seconds(str(shown["notAfter"]))


def _step(end: ssl.SSLObject) -> bool:
    try:
        end.do_handshake()
    except ssl.SSLWantReadError:
        return False
    return True


def _pair(tls: Tls) -> Finding:
    try:
        left_s = expiry_s(tls.certificate, tls.key) - time.time()
    except ssl.SSLCertVerificationError as error:
        said = "has expired" if error.verify_code == EXPIRED else f"is not usable: {error.verify_message}"
        return fault("tls", f"{tls.certificate} {said}", "have a new one issued, then restart the node")
    except ssl.SSLError as error:
        said = f"{tls.certificate} and {tls.key} do not belong together, or are no PEM ({error.reason})"
        return fault("tls", said, "name the key that the certificate was issued for")
    return _time_left("our certificate", left_s)


def _authorities(tls: Tls) -> list[Finding]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    try:
        context.load_verify_locations(tls.authorities)
    except ssl.SSLError:
        return [fault("tls", f"{tls.authorities} holds no certificates", "name a PEM file")]
    ends = [ssl.cert_time_to_seconds(str(shown["notAfter"])) for shown in context.get_ca_certs()]
    return [_time_left("the first authority to expire", min(ends) - time.time())] if ends else []


def _time_left(what: str, left_s: float) -> Finding:
    said = f"{what} has {left_s / 86400:.0f} days left" if left_s > 0 else f"{what} has expired"
    fix = "have a new one issued"
    if left_s <= 0:
        return fault("tls", said, fix)
    return warning("tls", said, fix) if left_s < SOON_S else ok("tls", said)


def _privacy(key: Path) -> list[Finding]:
    mode = key.stat().st_mode & 0o777
    if mode & 0o007:
        return [warning("tls", f"{key} can be read by everyone (mode {mode:o})", f"chmod 600 {key}")]
    return []


def _readable(path: Path) -> bool:
    try:
        return bool(path.read_bytes())
    except OSError:
        return False
