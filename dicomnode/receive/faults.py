"""Why an instance is refused, and the DIMSE status that says so (PS3.4 Table B.2-1)."""

from dicomnode.errors import DiskReserve, IdentityFault, NodeError, NotDicom, Transient

SUCCESS = 0x0000
OUT_OF_RESOURCES = 0xA700
DOES_NOT_MATCH = 0xA900
CANNOT_UNDERSTAND = 0xC000


class DiskFull(DiskReserve):
    """A write failed for want of space, or for another fault of the disk."""


class InstanceTooLarge(NodeError):
    """Larger than the largest instance that we accept."""

    def __init__(self, limit_bytes: int) -> None:
        super().__init__(f"instance is larger than {limit_bytes} bytes")
        self.limit_bytes = limit_bytes


class CommandMismatch(IdentityFault):
    """The data set's SOP Class or Instance UID is not the one the C-STORE request names."""

    def __init__(self, name: str) -> None:
        super().__init__(f"{name} of the data set is not the one of the C-STORE request")
        self.name = name


class IndexBusy(Transient):
    """The index could not be written."""


STATUS: tuple[tuple[type[NodeError], int], ...] = (
    (CommandMismatch, DOES_NOT_MATCH),
    (IdentityFault, CANNOT_UNDERSTAND),
    (NotDicom, CANNOT_UNDERSTAND),
    (InstanceTooLarge, OUT_OF_RESOURCES),
    (Transient, OUT_OF_RESOURCES),
)
"""First that fits."""


def status_of(fault: NodeError) -> int:
    """The DIMSE status that tells a sender about a fault."""
    return next((status for kind, status in STATUS if isinstance(fault, kind)), CANNOT_UNDERSTAND)
