"""Make the gallery: `python -m tests.gallery [FOLDER [NAME ...]]`; pages of the PDFs need pdftoppm (`make peers`)."""

import subprocess
import sys
import tempfile
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

from PIL import Image
from pydicom import dcmread

from dicomnode.encode.context import Encoded
from dicomnode.values import Role
from tests.gallery.exhibits import EXHIBITS, Exhibit

GALLERY = Path(__file__).parents[2] / "deploy" / "docs" / "gallery"
WIDTH, QUALITY, DPI = 1067, 82, 76
"""Of the pictures as they are kept: small, and near enough to what a viewer shows."""


def main(folder: Path, names: list[str]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for exhibit in EXHIBITS:
        if not names or any(exhibit.name.startswith(name) for name in names):
            for name, picture in pictures_of(exhibit):
                keep(picture, folder / f"{exhibit.name}{name}.jpg")


def pictures_of(exhibit: Exhibit) -> Iterator[tuple[str, Image.Image]]:
    """The Secondary Capture, and each page of the PDF, as a receiver reads them."""
    with tempfile.TemporaryDirectory() as scratch:
        for one in exhibit.make(Path(scratch)):
            if one.role is Role.SC:
                picture = Image.fromarray(dcmread(BytesIO(one.content)).pixel_array)
                yield "", picture.resize((WIDTH, picture.height * WIDTH // picture.width), Image.Resampling.LANCZOS)
            elif one.role is Role.PDF:
                yield from pages_of(one, Path(scratch))


def pages_of(one: Encoded, scratch: Path) -> Iterator[tuple[str, Image.Image]]:
    (scratch / "report.pdf").write_bytes(dcmread(BytesIO(one.content)).EncapsulatedDocument)
    subprocess.run(["pdftoppm", "-r", str(DPI), "-png", "report.pdf", "page"], cwd=scratch, check=True)
    for number, page in enumerate(sorted(scratch.glob("page*.png")), 1):
        yield f"_page_{number}", Image.open(page).convert("RGB")


def keep(picture: Image.Image, path: Path) -> None:
    picture.save(path, quality=QUALITY, subsampling=0, optimize=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else GALLERY, sys.argv[2:])
