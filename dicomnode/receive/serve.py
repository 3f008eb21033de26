"""One receiver process: sockets, files and index rows, nothing else; torch is never imported here."""

import threading
from collections.abc import Iterator

import structlog
from pydicom import Dataset

from dicomnode.audit import AuditTrail
from dicomnode.config.tables import Config
from dicomnode.deliver.reports import on_event_report
from dicomnode.index.database import Index
from dicomnode.receive.intake import Intake, Limits
from dicomnode.receive.refusals import Refusals
from dicomnode.receive.scp import Receiver
from dicomnode.receive.transfers import QUIET_S
from dicomnode.serve.beats import Heart

LOOK_S = 1.0
SWEEP_LOOKS = 3600
"""Temporary files that nobody owns are looked for once an hour."""
NO_ROOM = "less free disk than the reserve: nothing is accepted"

log = structlog.get_logger()


def run_receiver(config: Config, index: Index, number: int, stop: threading.Event) -> None:
    """Receive until told to stop.

    Args:
        config: the whole configuration.
        index: open, and migrated.
        number: of this process, from 0; several share the port.
        stop: ends it.

    Raises:
        OSError: the port cannot be listened on, or the state folder not written.
        ConfigFault: a TLS file cannot be used.
        RuntimeError: the receiver ended by itself.
    """

    def on_report(information: Dataset) -> int:
        return on_event_report(index, information)

    settings = config.receive
    limits = Limits(settings.reserve_bytes, settings.max_instance_bytes)
    trail = AuditTrail.of(config)
    intake = Intake(config.node.state, index, Refusals(index, trail), limits)
    receiver = Receiver(config, intake, on_report)
    where = f"{settings.ae_title} on {settings.host}:{receiver.port}"
    trail.started(f"receive-{number}")
    try:
        with Heart(index, f"receive-{number}", alive=receiver.is_alive) as heart:
            heart.ready(where)
            log.info("receive.listening", where=where, process=number)
            for note in _looks(receiver, intake, trail, stop):
                heart.say(note or where)
    finally:
        receiver.stop()
        _tell(trail, intake, quiet_s=0.0)
        trail.stopped(f"receive-{number}")
        log.info("receive.stopped", process=number)


def _looks(receiver: Receiver, intake: Intake, trail: AuditTrail, stop: threading.Event) -> Iterator[str]:
    """Look after the receiver now and then; what is wrong, in words."""
    looks = 0
    while not stop.wait(LOOK_S if looks else 0):
        if not receiver.is_alive():
            raise RuntimeError("the receiver's listening thread has ended")
        if looks % SWEEP_LOOKS == 0:
            intake.sweep()
        _tell(trail, intake)
        looks += 1
        yield "" if intake.has_room() else NO_ROOM


def _tell(trail: AuditTrail, intake: Intake, quiet_s: float = QUIET_S) -> None:
    for transfer in intake.transfers.ended(quiet_s):
        trail.received(
            calling_ae=transfer.calling_ae,
            address=transfer.address,
            study_uid=transfer.study_uid,
            instances=transfer.instances,
        )
