"""A report by HL7 v2 becomes labels once; what is wrong with a message is said, and nothing is lost silently."""

import asyncio
import base64
import socket
from collections.abc import Iterator
from pathlib import Path

import hl7
import pytest
from hl7.mllp import open_hl7_connection
from sqlalchemy import select
from sqlalchemy.orm import Session

from dicomnode.config.learning import Hl7
from dicomnode.index.database import Index
from dicomnode.index.learning import HarvestedRow, LabelRow
from dicomnode.index.schema import InstanceRow, SeriesRow, StudyRow
from dicomnode.learn.harvest.attaching import attach
from dicomnode.learn.reports.hl7.answer import Answering
from dicomnode.learn.reports.hl7.frames import Frame, frames
from dicomnode.learn.reports.hl7.listen import Listener
from dicomnode.learn.reports.hl7.message import read_message
from dicomnode.learn.split.keys import require_split_key
from dicomnode.learn.split.merge import merge_ids
from tests.phantom import dx_image
from tests.unit.learn.reports.reports_made import LEARN, oru, study

PRESENT, ABSENT = 1.0, 0.0


@pytest.fixture
def answering(index: Index, tmp_path: Path) -> Answering:
    return Answering(index, LEARN, tmp_path)


def told(answering: Answering, message: str | bytes, **frame: object) -> tuple[str, str]:
    """Code and words of the acknowledgment."""
    raw = message.encode() if isinstance(message, str) else message
    ack = hl7.parse(answering.answer(Frame(raw, **frame)).decode("latin-1"))
    return str(ack.segment("MSA")[1]), str(ack.segment("MSA")[3])


def labels(index: Index, *states: str) -> dict[int, tuple[float | None, str]]:
    """Value and state of the standing labels by output; of all, where no state is named."""
    with index.snapshot() as session:
        rows = session.scalars(select(LabelRow).where(LabelRow.state.in_(states or ("attached", "waiting")))).all()
    return {row.output: (row.value, row.state) for row in rows}


def test_a_report_becomes_labels_of_its_study_without_its_text(index: Index, answering: Answering) -> None:
    with index.transaction() as session:
        study(session)

    assert told(answering, oru()) == ("AA", "2 label(s)")

    assert labels(index) == {0: (ABSENT, "attached"), 1: (PRESENT, "attached")}
    with index.snapshot() as session:
        row = session.scalars(select(LabelRow).where(LabelRow.output == 1)).one()
    assert (row.study_uid, row.source, row.who, row.weight) == ("1.2.3", "report", "english 1", 0.3)
    assert row.rule.startswith("pleural effusion present at 16-32 of text ")
    assert "M1" not in row.object_uid
    assert row.accession_number == ""


def test_the_same_message_again_is_accepted_and_changes_nothing(index: Index, answering: Answering) -> None:
    first = told(answering, oru())
    again = told(answering, oru())

    assert (first[0], again) == ("AA", ("AA", "known already"))
    assert labels(index) == {0: (ABSENT, "waiting"), 1: (PRESENT, "waiting")}


def test_a_report_of_an_unknown_study_waits_for_it(index: Index, answering: Answering, tmp_path: Path) -> None:
    told(answering, oru())
    with index.transaction() as session:
        study(session)
        attach(session, tmp_path)

    assert labels(index) == {0: (ABSENT, "attached"), 1: (PRESENT, "attached")}


def test_a_corrected_report_replaces_and_one_taken_back_withdraws(index: Index, answering: Answering) -> None:
    told(answering, oru(at="20260101"))
    told(answering, oru("FINDINGS: Pneumonia.", control_id="M2", status="C", at="20260102"))
    assert labels(index) == {0: (PRESENT, "waiting")}

    late = told(answering, oru(control_id="M3", at="20251231"))
    assert late == ("AA", "a newer version of the report is here already")

    gone = told(answering, oru(control_id="M4", status="D", at="20260103"))
    assert gone == ("AA", "the report is taken back: 1 label(s) withdrawn")
    assert labels(index) == {}


@pytest.mark.parametrize("late", [True, False])
def test_a_report_that_names_another_patient_is_refused_as_a_label_also_when_its_study_comes_late(
    index: Index, answering: Answering, tmp_path: Path, late: bool
) -> None:
    if not late:
        with index.transaction() as session:
            study(session)
    said = told(answering, oru(patient="P2"))
    if late:
        with index.transaction() as session:
            study(session)
            attach(session, tmp_path)

    assert {state for _, state in labels(index, "refused").values()} == {"refused"}
    assert labels(index) == {}
    assert (said[1] == "2 label(s) are refused: its source names another patient than the study does") is not late


