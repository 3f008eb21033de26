"""A receiver on loopback, and a sender that sends exactly the bytes it is told to."""

import socket
import ssl
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

from pydicom import Dataset
from pydicom.uid import ExplicitVRLittleEndian
from pynetdicom import evt
from pynetdicom.association import Association
from pynetdicom.dimse_primitives import C_STORE
from pynetdicom.sop_class import Verification
from sqlalchemy import select

from dicomnode.config.tables import Config
from dicomnode.index.database import Index
from dicomnode.index.schema import InstanceRow, RefusalRow, StudyRow
from dicomnode.peers.caller import Caller
from dicomnode.receive.intake import Intake, Limits
from dicomnode.receive.refusals import Refusals
from dicomnode.receive.scp import Receiver
from tests.index_made import index_made
from tests.phantom import CT, encoded

SUCCESS, FULL, MISMATCH, BROKEN = 0x0000, 0xA700, 0xA900, 0xC000


def free_port() -> int:
    """A port of loopback that is free now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass
class Node:
    """A running receiver, with its index and its files."""

    receiver: Receiver
    index: Index
    state: Path
    config: Config
    reports: list[Dataset]
    """Commitment reports that came."""

    @property
    def port(self) -> int:
        return self.receiver.port

    def files(self) -> list[Path]:
        return sorted(path for path in self.state.rglob("*") if path.suffix in {".dcm", ".part"})

    def instances(self) -> list[InstanceRow]:
        with self.index.transaction() as session:
            return list(session.scalars(select(InstanceRow).order_by(InstanceRow.instance_key)).all())

    def studies(self) -> list[StudyRow]:
        with self.index.transaction() as session:
            return list(session.scalars(select(StudyRow)).all())

    def refusals(self) -> list[RefusalRow]:
        with self.index.transaction() as session:
            return list(session.scalars(select(RefusalRow)).all())


@contextmanager
def node(state: Path, receive: dict[str, object], **tables: object) -> Iterator[Node]:
    """A receiver with these settings, until the block ends."""
    settings = {"port": free_port(), "reserve_bytes": 0, **receive}
    config = Config.model_validate({"node": {"state": str(state)}, "receive": settings, **tables})
    index = index_made(config.index_url)
    limits = Limits(config.receive.reserve_bytes, config.receive.max_instance_bytes)
    intake = Intake(state, index, Refusals(index), limits)
    reports: list[Dataset] = []

    def on_report(information: Dataset) -> int:
        reports.append(information)
        return SUCCESS

    receiver = Receiver(config, intake, on_report)
    try:
        yield Node(receiver, index, state, config, reports)
    finally:
        receiver.stop()
        index.close()


@dataclass(frozen=True)
class Context:
    """A presentation context to propose."""

    sop_class_uid: str = CT
    transfer_syntax_uids: Sequence[str] = (ExplicitVRLittleEndian,)


ECHO = Context(Verification)


def associate(
    port: int,
    contexts: Sequence[Context] = (Context(), ECHO),
    *,
    calling: str = "PACS",
    called: str = "DICOMNODE",
    tls: ssl.SSLContext | None = None,
    max_pdu_bytes: int = 16382,
) -> Association:
    """An association request; look at `is_established` for the answer."""
    ae = Caller(calling)
    ae.acse_timeout = ae.dimse_timeout = ae.network_timeout = 20
    for context in contexts:
        ae.add_requested_context(context.sop_class_uid, list(context.transfer_syntax_uids))
    tls_args = (tls, "localhost") if tls else None
    return ae.associate("127.0.0.1", port, ae_title=called, max_pdu=max_pdu_bytes, tls_args=tls_args)


def data_set(image: Dataset) -> bytes:
    """The encoded data set without preamble and file meta information."""
    raw = encoded(image)
    return raw[144 + int.from_bytes(raw[140:144], "little") :]


def store(association: Association, image: Dataset, **changed: object) -> int:
    """C-STORE one image; what the request says, and the bytes, may be changed. The status, or -1 without answer."""
    return int(store_answer(association, image, **changed)[0])


def store_answer(association: Association, image: Dataset, **changed: object) -> tuple[int, str]:
    """As `store`, with the Error Comment."""
    request = C_STORE()
    request.MessageID, request.Priority = 1, 2
    request.AffectedSOPClassUID = changed.get("sop_class_uid", image.get("SOPClassUID"))
    request.AffectedSOPInstanceUID = changed.get("sop_instance_uid", image.get("SOPInstanceUID"))
    request.DataSet = BytesIO(changed["data"] if "data" in changed else data_set(image))  # type: ignore[arg-type]
    wanted = changed.get("context", image.get("SOPClassUID"))
    (context,) = [one for one in association.accepted_contexts if one.abstract_syntax == wanted][:1]
    association._reactor_checkpoint.clear()
    wait_for(lambda: association._is_paused)
    association.dimse.send_msg(request, context.context_id)
    _, answer = association.dimse.get_msg(block=True)
    association._reactor_checkpoint.set()
    return (-1, "") if answer is None else (answer.Status, answer.ErrorComment or "")


def send(port: int, images: Sequence[Dataset], **named: object) -> list[int]:
    """C-STORE images over one association; their statuses."""
    contexts = [Context(uid) for uid in dict.fromkeys(image.SOPClassUID for image in images)]
    association = associate(port, contexts, **named)  # type: ignore[arg-type]
    assert association.is_established
    statuses = [store(association, image) for image in images]
    association.release()
    return statuses


def rejection(association: Association) -> tuple[int, int, int] | None:
    """Result, source and diagnostic of a rejected association."""
    primitive = association.acceptor.primitive
    if not association.is_rejected or primitive is None:
        return None
    return primitive.result, primitive.result_source, primitive.diagnostic


def echo(port: int, **named: object) -> int | None:
    """C-ECHO over an association of its own; None where it is not accepted."""
    association = associate(port, (ECHO,), **named)  # type: ignore[arg-type]
    if not association.is_established:
        return None
    status = association.send_c_echo()
    association.release()
    return int(status.Status)


def wait_for(fact: Callable[[], object], seconds: float = 10.0) -> bool:
    """Whether something becomes true in time."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if fact():
            return True
        time.sleep(0.01)
    return bool(fact())


__all__ = ["CT", "ECHO", "Context", "Node", "associate", "evt", "node"]
