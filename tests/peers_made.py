"""Small peers on loopback, each with one way of behaving: refusing, aborting, warning, slow, silent, down.

with peer(Storing()) as (remote, pacs): ...
"""

import socket
import ssl
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from pydicom.dataset import Dataset
from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian
from pynetdicom import AE, build_role, evt
from pynetdicom.association import Association
from pynetdicom.events import Event
from pynetdicom.presentation import build_context
from pynetdicom.sop_class import (
    StorageCommitmentPushModel,
    StorageCommitmentPushModelInstance,
    StudyRootQueryRetrieveInformationModelFind,
    Verification,
)

from dicomnode.config.tables import Peer, Tls
from dicomnode.peers.answers import keep_answers
from dicomnode.peers.caller import Caller, CallerSocket
from dicomnode.peers.remote import Remote
from tests.results_made import SEG, SR_3D, SR_PLAIN

OUR_AE = "DICOMNODE"
PLAIN = (str(ExplicitVRLittleEndian), str(ImplicitVRLittleEndian))


@dataclass
class Pacs:
    """How a peer behaves, and what happened to it."""

    ae_title: str = "PACS"
    storage: Mapping[str, Sequence[str]] = field(default_factory=lambda: dict.fromkeys((SEG, SR_3D, SR_PLAIN), PLAIN))
    """Transfer syntaxes it accepts, by SOP class."""
    store_status: Mapping[str, int] = field(default_factory=dict)
    """Answer to a C-STORE by SOP instance; success where absent."""
    abort_on_store: bool = False
    answers_after_s: float = 0.0
    knows: Sequence[str] = ()
    """Calling AE titles; empty for any."""
    at_most: int = 10
    """Associations at once."""
    commitment: bool = True
    commits_not: Mapping[str, int] = field(default_factory=dict)
    """Failure Reason by SOP instance."""
    commitment_status: int = 0x0000
    """Answer to the request itself."""
    reports: bool = True
    """False: it takes requests and says nothing more."""
    report_port: int | None = None
    """Where it reports, on an association of its own; None: on the one that asked."""
    found: Sequence[Dataset] = ()
    """Answers to every C-FIND; those whose keys contradict the query are left out."""
    find_status: int = 0x0000

    stored: dict[str, tuple[str, bytes]] = field(default_factory=dict)
    """Transfer syntax and encoded data set by SOP instance, as they came."""
    store_count: int = 0
    proposed: list[tuple[str, tuple[str, ...]]] = field(default_factory=list)
    """Abstract syntax and transfer syntaxes of the contexts last proposed to it."""
    asked: list[list[str]] = field(default_factory=list)
    """SOP instances of each commitment request."""
    queries: list[Dataset] = field(default_factory=list)
    report_answers: list[int] = field(default_factory=list)
    """What we answered its commitment reports with."""
    threads: list[threading.Thread] = field(default_factory=list)


@contextmanager
def peer(
    pacs: Pacs, *, at_port: int = 0, tls: Tls | None = None, ours: Tls | None = None, **settings: object
) -> Iterator[Remote]:
    """A listening peer, as we call it. `tls` is its certificate, `ours` what we show; port 0 is any free one."""
    ae = AE(pacs.ae_title)
    ae.require_called_aet = True
    ae.require_calling_aet = list(pacs.knows)
    ae.maximum_associations = pacs.at_most
    ae.supported_contexts = _contexts(pacs)
    server = ae.start_server(
        ("127.0.0.1", at_port), block=False, evt_handlers=_handlers(pacs), ssl_context=_server_tls(tls) if tls else None
    )
    port = server.socket.getsockname()[1]
    try:
        yield remote_at(port, ae_title=pacs.ae_title, tls=ours, **settings)
    finally:
        for thread in pacs.threads:
            thread.join(10)
        server.shutdown()


def remote_at(port: int, *, ae_title: str = "PACS", tls: Tls | None = None, **settings: object) -> Remote:
    """A peer of ours called "pacs" at a port of this machine."""
    known = Peer.model_validate(
        {"ae_title": ae_title, "host": "127.0.0.1", "port": port, "tls": tls is not None, **settings}
    )
    return Remote("pacs", known, OUR_AE, tls)


