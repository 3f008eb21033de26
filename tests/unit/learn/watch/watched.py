"""Studies as a version saw them, in an index."""

import numpy as np
from sqlalchemy.orm import Session

from dicomnode.index.learning import EmbeddingRow, LabelRow
from dicomnode.index.schema import InstanceRow, RunInstanceRow, RunRow, SeriesRow, StudyRow
from dicomnode.learn.values import LabelState, Source, What
from dicomnode.values import RunStatus

MODEL, FINDING = "chest_xray", "Pneumonia"
DAY_S = 86400.0
HEADER = {"Manufacturer": "ACME", "ManufacturerModelName": "One", "KVP": "120", "ViewPosition": "PA"}


def answered(
    session: Session,
    number: int,
    at_s: float,
    *,
    header: dict[str, str] | None = None,
    percent: int = 20,
    embedding: list[float] | None = None,
    summary: dict[str, object] | None = None,
    reader: float | None = None,
) -> None:
    """One study, its run, what it looked like, and what a reader said of it."""
    where = "above" if percent >= 50 else "below"
    session.add(StudyRow(study_key=number, study_uid=f"1.{number}", first_received_s=at_s, last_received_s=at_s))
    session.flush()
    session.add(SeriesRow(series_key=number, study_key=number, series_uid=f"1.{number}.1"))
    session.flush()
    session.add(
        InstanceRow(
            instance_key=number, study_key=number, series_key=number, sop_instance_uid=f"1.{number}.1.1",
            sop_class_uid="1.2", transfer_syntax_uid="1.2", content_digest="", file=str(number), size_bytes=1,
            received_s=at_s, header=header or HEADER,
        )
    )  # fmt: skip
    session.add(
        RunRow(
            run_key=f"run{number}", study_key=number, model=MODEL, model_digest="d1", series_uid=f"1.{number}.1",
            profile="standard", priority="ROUTINE", destinations=[], status=RunStatus.DONE, created_s=at_s,
            summary=summary or {FINDING: f"{percent} % ({where} the threshold of 50 %)"},
        )
    )  # fmt: skip
    session.flush()
    session.add(RunInstanceRow(run_key=f"run{number}", instance_key=number))
    if embedding is not None:
        session.add(EmbeddingRow(run_key=f"run{number}", numbers=embedding))
    if reader is not None:
        session.add(
            LabelRow(
                state=LabelState.ATTACHED, study_key=number, study_uid=f"1.{number}", model=MODEL, output=0,
                what=What.PRESENCE, value=reader, source=Source.SR, made_s=at_s, at_s=at_s, object_uid=f"o{number}",
            )
        )  # fmt: skip


def fill(session: Session, now_s: float, *, shift: float = 0.0, header: dict[str, str] | None = None) -> None:
    """60 studies of a year ago, and 60 of the last days whose images look otherwise by `shift` spreads."""
    random = np.random.default_rng(3)
    for number in range(120):
        recent = number >= 60
        at_s = now_s - (2 * DAY_S if recent else 365 * DAY_S) + number
        numbers = random.normal(shift if recent else 0.0, 1.0, 8).round(4).tolist()
        percent = int(np.clip(random.normal(30, 10), 1, 49))
        answered(session, number + 1, at_s, percent=percent, embedding=numbers, header=header if recent else None)
