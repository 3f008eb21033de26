"""A C-STORE data set flows from pynetdicom's reader straight into the intake, so that memory stays flat."""

from collections.abc import Callable
from io import BytesIO

from pynetdicom.association import Association
from pynetdicom.dimse import DIMSEServiceProvider
from pynetdicom.dimse_messages import C_STORE_RQ, DIMSEMessage
from pynetdicom.pdu_primitives import P_DATA

from dicomnode.receive.intake import Arrival, Incoming

Begin = Callable[[Arrival], Incoming]


class Sink(BytesIO):
    """The data set of one message: into the intake where it is a C-STORE request's, else into memory."""

    def __init__(self, association: Association, message: DIMSEMessage, begin: Begin) -> None:
        super().__init__()
        self._association, self._message, self._begin = association, message, begin
        self.incoming: Incoming | None = None

    def write(self, part: bytes, /) -> int:  # type: ignore[override]
        """Take the next fragment."""
        if not isinstance(self._message, C_STORE_RQ):
            return super().write(part)
        self.opened().write(part)
        return len(part)

    def opened(self) -> Incoming:
        """The intake's end of this data set, also where no byte came."""
        if self.incoming is None:
            self.incoming = self._begin(self._arrival())
        return self.incoming

    def abandon(self) -> None:
        """The association ended before the data set did."""
        if self.incoming is not None:
            self.incoming.abandon()

    def _arrival(self) -> Arrival:
        command, requestor = self._message.command_set, self._association.requestor
        contexts = {context.context_id: context for context in self._association.accepted_contexts}
        context = contexts.get(self._message.context_id)
        return Arrival(
            sop_class_uid=str(command.get("AffectedSOPClassUID") or ""),
            sop_instance_uid=str(command.get("AffectedSOPInstanceUID") or ""),
            transfer_syntax_uid=str(context.transfer_syntax[0]) if context else "",
            calling_ae=str(requestor.ae_title).strip(),
            address=str(requestor.address),
        )


class StreamingDimse(DIMSEServiceProvider):  # type: ignore[misc]
    """pynetdicom's DIMSE provider, whose messages carry a `Sink`."""

    message: DIMSEMessage | None

    def __init__(self, association: Association, begin: Begin) -> None:
        super().__init__(association)
        self._begin = begin

    def receive_primitive(self, primitive: P_DATA) -> None:
        """Take the next P-DATA."""
        if self.message is None:
            self.message = DIMSEMessage()
            self.message.data_set = Sink(self.assoc, self.message, self._begin)
        super().receive_primitive(primitive)

    def abandon(self) -> None:
        """The association has ended: forget a data set that is not complete, or was never answered."""
        if self.message is not None and isinstance(self.message.data_set, Sink):
            self.message.data_set.abandon()
        while not self.msg_queue.empty():
            _, waiting = self.msg_queue.get_nowait()
            data_set = getattr(waiting, "DataSet", None)
            if isinstance(data_set, Sink):
                data_set.abandon()
