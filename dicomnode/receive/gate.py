"""Who may open an association, and when (PS3.8 9.3.4 says how a refusal is told)."""

import threading
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address

import structlog
from pynetdicom.association import Association
from pynetdicom.sop_class import Verification

from dicomnode.config.tables import Receive
from dicomnode.receive.intake import Intake

log = structlog.get_logger()


@dataclass(frozen=True)
class Rejection:
    """An A-ASSOCIATE-RJ, and why."""

    result: int
    source: int
    diagnostic: int
    reason: str


CALLED = Rejection(1, 1, 7, "called AE title is not ours")
CALLING = Rejection(1, 1, 3, "calling AE title is not allowed from this address")
UNREADABLE = Rejection(1, 1, 1, "the association request cannot be read")
NO_ROOM = Rejection(2, 3, 2, "less free disk than the reserve")
NO_SEAT = Rejection(2, 3, 2, "as many associations are open as allowed")


@dataclass(frozen=True)
class Request:
    """What an association request says."""

    calling_ae: str
    called_ae: str
    address: str
    only_echo: bool
    """Nothing but Verification is proposed."""


class Gate:
    """Decides on association requests; thread-safe."""

    def __init__(self, settings: Receive, intake: Intake) -> None:
        self._settings = settings
        self._intake = intake
        self._seated: list[Association] = []
        self._lock = threading.Lock()

    def rejection(self, request: Request, association: Association) -> Rejection | None:
        """Why this request is refused; None where it may go on, and then it has a seat until it ends."""
        if request.called_ae != self._settings.ae_title:
            return CALLED
        if not is_allowed(request, self._settings):
            return CALLING
        if not request.only_echo and not self._has_room():
            return NO_ROOM
        return None if self._seat(association) else NO_SEAT

    def _has_room(self) -> bool:
        try:
            return self._intake.has_room()
        except OSError:
            return False

    def _seat(self, association: Association) -> bool:
        with self._lock:
            self._seated = [seated for seated in self._seated if seated.is_alive()]
            if len(self._seated) >= self._settings.max_associations:
                return False
            self._seated.append(association)
            return True


def is_allowed(request: Request, settings: Receive) -> bool:
    """Whether someone of this AE title may call from this address; without a list, loopback alone may."""
    address = _address(request.address)
    if address is None:
        return False
    if not settings.callers:
        return address.is_loopback
    return any(
        caller.ae_title == request.calling_ae and any(address in network for network in caller.networks)
        for caller in settings.callers
    )


def request_of(association: Association) -> Request:
    """What the peer of a new association asks for."""
    primitive = association.requestor.primitive
    proposed = {str(context.abstract_syntax) for context in primitive.presentation_context_definition_list}
    return Request(
        calling_ae=str(primitive.calling_ae_title).strip(),
        called_ae=str(primitive.called_ae_title).strip(),
        address=str(association.requestor.address),
        only_echo=proposed == {str(Verification)},
    )


def _address(text: str) -> IPv4Address | IPv6Address | None:
    try:
        address = ip_address(text)
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return mapped or address
