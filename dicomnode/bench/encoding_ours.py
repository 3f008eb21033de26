"""One SEG made by the node's own encoder in a process of its own: `python -m dicomnode.bench.encoding_ours FOLDER`."""

import json
import sys
import time
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydicom import Dataset

from dicomnode.bench.encoding_made import PIXEL_MM, SEGMENTS, SIDE, SLICES, SPACING_MM
from dicomnode.bundles.dicom_toml import About, Code, DicomToml, Kind, Segment, SeriesRules
from dicomnode.config.tables import Node
from dicomnode.encode.context import Context, Encoded
from dicomnode.encode.regions import Region, Regions
from dicomnode.encode.segmentation import segmentation
from dicomnode.encode.source import sources_of
from dicomnode.encode.tracking import Structure, Tracking
from dicomnode.encode.uids import derived_uid
from dicomnode.values import Frame, ModelVersion, Priority, Role, Run, Study, Volume

STRUCTURE = Code(value="123037004", scheme="SCT", meaning="Anatomical Structure")
MADE_AT = datetime(2026, 3, 4, 11, 30, 15)


def main(folder: Path) -> None:
    """Encode the folder's label map beside its images; print what it took, as JSON."""
    _warm()
    idle_bytes = _resident_bytes("VmRSS")
    began_s = time.monotonic()
    labels = np.fromfile(folder / "mask.raw", np.uint8).reshape(SLICES, SIDE, SIDE)
    content = _encoded(sorted((folder / "images").iterdir()), labels)
    (folder / "ours.dcm").write_bytes(content)
    seconds = time.monotonic() - began_s
    figures = {"seconds": seconds, "idle_bytes": idle_bytes, "peak_bytes": _resident_bytes("VmHWM") - idle_bytes}
    print(json.dumps(figures | {"mask_bytes": labels.nbytes, "file_bytes": len(content)}))


def _encoded(paths: Sequence[Path], labels: NDArray[np.uint8]) -> bytes:
    sources = sources_of(paths, SPACING_MM)
    rules = _rules()
    study_uid = str(sources.headers[0].StudyInstanceUID)
    model = ModelVersion("bench", "1", "ab" * 32, derived_uid("bench"), Path("bench"))
    run = Run("cd" * 32, Study(1, study_uid, ()), model, "standard", Priority.ROUTINE, ())
    context = Context(run, rules, Node(), MADE_AT, sources, ())
    seg = segmentation(context, _volume(paths, sources.headers, labels), labels, _regions(rules))
    return Encoded(Role.SEG, seg).content


def _volume(paths: Sequence[Path], headers: Sequence[Dataset], labels: NDArray[np.uint8]) -> Volume:
    """The grid alone: a SEG needs no values."""
    frames = tuple(
        Frame(str(header.SOPInstanceUID), str(header.SOPClassUID), None, path)
        for path, header in zip(paths, headers, strict=True)
    )
    values, affine = np.broadcast_to(np.float32(0), labels.shape), np.diag([PIXEL_MM, PIXEL_MM, SPACING_MM, 1.0])
    first = headers[0]
    return Volume(values, affine, frames, str(first.SeriesInstanceUID), str(first.FrameOfReferenceUID), True)


def _rules() -> DicomToml:
    about = About(
        name="bench",
        kind=Kind.SEGMENTATION,
        title="Bench",
        intended_use="a measurement",
        procedure=STRUCTURE,
        site=STRUCTURE,
    )
    segments = tuple(
        Segment(index=n, label=f"Structure {n}", category=STRUCTURE, type=STRUCTURE) for n in range(1, SEGMENTS + 1)
    )
    return DicomToml(model=about, series=SeriesRules(modalities=("CT",)), segments=segments)


def _regions(rules: DicomToml) -> Regions:
    """Every segment as found; measuring it is no part of encoding."""
    structures = (Structure(s, Tracking(s.label, derived_uid("bench", s.label))) for s in rules.segments)
    box, centre_mm = (slice(0), slice(0), slice(0)), (0.0, 0.0, 0.0)
    found = (Region(s, n, 1, 0.0, 0.0, box, centre_mm, None) for n, s in enumerate(structures, 1))
    return Regions(tuple(found), ())


def _warm() -> None:
    """What a process of the node has loaded long ago: the encoder's tables."""
    from highdicom._standard_utils import get_iod_module_map, get_module_attribute_map

    get_iod_module_map()
    get_module_attribute_map()
    Path("/proc/self/clear_refs").write_text("5")  # the highest figure counts from here, proc(5)


def _resident_bytes(which: str) -> int:
    """Resident memory now ("VmRSS") or at its highest ("VmHWM"), proc(5)."""
    lines = Path("/proc/self/status").read_text().splitlines()
    (line,) = (line for line in lines if line.startswith(f"{which}:"))
    return int(line.split()[1]) * 1024


if __name__ == "__main__":
    main(Path(sys.argv[1]))
