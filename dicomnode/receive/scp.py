"""The storage SCP: pynetdicom negotiates and reads, the intake keeps, and each answer follows the fact."""

import threading
from collections.abc import Callable
from typing import Any

import structlog
from pydicom import Dataset
from pydicom.uid import ExplicitVRLittleEndian
from pynetdicom import AE, ALL_TRANSFER_SYNTAXES, AllStoragePresentationContexts, _config, evt
from pynetdicom.association import Association
from pynetdicom.sop_class import StorageCommitmentPushModel, Verification
from sqlalchemy.exc import SQLAlchemyError

from dicomnode.config.tables import Config
from dicomnode.receive.commitment import INVALID_ARGUMENT, PROCESSING_FAILURE, Duties
from dicomnode.receive.faults import CANNOT_UNDERSTAND
from dicomnode.receive.gate import UNREADABLE, Gate, Rejection, request_of
from dicomnode.receive.intake import Intake
from dicomnode.receive.part10 import IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION
from dicomnode.receive.server import Door, Handler, Server, SharedContexts
from dicomnode.receive.sockets import server_context
from dicomnode.receive.streaming import Sink, StreamingDimse
from dicomnode.receive.takeover import FastPath, is_ours
from dicomnode.receive.watch import Watch

TRANSFER_SYNTAXES = [
    ExplicitVRLittleEndian,
    *(uid for uid in ALL_TRANSFER_SYNTAXES if uid != ExplicitVRLittleEndian),
]
"""Of several that a caller offers in one context the first of these is taken: one that says each VR."""
TEND_S = 0.25

OnReport = Callable[[Dataset], int]
"""Takes the Event Information of a commitment report; the DIMSE status to answer."""

log = structlog.get_logger()


