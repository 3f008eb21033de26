"""The receiver as a process of its own."""

import os
import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

import pytest
from sqlalchemy import select

from dicomnode.index.database import Index
from dicomnode.index.schema import BeatRow, InstanceRow
from tests.integration.receive.loopback import SUCCESS, free_port, send, wait_for
from tests.integration.receive.wire import raw_association, receive_pdu, store_pdus
from tests.phantom import SUBJECT, ct_series

PROGRAM = """
import sys, threading, signal
from pathlib import Path
from dicomnode.config.load import load
from dicomnode.index.database import Index
from dicomnode.receive.serve import run_receiver
heavy = [name for name in ("torch", "monai", "highdicom") if name in sys.modules]
assert not heavy, f"the receiver imports {heavy}"
stop = threading.Event()
signal.signal(signal.SIGTERM, lambda *_: stop.set())
config = load(Path(sys.argv[1]))
index = Index(config.index_url)
index.migrate()
run_receiver(config, index, int(sys.argv[2]), stop)
heavy = [name for name in ("torch", "monai", "highdicom") if name in sys.modules]
assert not heavy, f"the receiver imports {heavy}"
"""


@contextmanager
def receiver(
    folder: Path, port: int, *, number: int = 0, fast: bool = True, limit: str = ""
) -> Iterator[subprocess.Popen]:
    """A receiver process; stopped at the end where it still runs."""
    config = folder / "config.toml"
    config.write_text(f"[receive]\nport = {port}\nreserve_bytes = 0\nfast = {str(fast).lower()}\n{limit}")
    process = subprocess.Popen([sys.executable, "-c", PROGRAM, str(config), str(number)])
    try:
        assert wait_for(lambda: beats(folder, process.pid), 30)
        yield process
    finally:
        process.terminate()
        process.wait(30)


def beats(folder: Path, pid: int) -> bool:
    """Whether a receiver says that it runs."""
    database = folder / "state" / "index.sqlite"
    if not database.exists():
        return False
    with closing(sqlite3.connect(database)) as connection, suppress(sqlite3.OperationalError):
        return bool(connection.execute("select 1 from beats where pid = ? and note like '%on 127%'", [pid]).fetchall())
    return False


@pytest.mark.parametrize("fast", [False, True], ids=["reactor", "fast"])
def test_the_receiver_runs_without_torch_beats_and_stops_when_told(tmp_path: Path, fast: bool) -> None:
    port = free_port()
    with receiver(tmp_path, port, fast=fast) as process:
        index = Index(f"sqlite:///{tmp_path / 'state' / 'index.sqlite'}")
        assert send(port, ct_series(slices=2)) == [SUCCESS] * 2
        with index.snapshot() as session:
            assert [row.process for row in session.scalars(select(BeatRow)).all()] == ["receive-0"]
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0
        index.close()
    told = "".join(file.read_text() for file in (tmp_path / "state" / "audit").glob("*"))
    assert all(word in told for word in ("Application Start", "DICOM Instances Transferred", "PACS", SUBJECT.study_uid))
    assert SUBJECT.patient_id not in told


@pytest.mark.parametrize("fast", [False, True], ids=["reactor", "fast"])
def test_what_was_acknowledged_survives_a_kill_and_the_rest_can_be_sent_again(tmp_path: Path, fast: bool) -> None:
    port, images = free_port(), ct_series(slices=40, rows=64, columns=64)
    acknowledged: list[str] = []
    with receiver(tmp_path, port, fast=fast) as process:
        killer = threading.Timer(0.25, lambda: os.kill(process.pid, signal.SIGKILL))
        with raw_association(port) as caller:
            killer.start()
            for image in images:
                if not answered(caller, image):
                    break
                acknowledged.append(image.SOPInstanceUID)
        killer.join()

    index = Index(f"sqlite:///{tmp_path / 'state' / 'index.sqlite'}")
    with index.snapshot() as session:
        rows = {row.sop_instance_uid: row for row in session.scalars(select(InstanceRow)).all()}
    index.close()
    assert set(acknowledged) <= set(rows)
    assert all((tmp_path / "state" / row.file).stat().st_size == row.size_bytes for row in rows.values())
    with receiver(tmp_path, port, fast=fast):
        assert send(port, images) == [SUCCESS] * len(images)


def answered(caller, image) -> bool:
    try:
        for pdu in store_pdus(image):
            caller.sendall(pdu)
        return receive_pdu(caller)[:1] == b"\x04"
    except OSError:
        return False


@pytest.mark.parametrize("fast", [False, True], ids=["reactor", "fast"])
def test_two_receivers_share_a_port_and_lose_nothing(tmp_path: Path, fast: bool) -> None:
    port, series = free_port(), [ct_series(slices=10, name=f"CT {n}") for n in range(4)]
    with receiver(tmp_path, port, fast=fast) as one, receiver(tmp_path, port, number=1, fast=fast) as two:
        answers: list[int] = []
        threads = [
            threading.Thread(target=lambda images=images: answers.extend(send(port, images))) for images in series
        ]
        for thread in [*threads, threading.Thread(target=lambda: answers.extend(send(port, series[0])))]:
            thread.start()
        assert wait_for(lambda: len(answers) == 50, 60)
        assert (one.poll(), two.poll()) == (None, None)

    index = Index(f"sqlite:///{tmp_path / 'state' / 'index.sqlite'}")
    with index.snapshot() as session:
        rows = session.scalars(select(InstanceRow)).all()
    index.close()
    assert answers == [SUCCESS] * 50
    assert len(rows) == len({row.sop_instance_uid for row in rows}) == 40


@pytest.mark.parametrize("fast", [False, True], ids=["reactor", "fast"])
def test_a_multi_frame_of_half_a_gigabyte_is_taken_with_less_than_300_mb(tmp_path: Path, fast: bool) -> None:
    port, image = free_port(), ct_series(slices=1)[0]
    image.NumberOfFrames, image.Rows, image.Columns = 1000, 512, 512
    with receiver(tmp_path, port, fast=fast) as process:
        with raw_association(port) as caller:
            send_large(caller, image, 500 << 20)
            assert receive_pdu(caller)[:1] == b"\x04"
        peak_kb = next(
            int(line.split()[1])
            for line in Path(f"/proc/{process.pid}/status").read_text().splitlines()
            if line.startswith("VmHWM")
        )
    assert peak_kb < 300 * 1024


def send_large(caller, image, pixel_bytes: int) -> None:
    """A C-STORE whose pixel data is made on the way, so that this process stays small too."""
    image.PixelData = b"\0\0"
    *_, last = pdus = store_pdus(image)
    assert len(pdus) == 2
    command, body = pdus[0], bytearray(last[12:-2])
    body[-4:] = pixel_bytes.to_bytes(4, "little")
    caller.sendall(command + pdu(bytes(body), last=False))
    part = bytes(131072 - 12)
    whole, rest = divmod(pixel_bytes, len(part))
    for number in range(whole):
        caller.sendall(pdu(part, last=not rest and number == whole - 1))
    if rest:
        caller.sendall(pdu(bytes(rest), last=True))


def pdu(data: bytes, *, last: bool) -> bytes:
    """P-DATA-TF with one PDV of a data set (PS3.8 9.3.5)."""
    pdv = (len(data) + 2).to_bytes(4, "big") + bytes([1, 2 if last else 0]) + data
    return b"\x04\0" + len(pdv).to_bytes(4, "big") + pdv
