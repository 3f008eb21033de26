"""The parts of OHIF as a reader uses them: the study list, the series of a study, the viewport, the panels."""

import re
import time
from collections.abc import Callable
from io import BytesIO

import numpy as np
from PIL import Image
from playwright.sync_api import Locator, Page

from tests.acceptance.viewer.bench import PATIENCE_MS, Desk
from tests.acceptance.viewer.pixels import Box, Picture

POLL_S = 0.3
IMAGES = 20
"""More than any of the phantoms has."""
LAYER = "svg.svg-layer"
DRAWN = """() => [...document.querySelectorAll('canvas.cornerstone-canvas')].some(canvas => {
    const copy = document.createElement('canvas'); copy.width = copy.height = 64;
    const context = copy.getContext('2d'); context.drawImage(canvas, 0, 0, 64, 64);
    const data = context.getImageData(0, 0, 64, 64).data; let lit = 0;
    for (let i = 0; i < data.length; i += 4) if (data[i] + data[i + 1] + data[i + 2] > 60) lit++;
    return lit > 100; })"""
"""Whether an image is on the screen."""
LABELS = """() => [...document.querySelectorAll('svg.svg-layer text')].map(
    text => [...text.querySelectorAll('tspan')].map(line => line.textContent).join('\\n') || text.textContent)"""
OUTLINES = """() => [...document.querySelectorAll('svg.svg-layer polyline, svg.svg-layer polygon, svg.svg-layer path')]
    .map(line => line.getAttribute('points') || line.getAttribute('d'))"""


def until(condition: Callable[[], bool], what: str, timeout_s: float = PATIENCE_MS / 1000) -> None:
    """Wait until something is so, or fail with what was expected."""
    end = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < end, f"{what}: not within {timeout_s:g} s"
        time.sleep(POLL_S)


class StudyList:
    """OHIF's first page."""

    def __init__(self, desk: Desk) -> None:
        self.page = desk.page
        desk.open("/")
        self.page.get_by_text("Study List").first.wait_for()

    def row(self, patient: str) -> str:
        """The row of one patient, column after column."""
        row = self.page.locator("tr", has_text=patient).first
        row.wait_for()
        return " ".join(row.inner_text().split())


class StudyPage:
    """One study in the viewer."""

    def __init__(self, desk: Desk, study_uid: str) -> None:
        self.page = desk.page
        desk.open(f"/viewer?StudyInstanceUIDs={study_uid}")
        self.page.wait_for_function(DRAWN, polling=POLL_S * 1000)
        self.viewport = Viewport(self.page)

    def series(self) -> list[str]:
        """What the study browser lists: modality and description of each series."""
        found = self.page.locator("[data-cy^=study-browser-thumbnail]")
        found.first.wait_for()
        return [" ".join(text.split()) for text in found.all_inner_texts()]

    def show(self, modality: str, description: str = "") -> None:
        """Open the series of a modality, as a reader does, with a double click."""
        label = self.page.locator("[data-cy=series-modality-label]", has_text=re.compile(f"^{modality}$"))
        listed = self.page.locator("[data-cy^=study-browser-thumbnail]", has=label, has_text=description)
        listed.first.dblclick()

    def panel(self, name: str) -> Locator:
        """The panel at the right, opened: panelSegmentation or trackedMeasurements."""
        self.page.locator(f"[data-cy={name}-btn]").click()
        return self.page.locator("[data-cy=data-row]")

    def choose(self, row: Locator) -> None:
        """Click a row of a panel, and take the pointer away from what would open under it."""
        row.click()
        self.page.mouse.move(20, 20)

    def save_report(self) -> None:
        """Store the measurements as a report, with the dialog's own proposals."""
        self.page.get_by_text("Create SR").click()
        self.page.locator("[data-cy=input-dialog-save-button]").click()

    def words(self) -> str:
        """Every word on the page."""
        return " ".join(self.page.inner_text("body").split())


class Viewport:
    """The one viewport of the page."""

    def __init__(self, page: Page) -> None:
        self.page = page

    def instance(self) -> int:
        """Instance Number of the image on the screen."""
        text = self.page.locator("[data-cy=viewport-overlay-bottom-right]").inner_text()
        found = re.search(r"I:\s*(\d+)", text)
        return int(found.group(1)) if found else 0

    def window(self) -> tuple[int, int]:
        """Window width and level."""
        text = self.page.locator("[data-cy=viewport-overlay-bottom-left]").inner_text()
        width, level = re.findall(r"-?\d+", text)[:2] or (0, 0)
        return int(width), int(level)

    def labels(self) -> str:
        """What is written beside the drawn contours."""
        return "\n".join(self.page.evaluate(LABELS))

    def outlines(self) -> list[Box]:
        """Boxes around the drawn contours."""
        return [_box(points) for points in self.page.evaluate(OUTLINES) if points]

    def next_finding(self) -> None:
        """Press the arrow that goes on to the next finding."""
        self.page.locator("[data-cy=viewport-action-arrows-right]").click()

    def scroll_until(self, condition: Callable[[Picture], bool]) -> None:
        """Turn the wheel, image after image, until the picture is as wanted."""
        place = self.page.locator(LAYER).first.bounding_box()
        assert place is not None, "there is no viewport"
        self.page.mouse.move(place["x"] + place["width"] / 2, place["y"] + place["height"] / 2)
        for _ in range(IMAGES):
            if condition(self.picture()):
                return
            self.page.mouse.wheel(0, 100)
        raise AssertionError("no image is as wanted")

    def pull_out(self, outline: Box, *, by_px: float) -> None:
        """Draw the right side of an outline further out, between a third and two thirds of its height."""
        place = self.page.locator(LAYER).first.bounding_box()
        assert place is not None, "there is no viewport"
        height = outline.bottom - outline.top
        upper, lower = (place["y"] + outline.top + part * height for part in (0.35, 0.65))
        edge = place["x"] + outline.right
        mouse = self.page.mouse
        mouse.move(edge, upper)
        mouse.down()
        for x, y in ((edge + by_px, upper), (edge + by_px, lower), (edge - 4, lower)):
            mouse.move(x, y, steps=15)
        mouse.up()

    def picture(self) -> Picture:
        """The viewport, once nothing moves in it any more."""
        seen = self._picture()
        for _ in range(40):
            time.sleep(POLL_S)
            again = self._picture()
            if np.array_equal(seen, again):
                return again
            seen = again
        raise AssertionError("the viewport does not come to rest")

    def _picture(self) -> Picture:
        place = self.page.locator(LAYER).first.bounding_box()
        assert place is not None, "there is no viewport"
        shot = self.page.screenshot(clip=place)
        return np.asarray(Image.open(BytesIO(shot)).convert("RGB"), np.int16)


def _box(points: str) -> Box:
    numbers = [float(number) for number in re.findall(r"-?\d+(?:\.\d+)?", points)]
    across, down = numbers[::2], numbers[1::2]
    return Box(min(across), min(down), max(across), max(down))
