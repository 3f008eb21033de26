"""Certificates for tests, made by the openssl program."""

import ssl
import subprocess
from pathlib import Path


def authority(folder: Path, name: str = "authority") -> Path:
    """A self-signed certificate that can sign others."""
    folder.mkdir(parents=True, exist_ok=True)
    certificate = folder / f"{name}.pem"
    _openssl(
        "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
        "-subj", f"/CN={name}", "-addext", "keyUsage=critical,keyCertSign,cRLSign",
        "-keyout", str(folder / f"{name}.key"), "-out", str(certificate),
    )  # fmt: skip
    return certificate


def signed(folder: Path, name: str, by: str = "authority") -> tuple[Path, Path]:
    """A certificate for localhost signed by an authority of the same folder, and its key."""
    request, key, certificate = (folder / f"{name}.{kind}" for kind in ("csr", "key", "pem"))
    names = folder / f"{name}.ext"
    names.write_text("subjectAltName=DNS:localhost,IP:127.0.0.1\n")
    _openssl(
        "req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", f"/CN={name}",
        "-keyout", str(key), "-out", str(request),
    )  # fmt: skip
    _openssl(
        "x509", "-req", "-in", str(request), "-CA", str(folder / f"{by}.pem"), "-CAkey", str(folder / f"{by}.key"),
        "-CAcreateserial", "-days", "2", "-extfile", str(names), "-out", str(certificate),
    )  # fmt: skip
    return certificate, key


def client(authorities: Path, pair: tuple[Path, Path] | None) -> ssl.SSLContext:
    """How a caller opens TLS, with or without a certificate of its own."""
    context = ssl.create_default_context(ssl.Purpose.SERVER_AUTH, cafile=str(authorities))
    if pair:
        context.load_cert_chain(*pair)
    return context


def _openssl(*arguments: str) -> None:
    subprocess.run(["openssl", *arguments], check=True, capture_output=True)