def test_the_issuer_of_an_id_is_compared_where_the_images_tell_it(index: Index, tmp_path: Path) -> None:
    file = tmp_path / "image.dcm"
    image = dx_image()
    image.PatientID, image.IssuerOfPatientID = "P1", "OTHER"
    image.save_as(file, enforce_file_format=True)
    with index.transaction() as session:
        with_image(session, study(session), str(file))

    told(Answering(index, LEARN, tmp_path), oru())
    assert set(labels(index, "refused")) == {0, 1}

    known = LEARN.model_copy(update={"hl7": Hl7(issuers={"HOSPITAL": "OTHER"})})
    told(Answering(index, known, tmp_path), oru(control_id="M2", at="20260103"))
    assert labels(index) == {0: (ABSENT, "attached"), 1: (PRESENT, "attached")}


def with_image(session: Session, row: StudyRow, file: str) -> None:
    """One instance of a study, which lies there."""
    series = SeriesRow(study_key=row.study_key, series_uid="1.2.3.1")
    session.add(series)
    session.flush()
    session.add(
        InstanceRow(
            study_key=row.study_key, series_key=series.series_key, sop_instance_uid="1.2.3.1.1", sop_class_uid="c",
            transfer_syntax_uid="t", content_digest="d", file=file, size_bytes=1, received_s=1.0, header={},
        )
    )  # fmt: skip


def test_a_visit_number_is_no_patient_id_and_an_old_sender_names_the_patient_in_another_field() -> None:
    def ids(pid: str) -> list[tuple[str, tuple[str, ...]]]:
        (report,) = read_message(oru().replace("PID|||P1^^^HOSPITAL|", pid).encode(), "utf-8").reports
        return [(one.patient_id, one.issuers) for one in report.of]

    assert ids('PID|||V9^^^H^AN~P1^^^H&1.2.3&ISO^MR~""|') == [("P1", ("H", "1.2.3"))]
    assert ids('PID||P1^^^H|""|') == [("P1", ("H",))]
    assert ids("PID|||A\\T\\B|") == [("A&B", ())]


def test_each_report_of_a_message_has_the_patient_and_the_study_that_stand_with_it(
    index: Index, answering: Answering
) -> None:
    with index.transaction() as session:
        study(session, uid="1.2.3", patient="P1")
        study(session, uid="1.2.4", patient="P2", accession="A2")
        study(session, uid="1.2.5", patient="P2", accession="A5")
    second = oru("Pneumonia.", patient="P2", accession="A2", more="ZDS|1.2.4\r").partition("\r")[2]
    third = oru("No pneumonia.", accession="").partition("\r")[2].partition("\r")[2]

    told(answering, oru(accession="", more="ZDS|1.2.3\r") + second + third + "ZDS|1.2.5\r")

    with index.snapshot() as session:
        rows = session.scalars(select(LabelRow)).all()
    assert sorted((row.study_uid, row.output, row.value, row.state) for row in rows) == [
        ("1.2.3", 0, ABSENT, "attached"), ("1.2.3", 1, PRESENT, "attached"), ("1.2.4", 0, PRESENT, "attached"),
        ("1.2.5", 0, ABSENT, "attached"),
    ]  # fmt: skip


def test_a_report_of_another_patient_under_the_same_number_replaces_and_takes_back_nothing(
    index: Index, answering: Answering
) -> None:
    told(answering, oru(at="20260102"))
    told(answering, oru("Pneumonia.", control_id="M2", patient="P2", at="20260101"))
    told(answering, oru(control_id="M3", patient="P2", at="20260103", status="D"))

    assert labels(index) == {0: (ABSENT, "waiting"), 1: (PRESENT, "waiting")}


def test_a_report_is_taken_back_under_the_id_that_its_patient_was_merged_into(
    index: Index, answering: Answering, tmp_path: Path
) -> None:
    told(answering, oru(at="20260102"))
    with index.transaction() as session:
        merge_ids(session, require_split_key(session, tmp_path), ("HOSPITAL", "P1"), ("HOSPITAL", "P2"))

    gone = told(answering, oru(control_id="M2", patient="P2", at="20260103", status="D"))

    assert gone == ("AA", "the report is taken back: 2 label(s) withdrawn")


@pytest.mark.parametrize(
    ("charset", "codec"),
    [("UNICODE UTF-8", "utf-8"), ("~ISO IR87", "iso2022_jp"), ("", "iso2022_jp"), ("", "utf-8")],
)
def test_japanese_is_read_in_the_encodings_of_hospitals(
    index: Index, answering: Answering, charset: str, codec: str
) -> None:
    message = oru("【所見】右胸水を認める。肺炎は否定できない。", charset=charset).encode(codec)

    assert told(answering, message) == ("AA", "2 label(s)")

    assert labels(index) == {0: (None, "waiting"), 1: (PRESENT, "waiting")}


def test_text_comes_as_formatted_text_and_as_encapsulated_text() -> None:
    inside = base64.b64encode(b"No pneumonia.").decode()
    formatted = "OBX|2|FT|GDT||Heart \\T\\ lungs:\\.br\\clear\\X41\\||||||F\r"
    more = f"{formatted}OBX|3|ED|GDT||^TEXT^PLAIN^Base64^{inside}||||||F\r"

    (report,) = read_message(oru("One~Two", more=more).encode(), "utf-8").reports

    assert report.text == "One\nTwo\nHeart & lungs:\nclearA\nNo pneumonia."


