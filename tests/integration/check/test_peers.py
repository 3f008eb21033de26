"""`dicomnode check` calls every peer, and asks it about Storage Commitment."""

from collections.abc import Iterator
from contextlib import contextmanager

from pynetdicom import AE
from pynetdicom.sop_class import StorageCommitmentPushModel, Verification

from dicomnode.check.finding import Finding, Level
from dicomnode.check.neighbours import neighbours
from dicomnode.config.tables import Config, Peer


@contextmanager
def pacs(*, commits: bool, knows: str = "DICOMNODE") -> Iterator[int]:
    """A PACS on a port of its own, that knows one AE title."""
    ae = AE("PACS")
    ae.require_calling_aet = [knows]
    ae.require_called_aet = True
    ae.add_supported_context(Verification)
    if commits:
        ae.add_supported_context(StorageCommitmentPushModel)
    server = ae.start_server(("127.0.0.1", 0), block=False)
    try:
        yield server.socket.getsockname()[1]
    finally:
        server.shutdown()


def looked_at(port: int, *, title: str = "PACS") -> list[Finding]:
    found = neighbours(Config(peers={"pacs": Peer(ae_title=title, host="127.0.0.1", port=port)}))
    return [finding for finding in found if finding.part == "peer pacs"]


def test_a_peer_that_answers_and_commits_passes() -> None:
    with pacs(commits=True) as port:
        answered, committing = looked_at(port)

    assert (answered.level, committing.level) == (Level.OK, Level.OK)
    assert "answers C-ECHO in" in answered.says
    assert "it must know DICOMNODE at this machine's address, port 11112" in committing.says


def test_a_peer_without_storage_commitment_is_a_fault_with_the_setting_that_helps() -> None:
    with pacs(commits=False) as port:
        _, committing = looked_at(port)

    assert committing.level is Level.FAULT
    assert "[peers.pacs].commitment = false" in committing.fix


def test_a_peer_that_does_not_know_us_is_a_fault_that_says_what_to_enter_there() -> None:
    with pacs(commits=True, knows="SOMEBODY") as port:
        (finding,) = looked_at(port)

    assert finding.level is Level.FAULT
    assert finding.fix.startswith("enter DICOMNODE and this machine's address at the peer")


def test_a_peer_under_another_title_is_a_fault() -> None:
    with pacs(commits=True) as port:
        (finding,) = looked_at(port, title="PAX")

    assert finding.level is Level.FAULT
    assert "rejects associations" in finding.says
