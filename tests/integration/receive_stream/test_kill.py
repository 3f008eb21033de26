"""What was answered with Success outlives a receiver that is killed at any moment."""

import hashlib
import os
import signal
import socket
from contextlib import suppress
from pathlib import Path

from pydicom import Dataset
from sqlalchemy import select

from dicomnode.bench.receivers import AE_TITLE, node
from dicomnode.index.database import Index
from dicomnode.index.schema import InstanceRow
from tests.integration.receive_stream.peer import data_set, raw_association, status, without_meta
from tests.phantom import ct_series
from tests.unit.receive_stream.wire import pdu, store

KILLED_AFTER = ((3, 0), (5, 700), (4, 30_000))
"""Instances answered, and bytes of the next one sent, when the receiver is killed."""


def test_every_acknowledged_instance_outlives_kill_9(tmp_path: Path, fast: bool) -> None:
    acknowledged: dict[str, str] = {}
    images = iter(ct_series(slices=30, rows=150, columns=150))
    for answered, more in KILLED_AFTER:
        with node(tmp_path, {}, fast=fast, processes=1) as running, raw_association(running.port, AE_TITLE) as peer:
            for _ in range(answered):
                acknowledged |= _stored(peer, next(images))
            with suppress(OSError):
                peer.sendall(_request(next(images))[:more])
            os.kill(running.pids[0], signal.SIGKILL)

    assert len(acknowledged) == 12
    assert acknowledged.items() <= _kept(tmp_path / "state").items()


def _request(image: Dataset) -> bytes:
    return pdu(store(image.SOPInstanceUID, data_set(image)))


def _stored(peer: socket.socket, image: Dataset) -> dict[str, str]:
    """UID and digest of an image that the receiver acknowledged."""
    peer.sendall(_request(image))
    assert status(peer) == 0
    return {str(image.SOPInstanceUID): hashlib.sha256(data_set(image)).hexdigest()}


def _kept(state: Path) -> dict[str, str]:
    """UID and digest, computed anew, of every instance that the index knows."""
    index = Index(f"sqlite:///{state / 'index.sqlite'}")
    with index.transaction() as session:
        rows = session.scalars(select(InstanceRow)).all()
    index.close()
    return {
        row.sop_instance_uid: hashlib.sha256(without_meta((state / row.file).read_bytes())).hexdigest() for row in rows
    }
