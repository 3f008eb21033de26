"""Make the gallery: `python -m tests.gallery FOLDER [NAME ...]`."""

import sys
import tempfile
from io import BytesIO
from pathlib import Path

from PIL import Image
from pydicom import dcmread

from dicomnode.values import Role
from tests.gallery.exhibits import EXHIBITS, Exhibit


def main(folder: Path, names: list[str]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for exhibit in EXHIBITS:
        if not names or any(exhibit.name.startswith(name) for name in names):
            show(exhibit, folder)


def show(exhibit: Exhibit, folder: Path) -> None:
    with tempfile.TemporaryDirectory() as scratch:
        made = exhibit.make(Path(scratch))
    for one in made:
        dataset = dcmread(BytesIO(one.content))
        if one.role is Role.SC:
            Image.fromarray(dataset.pixel_array).save(folder / f"{exhibit.name}.png", optimize=True)
        elif one.role is Role.PDF:
            (folder / f"{exhibit.name}.pdf").write_bytes(dataset.EncapsulatedDocument)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
