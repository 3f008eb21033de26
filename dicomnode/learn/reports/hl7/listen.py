"""`dicomnode hl7`: the listener for reports. A process of its own, without torch."""

import asyncio
import ipaddress
import socket
import threading
from concurrent.futures import Future

import structlog

from dicomnode.audit import AuditTrail
from dicomnode.config.learning import Hl7
from dicomnode.config.tables import Config
from dicomnode.index.database import Index
from dicomnode.learn.reports.hl7.answer import Answering
from dicomnode.learn.reports.hl7.frames import END, START, frames
from dicomnode.serve.beats import Heart

log = structlog.get_logger()

MOST_CONNECTIONS = 64
START_S = 10.0


def run_hl7(config: Config, index: Index, stop: threading.Event) -> None:
    """Listen until told to stop.

    Raises:
        OSError: the port cannot be listened on.
    """
    listener = Listener(config.learn.hl7, Answering(index, config.learn, config.node.state))
    AuditTrail.of(config).started("hl7")
    try:
        with Heart(index, "hl7", alive=listener.is_alive) as heart:
            where = f"{config.learn.hl7.host}:{listener.port}"
            log.info("hl7.listening", where=where)
            heart.ready(f"reports on {where}")
            stop.wait()
    finally:
        listener.stop()


class Listener:
    """An open port. Messages of one connection are answered in their order."""

    def __init__(self, settings: Hl7, answering: Answering) -> None:
        """Listen.

        Raises:
            OSError: the port is taken.
        """
        self._networks = tuple(ipaddress.ip_network(one, strict=False) for one in settings.networks)
        self._settings, self._answering = settings, answering
        self._socket = socket.create_server((settings.host, settings.port))
        self.port = int(self._socket.getsockname()[1])
        self._open: set[asyncio.Task[None]] = set()
        self._started: Future[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = Future()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()), name="hl7", daemon=True)
        self._thread.start()
        self._loop, self._ended = self._started.result(START_S)

    def is_alive(self) -> bool:
        """Whether it still listens."""
        return self._thread.is_alive()

    def stop(self) -> None:
        """End. A message that is being kept stays kept; its unanswered sender may send it again without harm."""
        if self.is_alive():
            self._loop.call_soon_threadsafe(self._ended.set)
            self._thread.join(START_S)

    async def _serve(self) -> None:
        ended = asyncio.Event()
        server = await asyncio.start_server(self._connected, sock=self._socket)
        self._started.set_result((asyncio.get_running_loop(), ended))
        await ended.wait()
        server.close()
        for task in tuple(self._open):
            task.cancel()
        await asyncio.gather(*self._open, return_exceptions=True)

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        if task is None or not self._may_come(writer):
            writer.close()
            return
        self._open.add(task)
        try:
            await self._converse(reader, writer)
        except (ConnectionError, TimeoutError, asyncio.CancelledError) as fault:
            log.info("hl7.connection_lost", reason=type(fault).__name__)
        finally:
            self._open.discard(task)
            writer.close()

    def _may_come(self, writer: asyncio.StreamWriter) -> bool:
        peer = str(writer.get_extra_info("peername", ("",))[0]).partition("%")[0]
        address = ipaddress.ip_address(peer)
        address = getattr(address, "ipv4_mapped", None) or address
        if not any(address in network for network in self._networks):
            log.warning("hl7.refused_address", address=peer)
            return False
        if len(self._open) >= MOST_CONNECTIONS:
            log.warning("hl7.too_many_connections", open=len(self._open))
            return False
        return True

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        async for frame in frames(reader, self._settings.max_message_bytes):
            told = await asyncio.shield(asyncio.to_thread(self._answering.answer, frame))
            if told is not None:
                writer.write(START + told + END)
                await writer.drain()
