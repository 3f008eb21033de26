"""`dicomnode bench encode`: a label map of 512×512×300 with 10 segments as a SEG, beside dcmqi's itkimage2segimage.

Both read the same 300 CT files and the same label map and write one file, in turns, in a process each.
Ours is warm as in the node (its imports are idle); dcmqi starts in milliseconds.
"""

import json
import os
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from dicomnode.bench.encoding_made import MASKS, write_study
from dicomnode.errors import ConfigFault
from dicomnode.scratch import scratch_folder

PEER = "itkimage2segimage"
TIMES_THE_MASK = 3.0
"""Most memory above the idle process, in label maps."""


@dataclass(frozen=True)
class Encoded:
    """One SEG made."""

    maker: str
    mask: str
    seconds: float
    peak_bytes: int
    """Above the idle process, the label map included."""
    idle_bytes: int
    mask_bytes: int
    file_bytes: int

    @property
    def times_the_mask(self) -> float:
        """Peak memory in label maps."""
        return self.peak_bytes / self.mask_bytes


@dataclass(frozen=True)
class Compared:
    """Ours beside dcmqi on one label map."""

    mask: str
    ours: tuple[Encoded, ...]
    theirs: tuple[Encoded, ...]

    @property
    def seconds(self) -> tuple[float, float]:
        """Median of each."""
        ours, theirs = (statistics.median(one.seconds for one in made) for made in (self.ours, self.theirs))
        return ours, theirs

    @property
    def times_the_mask(self) -> float:
        """Our largest peak, in label maps."""
        return max(one.times_the_mask for one in self.ours)

    @property
    def reached(self) -> bool:
        """Faster than dcmqi, with less memory than the target."""
        ours, theirs = self.seconds
        return ours < theirs and self.times_the_mask < TIMES_THE_MASK


def measure(repeats: int, told: Callable[[str], None]) -> list[Compared]:
    """Each label map, so many times each, in turns.

    Raises:
        ConfigFault: dcmqi is not installed, or one of the two makes no SEG.
    """
    if shutil.which(PEER) is None:
        raise ConfigFault([f"{PEER} is not installed (PyPI dcmqi)"])
    found = []
    with scratch_folder() as folder:
        for mask in MASKS:
            told(f"writing the study, {mask}")
            study = write_study(folder / mask.replace(" ", "-"), mask)
            pairs = [(_ours(study, mask), _theirs(study, mask)) for _ in range(repeats)]
            ours, theirs = zip(*pairs, strict=True)
            found.append(Compared(mask, ours, theirs))
    return found


def _ours(folder: Path, mask: str) -> Encoded:
    command = [sys.executable, "-m", "dicomnode.bench.encoding_ours", str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise ConfigFault([f"our own encoder failed: {done.stderr[-300:]}"])
    return Encoded(maker="dicomnode", mask=mask, **json.loads(done.stdout))


def _theirs(folder: Path, mask: str) -> Encoded:
    out = folder / "theirs.dcm"
    arguments = ["--inputImageList", "mask.nrrd", "--inputDICOMDirectory", "images", "--inputMetadata", "segments.json"]
    began_s = time.monotonic()
    process = subprocess.Popen(
        [PEER, *arguments, "--outputDICOM", out.name], cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    _, status, used = os.wait4(process.pid, 0)
    seconds = time.monotonic() - began_s
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode or not out.exists():
        raise ConfigFault([f"{PEER} made no SEG"])
    sizes = {"mask_bytes": (folder / "mask.raw").stat().st_size, "file_bytes": out.stat().st_size}
    return Encoded("dcmqi", mask, seconds, used.ru_maxrss * 1024, 0, **sizes)
