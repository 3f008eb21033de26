"""Storage Commitment: a peer asks us, and a peer answers us."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from pydicom import Dataset
from pydicom.uid import generate_uid
from pynetdicom import AE, build_role, evt
from pynetdicom.sop_class import StorageCommitmentPushModel, StorageCommitmentPushModelInstance
from sqlalchemy import select

from dicomnode.index.schema import CommitmentDutyRow
from dicomnode.peers.caller import Caller
from dicomnode.receive.commitment import answer_duties
from tests.integration.receive.conftest import Start
from tests.integration.receive.loopback import CT, SUCCESS, Context, Node, associate, free_port, send
from tests.phantom import MR, ct_series


@dataclass
class Pacs:
    """A PACS that takes our reports."""

    port: int
    status: int = SUCCESS
    reports: list[tuple[int, Dataset]] = field(default_factory=list)

    @property
    def peers(self) -> dict[str, object]:
        return {"pacs": {"ae_title": "PACS", "host": "127.0.0.1", "port": self.port}}

    def on_report(self, event: evt.Event) -> tuple[int, None]:
        self.reports.append((event.event_type, event.event_information))
        return self.status, None

    @contextmanager
    def listening(self) -> Iterator[None]:
        ae = AE("PACS")
        ae.add_supported_context(StorageCommitmentPushModel, scu_role=True, scp_role=True)
        server = ae.start_server(
            ("127.0.0.1", self.port), block=False, evt_handlers=[(evt.EVT_N_EVENT_REPORT, self.on_report)]
        )
        try:
            yield
        finally:
            server.shutdown()


def ask(node: Node, references: list[tuple[str, str]], **named: object) -> tuple[int, str]:
    """N-ACTION; the status and the transaction UID."""
    request, items = Dataset(), []
    request.TransactionUID = generate_uid()
    for sop_class_uid, sop_instance_uid in references:
        item = Dataset()
        item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID = sop_class_uid, sop_instance_uid
        items.append(item)
    request.ReferencedSOPSequence = items
    association = associate(node.port, [Context(StorageCommitmentPushModel)], **named)  # type: ignore[arg-type]
    answer, _ = association.send_n_action(request, 1, StorageCommitmentPushModel, StorageCommitmentPushModelInstance)
    association.release()
    return int(answer.Status), str(request.TransactionUID)


def test_what_we_keep_is_reported_as_committed_on_an_association_of_ours(start: Start) -> None:
    pacs = Pacs(free_port())
    node, images = start(peers=pacs.peers), ct_series(slices=2)
    send(node.port, images)

    status, transaction_uid = ask(node, [(CT, image.SOPInstanceUID) for image in images])
    with pacs.listening():
        assert answer_duties(node.index, node.config) == 1
        assert answer_duties(node.index, node.config) == 0

    assert status == SUCCESS
    ((event_type, report),) = pacs.reports
    assert (event_type, report.TransactionUID) == (1, transaction_uid)
    assert [item.ReferencedSOPInstanceUID for item in report.ReferencedSOPSequence] == [
        image.SOPInstanceUID for image in images
    ]


def test_what_we_do_not_keep_is_reported_with_its_reason(start: Start) -> None:
    pacs = Pacs(free_port())
    node, images = start(peers=pacs.peers), ct_series(slices=3)
    send(node.port, images)
    first, second, third = (image.SOPInstanceUID for image in images)
    next(file for file in node.files() if third in file.name).unlink()

    ask(node, [(CT, first), (MR, second), (CT, third), (CT, "1.2.3.4")])
    with pacs.listening():
        answer_duties(node.index, node.config)

    ((event_type, report),) = pacs.reports
    assert event_type == 2
    assert [item.ReferencedSOPInstanceUID for item in report.ReferencedSOPSequence] == [first]
    assert {item.ReferencedSOPInstanceUID: item.FailureReason for item in report.FailedSOPSequence} == {
        second: 0x0119,
        third: 0x0110,
        "1.2.3.4": 0x0112,
    }


def test_a_report_that_is_not_taken_is_sent_again(start: Start) -> None:
    pacs = Pacs(free_port())
    node = start(peers=pacs.peers, deliver={"first_retry_s": 0.001})
    ask(node, [(CT, "1.2.3.4")])

    assert answer_duties(node.index, node.config) == 0
    pacs.status = 0x0110
    with pacs.listening():
        assert answer_duties(node.index, node.config) == 0
        pacs.status = SUCCESS
        assert answer_duties(node.index, node.config) == 1

    with node.index.snapshot() as session:
        (duty,) = session.scalars(select(CommitmentDutyRow)).all()
        assert duty.answered_s is not None
        assert duty.attempts == 3


def test_a_peer_that_we_cannot_report_to_is_told_so_at_once(start: Start) -> None:
    node = start()

    status, _ = ask(node, [(CT, "1.2.3.4")], calling="UNKNOWN")

    assert status == 0x0124
    assert "no [peers] entry with AE title UNKNOWN" in node.refusals()[0].reason


def test_a_peers_report_on_its_own_association_with_reversed_roles_is_taken(start: Start) -> None:
    node = start()
    report, item = Dataset(), Dataset()
    report.TransactionUID = generate_uid()
    item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID = CT, "1.2.3.4"
    report.ReferencedSOPSequence = [item]
    ae = Caller("PACS")
    ae.add_requested_context(StorageCommitmentPushModel)

    role = build_role(StorageCommitmentPushModel, scp_role=True)
    association = ae.associate("127.0.0.1", node.port, ae_title="DICOMNODE", ext_neg=[role])
    answer, _ = association.send_n_event_report(
        report, 1, StorageCommitmentPushModel, StorageCommitmentPushModelInstance
    )
    association.release()

    assert answer.Status == SUCCESS
    assert [taken.TransactionUID for taken in node.reports] == [report.TransactionUID]