def test_the_study_is_found_by_its_uid_before_any_number(index: Index, answering: Answering) -> None:
    with index.transaction() as session:
        study(session, uid="1.2.9", accession="OTHER")

    told(answering, oru(accession="", more="ZDS|1.2.9^^Application^DICOM\r"))

    assert labels(index) == {0: (ABSENT, "attached"), 1: (PRESENT, "attached")}


@pytest.mark.parametrize(
    ("message", "code", "words"),
    [
        (b"", "AE", "does not begin with an MSH"),
        (b"\x00\xff" * 100, "AE", "does not begin with an MSH"),
        (b"MSH|^~\\&|A|B|C|D|2026||ADT^A01|7|P|2.5\r", "AR", "only ORU R01"),
        (b"MSH|^~\\&|A|B|C|D|2026||ORU^R01|7|P|2.5\r", "AE", "no OBR"),
        (oru(charset="KLINGON").encode(), "AE", "is not known"),
        (oru("胸水").encode("cp932"), "AE", "bytes that are no utf-8"),
        (oru(accession="").encode(), "AE", "names no study"),
        (oru(patient="").encode(), "AE", "names no patient"),
        (oru("x" * 300_000).encode(), "AE", "longer than"),
        (oru("\\.sp999999999\\\\X4\\").encode(), "AA", "no text in it"),
    ],
)
def test_what_is_wrong_with_a_message_is_said(answering: Answering, message: bytes, code: str, words: str) -> None:
    said = told(answering, message)

    assert said[0] == code
    assert words in said[1]


def test_a_report_that_is_a_picture_is_accepted_and_the_reason_kept(index: Index, answering: Answering) -> None:
    message = oru().replace("|TX|", "|ED|").replace("FINDINGS: ", "^AP^PDF^Base64^")

    assert told(answering, message) == ("AA", "no text in it (value types: ED)")

    with index.snapshot() as session:
        assert "ED" in " ".join(session.scalars(select(HarvestedRow.reason)))


def test_an_index_that_cannot_be_written_is_no_acceptance(tmp_path: Path) -> None:
    unmade = Index(f"sqlite:///{tmp_path}/empty.sqlite")  # without tables

    code, words = told(Answering(unmade, LEARN, tmp_path), oru())

    assert (code, words) == ("AR", "it could not be kept (OperationalError): send it again")
    unmade.close()


class Stream:
    """Bytes that come in pieces of one size."""

    def __init__(self, data: bytes, piece: int) -> None:
        self._data, self._piece = data, piece

    async def read(self, n: int) -> bytes:
        given, self._data = self._data[: self._piece], self._data[self._piece :]
        return given


@pytest.mark.parametrize("piece", [1, 7, 100_000])
def test_frames_are_found_whatever_stands_between_them(piece: int) -> None:
    data = b"noise\x0bone\x1c\r\x1c\r\x0bhalf \x0btwo\x1crest\x1c\r\x0b" + b"MSH" + b"x" * 9000 + b"\x1c\r\x0bend"

    async def read() -> list[Frame]:
        return [frame async for frame in frames(Stream(data, piece), 6000)]

    one, half, two, large, end = asyncio.run(read())
    assert (one.message, one.stray) == (b"one", 5)
    assert (half.message, half.half) == (b"half ", True)
    assert (two.message, two.oversized) == (b"two\x1crest", False)
    assert (large.message[:4], large.oversized, large.half) == (b"MSHx", True, False)
    assert (end.message, end.half) == (b"end", True)


@pytest.fixture
def listener(answering: Answering) -> Iterator[Listener]:
    settings = Hl7(enabled=True, port=free_port(), max_message_bytes=100_000)
    listening = Listener(settings, answering)
    yield listening
    listening.stop()


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def test_a_connection_outlives_bad_messages(listener: Listener, index: Index) -> None:
    async def converse() -> list[str]:
        reader, writer = await open_hl7_connection("127.0.0.1", listener.port, encoding="utf-8")
        codes = []
        for message in (b"rubbish", oru("x" * 10_000_000).encode(), oru().encode()):
            writer.writeblock(message)
            await writer.drain()
            codes.append(str((await reader.readmessage()).segment("MSA")[1]))
        writer.write(b"\x0bMSH|half")
        writer.close()
        await writer.wait_closed()
        return codes

    assert asyncio.run(converse()) == ["AE", "AR", "AA"]
    assert labels(index) == {0: (ABSENT, "waiting"), 1: (PRESENT, "waiting")}


def test_an_address_that_is_not_allowed_is_hung_up_on(answering: Answering) -> None:
    listening = Listener(Hl7(enabled=True, port=free_port(), networks=("192.0.2.0/24",)), answering)
    try:
        with socket.create_connection(("127.0.0.1", listening.port)) as peer:
            assert peer.recv(1) == b""
    finally:
        listening.stop()
