"""The web process: /healthz, /readyz and /metrics on loopback."""

import json
import threading
from collections.abc import Callable
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import structlog
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from sqlalchemy.exc import SQLAlchemyError

from dicomnode import __version__
from dicomnode.config.tables import Config
from dicomnode.index.database import Index
from dicomnode.serve.beats import Heart
from dicomnode.web.metrics import registry
from dicomnode.web.snapshot import Snapshot, snapshot

log = structlog.get_logger()

OK, NOT_FOUND, UNAVAILABLE = 200, 404, 503
Look = Callable[[], Snapshot]
Answer = tuple[int, str, bytes]


def run_web(config: Config, index: Index, stop: threading.Event) -> None:
    """Answer until `stop` is set.

    Raises:
        OSError: the port is taken.
    """
    server = make_server(config, index)
    served = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.2}, name="web", daemon=True)
    served.start()
    try:
        with Heart(index, "web", alive=served.is_alive) as heart:
            host, port = server.server_address[:2]
            log.info("web.ready", host=str(host), port=port)
            heart.ready(f"health and metrics on {host!s}:{port}")
            stop.wait()
    finally:
        server.shutdown()
        served.join()
        server.server_close()


def make_server(config: Config, index: Index) -> ThreadingHTTPServer:
    """A server bound to the configured address; port 0 is not possible in config, but in tests."""
    look = partial(snapshot, config, index)
    server = ThreadingHTTPServer((config.web.host, config.web.port), partial(Handler, look, registry(look)))
    server.daemon_threads = True
    return server


class Handler(BaseHTTPRequestHandler):
    """One request. Only GET exists, and no path takes a parameter."""

    server_version = f"dicomnode/{__version__}"
    sys_version = ""
    timeout = 10.0
    """A client that says nothing for so long is dropped."""

    def __init__(self, look: Look, metrics: CollectorRegistry, *args: object) -> None:
        self._answers: dict[str, Callable[[], Answer]] = {
            "/healthz": partial(_health, look),
            "/readyz": partial(_readiness, look),
            "/metrics": partial(_metrics, metrics),
        }
        super().__init__(*args)  # type: ignore[arg-type]

    def do_GET(self) -> None:
        """Answer a GET."""
        try:
            status, kind, body = self._answers.get(self.path.partition("?")[0], _nothing_here)()
        except (SQLAlchemyError, OSError) as fault:
            log.exception("web.unanswered", path=self.path)
            status, kind, body = _as_json(UNAVAILABLE, {"status": "fault", "why": [type(fault).__name__]})
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Cache-Control", "no-store")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing of each request: probes come every few seconds."""


def _health(look: Look) -> Answer:
    """The process lives and can read the index."""
    look()
    return _as_json(OK, {"status": "ok", "version": __version__})


def _readiness(look: Look) -> Answer:
    """Every part that a study needs is there."""
    faults = look().faults()
    return _as_json(UNAVAILABLE if faults else OK, {"status": "not ready" if faults else "ready", "why": list(faults)})


def _metrics(metrics: CollectorRegistry) -> Answer:
    return OK, CONTENT_TYPE_LATEST, generate_latest(metrics)


def _nothing_here() -> Answer:
    return _as_json(NOT_FOUND, {"status": "not found", "why": ["there are /healthz, /readyz and /metrics"]})


def _as_json(status: int, content: dict[str, object]) -> Answer:
    return status, "application/json", json.dumps(content).encode()
