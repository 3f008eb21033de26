"""OHIF's files and a PACS's DICOMweb behind one origin on loopback, as a hospital's web server would serve them."""

import mimetypes
import posixpath
import threading
import urllib.parse
from collections.abc import Iterator
from contextlib import closing, contextmanager
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

CONFIG = Path(__file__).with_name("app-config.js")
TYPES = {".wasm": "application/wasm", ".js": "text/javascript"}
ISOLATED = {"Cross-Origin-Opener-Policy": "same-origin", "Cross-Origin-Embedder-Policy": "require-corp"}
"""What a browser asks for before it shares memory between OHIF's threads."""
NOT_PASSED_ON = {"connection", "content-length", "accept-encoding"}
UPSTREAM_S = 120.0


class Served(ThreadingHTTPServer):
    """Static files of one folder; what begins with /dicom-web or /wado goes to the PACS."""

    daemon_threads = True

    def __init__(self, dist: Path, pacs_port: int) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.dist, self.pacs_port = dist.resolve(), pacs_port

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def handle_error(self, request: object, client_address: object) -> None:
        """A browser that went on to another page is no error."""


class Handler(BaseHTTPRequestHandler):
    """One connection of the browser."""

    protocol_version = "HTTP/1.1"
    server: Served

    def do_GET(self) -> None:
        path = urllib.parse.urlsplit(self.path).path
        if path.startswith(("/dicom-web", "/wado")):
            self._pass_on()
        else:
            self._serve(path)

    do_HEAD = do_GET  # noqa: N815 (http.server's name)

    def do_POST(self) -> None:
        self._pass_on()

    def log_message(self, format: str, *args: object) -> None:
        """A test says what went wrong itself."""

    def _serve(self, path: str) -> None:
        file = CONFIG if path == "/app-config.js" else self._file(path)
        if file is None:
            self._answer(404, b"not found", "text/plain")
            return
        kind = TYPES.get(file.suffix) or mimetypes.guess_type(file.name)[0] or "application/octet-stream"
        self._answer(200, file.read_bytes(), kind)

    def _file(self, path: str) -> Path | None:
        """The file of a path; the one page where the path is a place within the application."""
        name = posixpath.normpath(urllib.parse.unquote(path)).lstrip("/")
        file = (self.server.dist / name).resolve()
        if file.is_file() and self.server.dist in file.parents:
            return file
        return None if "." in name.rsplit("/", 1)[-1] else self.server.dist / "index.html"

    def _pass_on(self) -> None:
        """Ask the PACS the same, with the browser's Host: the addresses in its answer lead back here."""
        length = int(self.headers.get("Content-Length") or 0)
        body = self.rfile.read(length) if length else None
        headers = {key: value for key, value in self.headers.items() if key.lower() not in NOT_PASSED_ON}
        with closing(HTTPConnection("127.0.0.1", self.server.pacs_port, timeout=UPSTREAM_S)) as pacs:
            pacs.request(self.command, self.path, body=body, headers=headers)
            answer = pacs.getresponse()
            content = answer.read()
        self._answer(answer.status, content, answer.getheader("Content-Type") or "application/octet-stream")

    def _answer(self, status: int, body: bytes, kind: str) -> None:
        self.send_response(status)
        for name, value in {"Content-Type": kind, "Content-Length": str(len(body)), **ISOLATED}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)


@contextmanager
def served(dist: Path, pacs_port: int) -> Iterator[str]:
    """The address of OHIF in front of a PACS, while the block runs."""
    with Served(dist, pacs_port) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield server.address
        finally:
            server.shutdown()
            thread.join()
