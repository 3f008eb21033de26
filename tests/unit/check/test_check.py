"""`dicomnode check` says what is wrong and what to fix."""

import json
import socket
import ssl
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer import Typer
from typer.testing import CliRunner

from dicomnode.bundles.digest import digest
from dicomnode.check.bundles import bundles
from dicomnode.check.certificates import certificates, expiry_s
from dicomnode.check.clock import clock
from dicomnode.check.device import Torch, unmet
from dicomnode.check.disk import disk, file_system
from dicomnode.check.finding import Finding, Level
from dicomnode.check.neighbours import may_call, neighbours, our_port
from dicomnode.cli import check
from dicomnode.cli.context import Opened
from dicomnode.config.tables import (
    Caller,
    Config,
    Infer,
    ModelSetting,
    Node,
    Peer,
    Receive,
    Route,
    Storage,
    Tls,
)
from dicomnode.index.database import Index
from dicomnode.index.schema import BeatRow, ModelVersionRow
from tests.index_made import index_made

DICOM_TOML = """
[model]
name = "{name}"
kind = "segmentation"
title = "A test"
intended_use = "None."
timeout_s = {timeout_s}
procedure = {{ value = "1", scheme = "99TEST", meaning = "one" }}
site = {{ value = "1", scheme = "99TEST", meaning = "one" }}

[series]
modalities = ["MR"]

[[segments]]
index = 1
label = "one"
category = {{ value = "1", scheme = "99TEST", meaning = "one" }}
type = {{ value = "1", scheme = "99TEST", meaning = "one" }}
"""


@pytest.fixture
def index(tmp_path: Path) -> Iterator[Index]:
    made = index_made(tmp_path / "index.sqlite")
    yield made
    made.close()


def free_port() -> int:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        return bound.getsockname()[1]


def said(findings: list[Finding], level: Level = Level.FAULT) -> str:
    return " | ".join(finding.says for finding in findings if finding.level is level)


def bundle(folder: Path, name: str, timeout_s: int = 300) -> Path:
    made = folder / name
    made.mkdir(parents=True)
    (made / "dicom.toml").write_text(DICOM_TOML.format(name=name, timeout_s=timeout_s))
    return made


def with_models(folder: Path, *names: str, stat_process: bool = False) -> Config:
    route = Route(name="all", models=names, destinations=())
    return Config(infer=Infer(folder=folder, stat_process=stat_process), routes=(route,))


def approve(index: Index, folder: Path, *, revoked_s: float | None = None) -> None:
    row = ModelVersionRow(
        digest=digest(folder),
        name=folder.name,
        version="1.0",
        device_uid="2.25.1",
        approved_by="meier",
        approved_s=1.0,
        revoked_s=revoked_s,
    )
    with index.transaction() as session:
        session.add(row)


def test_a_disk_below_its_reserve_is_a_fault(tmp_path: Path) -> None:
    config = Config(node=Node(state=tmp_path / "state"), receive=Receive(reserve_bytes=1 << 60))

    assert "studies are refused" in said(disk(config))


def test_a_reserve_above_what_retention_keeps_free_is_a_warning(tmp_path: Path) -> None:
    config = Config(
        node=Node(state=tmp_path), receive=Receive(reserve_bytes=2000), storage=Storage(keep_free_bytes=1000)
    )

    assert "refused before old ones are removed" in said(disk(config), Level.WARNING)


def test_a_state_folder_that_cannot_be_written_is_a_fault(tmp_path: Path) -> None:
    (tmp_path / "state").write_text("a file where the folder should be")

    assert "cannot be written" in said(disk(Config(node=Node(state=tmp_path / "state"))))


def test_the_file_system_of_a_folder_is_that_of_its_nearest_mount(tmp_path: Path) -> None:
    mounts = f"/dev/sda1 / ext4 rw 0 0\nserver:/export {tmp_path} nfs4 rw 0 0\n"

    assert file_system(tmp_path / "state", mounts) == "nfs4"
    assert file_system(Path("/usr"), mounts) == "ext4"


