"""A PACS with DICOMweb, OHIF in front of it, and one page of a browser: what a radiologist sits before."""

import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, Response, sync_playwright

from tests.acceptance.viewer.served import served
from tests.orthanc import Orthanc, orthanc, require_program

OHIF = Path("/usr/local/share/ohif/dist")
"""Where `make peers` puts it."""
DICOMWEB = Path("/usr/share/orthanc/plugins/libOrthancDicomWeb.so")
PACS = {
    "LuaScripts": [],
    "Plugins": [str(DICOMWEB)],
    "UnknownSopClassAccepted": True,
    "DicomWeb": {
        "Enable": True,
        "Root": "/dicom-web/",
        "EnableWado": True,
        "WadoRoot": "/wado",
        "Ssl": False,
        "StudiesMetadata": "Full",
        "SeriesMetadata": "Full",
    },
}
SOFTWARE_GL = ("--use-angle=swiftshader", "--enable-unsafe-swiftshader", "--ignore-gpu-blocklist")
QUIET = ("--disable-dev-shm-usage", "--disable-background-networking", "--no-first-run")
SCREEN = {"width": 1360, "height": 760}
PATIENCE_MS = 90_000
"""A browser that draws in software, on a machine with other work."""
NO_TOUR = "window.localStorage?.setItem('shownTours', '[\"basicViewerTour\"]')"
"""A page that is being left has no storage any more."""


@dataclass
class Desk:
    """The PACS, and a browser's page that shows what is in it."""

    pacs: Orthanc
    page: Page
    address: str
    artefacts: Path
    faults: list[str] = field(default_factory=list)
    """What the page complained of since the last `open`."""

    def open(self, path: str) -> None:
        """Go to a page of the viewer."""
        self.faults.clear()
        self.page.goto(self.address + path, wait_until="domcontentloaded")

    def picture(self, name: str) -> None:
        """Keep what is on the screen, for people."""
        self.page.screenshot(path=str(self.artefacts / f"{re.sub('[^a-z0-9]+', '-', name.lower())}.png"))


def require_viewer() -> None:
    """Skips by name where a part of the viewer is missing."""
    require_program("chromium")
    for name, place in (("OHIF", OHIF / "index.html"), ("Orthanc's DICOMweb plugin", DICOMWEB)):
        if not place.is_file():
            pytest.skip(f"{name} is not installed (make peers)")


@contextmanager
def desk(folder: Path) -> Iterator[Desk]:
    """A desk with an empty PACS; pictures go to DICOMNODE_ARTEFACTS, or into the folder."""
    require_viewer()
    (folder / "pacs").mkdir()
    artefacts = Path(os.environ.get("DICOMNODE_ARTEFACTS") or folder / "pictures")
    artefacts.mkdir(parents=True, exist_ok=True)
    with orthanc(folder / "pacs", settings=PACS) as pacs, served(OHIF, pacs.http_port) as address, browser() as opened:
        page = opened.new_context(viewport=SCREEN).new_page()
        page.set_default_timeout(PATIENCE_MS)
        page.add_init_script(NO_TOUR)
        made = Desk(pacs, page, address, artefacts)
        listen(page, made.faults)
        yield made


@contextmanager
def browser() -> Iterator[Browser]:
    """Chromium without a window, drawing in software."""
    rights = ("--no-sandbox",) if os.geteuid() == 0 else ()
    with sync_playwright() as driver:
        chromium = driver.chromium.launch(
            executable_path=shutil.which("chromium"), headless=True, args=[*SOFTWARE_GL, *QUIET, *rights]
        )
        try:
            yield chromium
        finally:
            chromium.close()


def listen(page: Page, faults: list[str]) -> None:
    """Note errors of the page and refusals of the PACS."""

    def on_console(message: ConsoleMessage) -> None:
        if message.type == "error":
            faults.append(message.text[:400])

    def on_response(response: Response) -> None:
        if response.status >= 400:
            faults.append(f"{response.status} {response.url[:250]}")

    page.on("console", on_console)
    page.on("pageerror", lambda error: faults.append(str(error)[:400]))
    page.on("response", on_response)
