"""Studies in an archive of their own."""

from collections.abc import Sequence
from pathlib import Path

from pydicom import Dataset
from sqlalchemy import select

from dicomnode.config.tables import Config
from dicomnode.index.schema import DeliveryRow, InstanceRow, ResultRow, RunRow, StudyRow
from dicomnode.receive.intake import Arrival, Intake, Limits
from dicomnode.receive.refusals import Refusals
from tests.index_made import index_made
from tests.phantom import encoded


class Archive:
    """An index and a state folder, filled as the receiver fills them."""

    def __init__(self, state: Path, *, url: str = "", **storage: object) -> None:
        settings = {"keep_days": 10.0, "keep_free_bytes": 0, **storage}
        tables = {"node": {"state": str(state)}, "storage": settings, "index": {"url": url}}
        self.config = Config.model_validate(tables)
        self.state = state
        self.index = index_made(self.config.index_url)
        limits = Limits(reserve_bytes=0, instance_bytes=1 << 24)
        self.intake = Intake(state, self.index, Refusals(self.index), limits)

    def receive(self, images: Sequence[Dataset], *, calling: str = "PACS") -> list[int]:
        return [self._receive(image, calling) for image in images]

    def _receive(self, image: Dataset, calling: str) -> int:
        raw = encoded(image)
        syntax = str(image.file_meta.TransferSyntaxUID)
        said = Arrival(str(image.SOPClassUID), str(image.SOPInstanceUID), syntax, calling, "127.0.0.1")
        incoming = self.intake.begin(said)
        incoming.write(raw[144 + int.from_bytes(raw[140:144], "little") :])
        return incoming.keep()

    def files(self) -> list[Path]:
        return sorted(self.state.rglob("*.dcm"))

    def instances(self) -> list[InstanceRow]:
        with self.index.snapshot() as session:
            return list(session.scalars(select(InstanceRow).order_by(InstanceRow.instance_key)).all())

    def studies(self) -> list[StudyRow]:
        with self.index.snapshot() as session:
            return list(session.scalars(select(StudyRow).order_by(StudyRow.study_key)).all())

    def study(self) -> StudyRow:
        (only,) = self.studies()
        return only

    def age(self, study_key: int, last_received_s: float, state: str = "decided") -> None:
        """Let a study have arrived then, and be decided."""
        with self.index.transaction() as session:
            row = session.get_one(StudyRow, study_key)
            row.last_received_s, row.state = last_received_s, state

    def run(self, study_key: int, status: str, key: str = "run") -> None:
        with self.index.transaction() as session:
            session.add(
                RunRow(
                    run_key=key, study_key=study_key, model="m", model_digest="d", series_uid="1.2", profile="standard",
                    priority="routine", destinations=["pacs"], status=status, created_s=0.0,
                )
            )  # fmt: skip

    def result(self, sop_instance_uid: str, delivery: str, key: str = "run") -> None:
        """A result of a run, and where its delivery stands."""
        with self.index.transaction() as session:
            session.add(
                ResultRow(
                    sop_instance_uid=sop_instance_uid, run_key=key, role="SR", sop_class_uid="1.2", series_uid="1.2",
                    study_uid="1.2", transfer_syntax_uid="1.2", file="outbox/x", digest="d", created_s=0.0,
                )
            )  # fmt: skip
            session.flush()
            row = DeliveryRow(sop_instance_uid=sop_instance_uid, destination="pacs", status=delivery, queued_s=0.0)
            session.add(row)