class Receiver:
    """A listening SCP; `stop` ends it."""

    def __init__(self, config: Config, intake: Intake, on_report: OnReport) -> None:
        self._settings = config.receive
        self._intake = intake
        self._gate = Gate(config.receive, intake)
        self._watch = Watch(config.receive, intake.refusals, _on_ended)
        self._duties = Duties(config, intake.index, intake.refusals)
        self._on_report = on_report
        self._stopping = threading.Event()
        self._ae = _application_entity(config)
        self._server = self._listen()
        self._threads = [
            threading.Thread(target=self._server.serve_forever, args=(TEND_S,), name="listen", daemon=True),
            threading.Thread(target=self._tend, name="watch", daemon=True),
        ]
        for thread in self._threads:
            thread.start()

    @property
    def port(self) -> int:
        """The port that is listened on."""
        return int(self._server.server_address[1])

    def is_alive(self) -> bool:
        """Whether it still listens and keeps watch."""
        return all(thread.is_alive() for thread in self._threads)

    def stop(self) -> None:
        """Listen no longer and abort what is open; what was answered with Success is kept."""
        self._stopping.set()
        self._ae._servers.append(self._server)  # a server made by `make_server` is not listed by itself
        self._server.shutdown()
        self._ae.shutdown()
        for thread in self._threads:
            thread.join()
        self._watch.tend()

    def _listen(self) -> Server:
        _config.LOG_HANDLER_LEVEL = "none"  # its own handlers would write data sets to the log
        tls = server_context(self._settings.tls) if self._settings.tls else None
        server: Server = self._ae.make_server(
            (self._settings.host, self._settings.port),
            evt_handlers=self._handlers(),
            server_class=Server,
            request_handler=Handler,
        )
        server.door = Door(self._settings, self._watch, self._intake.begin, tls)
        server.contexts = SharedContexts(server.contexts)
        return server

    def _handlers(self) -> list[tuple[Any, Callable[..., Any]]]:
        handlers: list[tuple[Any, Callable[..., Any]]] = [
            (evt.EVT_REQUESTED, self._on_requested),
            (evt.EVT_ACCEPTED, self._on_accepted),
            (evt.EVT_PDU_RECV, lambda event: self._watch.heard(event.assoc)),
            (evt.EVT_C_STORE, self._on_store),
            (evt.EVT_N_ACTION, self._duties.on_action),
            (evt.EVT_N_EVENT_REPORT, self._on_event_report),
        ]
        return handlers + (FastPath(self._intake, self._settings).handlers() if self._settings.fast else [])

    def _on_requested(self, event: evt.Event) -> None:
        """Reject who may not call, or whose request cannot be read; pynetdicom negotiates with the others."""
        association = event.assoc
        rejection: Rejection | None = UNREADABLE
        try:
            rejection = self._gate.rejection(request_of(association), association)
        finally:  # pynetdicom goes on to accept when a handler fails
            if rejection is not None:
                self._reject(association, rejection)

    def _reject(self, association: Association, rejection: Rejection) -> None:
        association.acse.send_reject(rejection.result, rejection.source, rejection.diagnostic)
        association.kill()
        calling_ae = str(association.requestor.primitive.calling_ae_title).strip()
        address = str(association.requestor.address)
        self._intake.refusals.record(calling_ae, address, status="reject", reason=rejection.reason)

    def _on_accepted(self, event: evt.Event) -> None:
        """Note what was proposed in vain: SOP classes and transfer syntaxes that we do not take."""
        association = event.assoc
        if self._settings.fast and is_ours(association):
            self._watch.hand_over(association)
        taken = {context.abstract_syntax for context in association.accepted_contexts}
        for uid in {context.abstract_syntax for context in association.rejected_contexts} - taken:
            self._intake.refusals.record(
                str(association.requestor.ae_title).strip(),
                str(association.requestor.address),
                status="context",
                reason=f"no presentation context for {uid}: its SOP class or all its transfer syntaxes are unknown",
            )

    def _on_store(self, event: evt.Event) -> Dataset:
        """Answer what the intake says, with its reason (PS3.4 Table B.2-1)."""
        sink, answer = event.request.DataSet, Dataset()
        if not isinstance(sink, Sink):
            answer.Status = CANNOT_UNDERSTAND
            return answer
        with self._watch.working(event.assoc):
            incoming = sink.opened()
            answer.Status = incoming.keep()
        if incoming.comment:
            answer.ErrorComment = incoming.comment
        return answer

    def _on_event_report(self, event: evt.Event) -> tuple[int, None]:
        """Take a peer's report on a commitment request of ours (PS3.4 J.3.3)."""
        try:
            return self._on_report(event.event_information), None
        except SQLAlchemyError as fault:
            log.error("commitment.report_not_kept", fault=type(fault).__name__)
            return PROCESSING_FAILURE, None
        except (AttributeError, ValueError, TypeError):
            return INVALID_ARGUMENT, None

    def _tend(self) -> None:
        while not self._stopping.wait(TEND_S):
            self._watch.tend()


def _application_entity(config: Config) -> AE:
    settings = config.receive
    ae = AE(settings.ae_title)
    ae.implementation_class_uid = IMPLEMENTATION_CLASS_UID
    ae.implementation_version_name = IMPLEMENTATION_VERSION
    ae.maximum_pdu_size = settings.max_pdu_bytes
    ae.maximum_associations = 1 << 20  # the gate counts
    ae.acse_timeout = settings.association_timeout_s
    ae.dimse_timeout = settings.idle_timeout_s
    ae.network_timeout = None  # the watch keeps this time
    ae.add_supported_context(Verification)
    for context in AllStoragePresentationContexts:
        ae.add_supported_context(context.abstract_syntax, TRANSFER_SYNTAXES)
    ae.add_supported_context(StorageCommitmentPushModel, scu_role=True, scp_role=True)
    return ae


def _on_ended(association: Association) -> None:
    if isinstance(association.dimse, StreamingDimse):
        association.dimse.abandon()