def test_a_clock_behind_what_the_index_holds_is_a_fault(index: Index) -> None:
    later_s = time.time() + 4000
    with index.transaction() as session:
        session.add(BeatRow(process="engine", pid=1, started_s=later_s, beat_s=later_s, note=""))

    assert "before something that the index already holds" in said(clock(index))


def test_an_accelerator_that_is_configured_and_missing_is_a_fault() -> None:
    config = Config(models={"liver": ModelSetting(device="cuda:1")}, infer=Infer(processes=2))

    findings = unmet(config, Torch("2.13", "12.8", ("A100",)))

    assert said(findings) == "it wants cuda:1, and there is none"
    assert "2 gpu processes share 1 accelerator(s)" in said(findings, Level.WARNING)


def test_a_model_that_is_not_approved_is_a_fault_with_the_command_that_approves(tmp_path: Path, index: Index) -> None:
    bundle(tmp_path, "liver")

    (model, _) = bundles(with_models(tmp_path, "liver"), index)

    assert (model.level, "is not approved" in model.says) == (Level.FAULT, True)
    assert model.fix.endswith("dicomnode models approve liver")


def test_an_approved_model_passes_until_a_file_of_it_changes(tmp_path: Path, index: Index) -> None:
    folder = bundle(tmp_path, "liver")
    approve(index, folder)
    config = with_models(tmp_path, "liver")
    assert said(bundles(config, index)) == ""

    (folder / "model.pt").write_bytes(b"other weights")

    assert "another version of it was" in said(bundles(config, index))


def test_a_revoked_model_is_a_fault(tmp_path: Path, index: Index) -> None:
    approve(index, bundle(tmp_path, "liver"), revoked_s=2.0)

    assert "is not approved" in said(bundles(with_models(tmp_path, "liver"), index))


def test_a_missing_bundle_is_a_fault(tmp_path: Path, index: Index) -> None:
    assert "dicom.toml is missing" in said(bundles(with_models(tmp_path, "liver"), index))


def test_the_worst_wait_of_a_stat_study_is_the_longest_time_limit(tmp_path: Path, index: Index) -> None:
    bundle(tmp_path, "liver", timeout_s=120)
    bundle(tmp_path, "brain", timeout_s=900)

    waits = said(bundles(with_models(tmp_path, "liver", "brain"), index), Level.OK)
    alone = said(bundles(with_models(tmp_path, "liver", "brain", stat_process=True), index), Level.OK)

    assert "at most 900 s (the time limit of brain)" in waits
    assert "a STAT study waits for other STAT studies alone" in alone


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # pynetdicom leaves its socket open
def test_a_peer_that_does_not_answer_is_a_fault() -> None:
    config = Config(peers={"pacs": Peer(ae_title="PACS", host="127.0.0.1", port=free_port())})

    assert "pacs (PACS at 127.0.0.1:" in said(neighbours(config))


def test_a_port_where_nothing_listens_is_said() -> None:
    config = Config(receive=Receive(port=free_port()))

    assert "nothing listens" in said(our_port(config), Level.WARNING)


@pytest.mark.parametrize(
    ("receive", "host", "why"),
    [
        (Receive(), "127.0.0.1", ""),
        (Receive(), "192.0.2.7", "we listen on 127.0.0.1 alone"),
        (Receive(host="0.0.0.0"), "192.0.2.7", "without [[receive.callers]]"),
        (
            Receive(host="0.0.0.0", callers=(Caller(ae_title="OTHER", networks=("192.0.2.0/24",)),)),
            "192.0.2.7",
            "no [[receive.callers]] has the AE title PACS",
        ),
        (
            Receive(host="0.0.0.0", callers=(Caller(ae_title="PACS", networks=("198.51.100.0/24",)),)),
            "192.0.2.7",
            "its address 192.0.2.7 is in no network",
        ),
        (Receive(host="0.0.0.0", callers=(Caller(ae_title="PACS", networks=("192.0.2.0/24",)),)), "192.0.2.7", ""),
    ],
    ids=["loopback", "listening-on-loopback", "no-callers", "other-title", "other-network", "allowed"],
)
def test_a_commitment_report_that_could_not_get_in_is_found(receive: Receive, host: str, why: str) -> None:
    found = may_call(Config(receive=receive), Peer(ae_title="PACS", host=host, port=104))

    assert found.startswith(why) if why else found == ""