@contextmanager
def silent_port() -> Iterator[int]:
    """A port that takes connections and never says a word."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        yield int(listener.getsockname()[1])


def _contexts(pacs: Pacs) -> list[object]:
    contexts = [build_context(Verification)]
    contexts += [build_context(sop_class, list(syntaxes)) for sop_class, syntaxes in pacs.storage.items()]
    if pacs.commitment:
        contexts.append(build_context(StorageCommitmentPushModel))
    contexts.append(build_context(StudyRootQueryRetrieveInformationModelFind))
    return contexts


def _server_tls(tls: Tls) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=str(tls.authorities))
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_cert_chain(tls.certificate, tls.key)
    return context


def _handlers(pacs: Pacs) -> list[tuple[object, object]]:
    return [
        (evt.EVT_CONN_OPEN, _on_open),
        (evt.EVT_REQUESTED, lambda event: _on_request(pacs, event)),
        (evt.EVT_C_ECHO, lambda _: 0x0000),
        (evt.EVT_C_STORE, lambda event: _on_store(pacs, event)),
        (evt.EVT_N_ACTION, lambda event: _on_commitment_request(pacs, event)),
        (evt.EVT_C_FIND, lambda event: _on_find(pacs, event)),
    ]


def _on_open(event: Event) -> None:
    """Have the connection closed also where the caller cuts it."""
    event.assoc.dul.socket.__class__ = CallerSocket


def _on_request(pacs: Pacs, event: Event) -> None:
    contexts = event.assoc.requestor.primitive.presentation_context_definition_list
    pacs.proposed = [(str(cx.abstract_syntax), tuple(map(str, cx.transfer_syntax))) for cx in contexts]


def _on_store(pacs: Pacs, event: Event) -> int:
    pacs.store_count += 1
    if pacs.abort_on_store:
        event.assoc.abort()
        return 0x0000
    time.sleep(pacs.answers_after_s)
    instance = str(event.request.AffectedSOPInstanceUID)
    status = pacs.store_status.get(instance, 0x0000)
    if status == 0x0000 or 0xB000 <= status <= 0xBFFF:
        pacs.stored[instance] = (str(event.context.transfer_syntax), event.request.DataSet.getvalue())
    return status


def _on_commitment_request(pacs: Pacs, event: Event) -> tuple[int, None]:
    information = event.action_information
    references = [str(item.ReferencedSOPInstanceUID) for item in information.ReferencedSOPSequence]
    pacs.asked.append(references)
    if pacs.commitment_status == 0x0000 and pacs.reports:
        thread = threading.Thread(target=_report, args=(pacs, information, event.assoc))
        pacs.threads.append(thread)
        thread.start()
    return pacs.commitment_status, None


def _report(pacs: Pacs, asked: Dataset, association: Association) -> None:
    """Say what is committed: on the association that asked, or on one of our own to `report_port`."""
    time.sleep(0.1)
    if pacs.report_port is None:
        pacs.report_answers.append(_send_report(keep_answers(association), report_of(pacs, asked)))
        return
    opened = Caller(pacs.ae_title).associate(
        "127.0.0.1",
        pacs.report_port,
        contexts=[build_context(StorageCommitmentPushModel)],
        ae_title=OUR_AE,
        ext_neg=[build_role(StorageCommitmentPushModel, scp_role=True)],
    )
    pacs.report_answers.append(_send_report(opened, report_of(pacs, asked)))
    opened.release()


def report_of(pacs: Pacs, asked: Dataset) -> Dataset:
    """The Event Information that answers a request (PS3.4 Table J.3-2)."""
    report = Dataset()
    report.TransactionUID = asked.TransactionUID
    kept, failed = [], []
    for item in asked.ReferencedSOPSequence:
        reason = pacs.commits_not.get(str(item.ReferencedSOPInstanceUID))
        if reason is None:
            kept.append(item)
        else:
            item.FailureReason = reason
            failed.append(item)
    report.ReferencedSOPSequence = kept
    if failed:
        report.FailedSOPSequence = failed
    return report


def _send_report(association: Association, report: Dataset) -> int:
    event_type = 2 if "FailedSOPSequence" in report else 1
    answer, _ = association.send_n_event_report(
        report, event_type, StorageCommitmentPushModel, StorageCommitmentPushModelInstance
    )
    return int(answer.get("Status", -1))


def _on_find(pacs: Pacs, event: Event) -> Iterator[tuple[int, Dataset | None]]:
    query = event.identifier
    pacs.queries.append(query)
    for answer in pacs.found:
        if _matches(answer, query):
            yield 0xFF00, answer
    if pacs.find_status != 0x0000:
        yield pacs.find_status, None


def _matches(answer: Dataset, query: Dataset) -> bool:
    """Same level, same UIDs where asked for, and a date within the range."""
    keys = [key for key in ("StudyInstanceUID", "SeriesInstanceUID") if query.get(key)]
    first, _, last = str(query.get("StudyDate", "")).partition("-")
    return (
        answer.QueryRetrieveLevel == query.QueryRetrieveLevel
        and all(answer.get(key) == query[key].value for key in keys)
        and (not first or first <= answer.StudyDate <= (last or first))
    )