def certificate(folder: Path, name: str, *, days: int = 365) -> tuple[Path, Path]:
    key, made = folder / f"{name}.key", folder / f"{name}.pem"
    new = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", f"/CN={name}"]
    subprocess.run([*new, "-days", str(days), "-keyout", key, "-out", made], check=True, capture_output=True)
    key.chmod(0o600)
    return made, key


@pytest.mark.peers("openssl")
def test_certificates_that_fit_pass_and_their_end_is_known(tmp_path: Path) -> None:
    made, key = certificate(tmp_path, "node")
    config = Config(receive=Receive(tls=Tls(certificate=made, key=key, authorities=made)))

    assert {finding.level for finding in certificates(config)} == {Level.OK}
    assert abs(expiry_s(made, key) - time.time() - 365 * 86400) < 3600


@pytest.mark.peers("openssl")
def test_a_key_of_another_certificate_is_a_fault(tmp_path: Path) -> None:
    made, _ = certificate(tmp_path, "node")
    _, other = certificate(tmp_path, "other")
    config = Config(receive=Receive(tls=Tls(certificate=made, key=other, authorities=made)))

    assert "do not belong together" in said(certificates(config))


@pytest.mark.peers("openssl")
def test_a_certificate_that_ends_soon_is_a_warning_and_an_open_key_too(tmp_path: Path) -> None:
    made, key = certificate(tmp_path, "node", days=3)
    key.chmod(0o644)
    config = Config(receive=Receive(tls=Tls(certificate=made, key=key, authorities=made)))

    warnings = said(certificates(config), Level.WARNING)
    assert "our certificate has 3 days left" in warnings or "our certificate has 2 days left" in warnings
    assert "can be read by everyone (mode 644)" in warnings


@pytest.mark.peers("openssl")
def test_an_expired_certificate_is_a_fault(tmp_path: Path) -> None:
    made, key = certificate(tmp_path, "node")
    again = ["openssl", "x509", "-in", made, "-signkey", key, "-days", "-1", "-out", made]
    subprocess.run(again, check=True, capture_output=True)
    config = Config(receive=Receive(tls=Tls(certificate=made, key=key, authorities=made)))

    with pytest.raises(ssl.SSLCertVerificationError):
        expiry_s(made, key)
    assert "has expired" in said(certificates(config))


def test_a_missing_tls_file_is_named(tmp_path: Path) -> None:
    absent = tmp_path / "node.pem"
    config = Config(receive=Receive(tls=Tls(certificate=absent, key=absent, authorities=absent)))

    assert str(absent) in said(certificates(config))


def run_check(config: Path, *arguments: str) -> tuple[int, str]:
    app = Typer()
    check.add_to(app)
    app.callback()(lambda: None)
    done = CliRunner().invoke(app, ["check", *arguments], obj=Opened(config))
    return done.exit_code, done.stdout


def test_faults_of_the_configuration_are_told_and_nothing_else_is_looked_at(tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text("[receive]\nport = 0\nae_titel = 'X'\n")

    code, text = run_check(tmp_path / "config.toml", "--json")

    (finding,) = json.loads(text)["findings"]
    assert (code, finding["part"], finding["level"]) == (1, "config", "fault")
    assert "receive.port" in finding["says"]
    assert "receive.ae_titel" in finding["says"]


def test_the_command_says_each_finding_and_exits_with_0_when_there_is_no_fault(tmp_path: Path) -> None:
    text = f'[node]\nstate = "{tmp_path}/state"\n[receive]\nreserve_bytes = 0\n[storage]\nkeep_free_bytes = 0\n'
    (tmp_path / "config.toml").write_text(text)

    code, told = run_check(tmp_path / "config.toml")
    strict, _ = run_check(tmp_path / "config.toml", "--strict", "--json")

    assert "there is no peer to send results to" in told
    assert "→ add [peers.NAME] to config.toml" in told
    assert (code, strict) == (0, 1)
