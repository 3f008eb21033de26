"""`dicomnode bench receive --big`: the receiver's peak memory while one large multi-frame instance comes in."""

from dataclasses import dataclass
from pathlib import Path

from dicomnode.bench import receivers, sender
from dicomnode.bench.images import write_multi_frame
from dicomnode.scratch import scratch_folder

FRAMES = 954
"""Of 0.5 MB each: 500 MB."""
TARGET_BYTES = 300 * 1000 * 1000


@dataclass(frozen=True)
class Peak:
    """One receiver's memory."""

    receiver: str
    instance_bytes: int
    peak_bytes: int
    seconds: float

    @property
    def reached(self) -> bool:
        """Whether it stayed below the target."""
        return self.peak_bytes < TARGET_BYTES


def measure(frames: int = FRAMES) -> list[Peak]:
    """Peak resident memory of our receiver process, on pynetdicom's path and on the fast one."""
    with scratch_folder() as folder:
        image = folder / "image"
        image.mkdir()
        size = write_multi_frame(image / "large.dcm", frames)
        return [_peak(folder / str(fast), image, size, fast) for fast in (False, True)]


def _peak(folder: Path, image: Path, size: int, fast: bool) -> Peak:
    folder.mkdir()
    variables = {"TCP_NODELAY": "1"}
    with receivers.node(folder, variables, fast=fast, processes=1) as running:
        seconds = sender.send_s(running, [image], variables)
        return Peak(running.name, size, _peak_bytes(running.pids[0]), seconds)


def _peak_bytes(pid: int) -> int:
    """Most memory a process ever had resident (VmHWM, proc(5))."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    (line,) = (line for line in lines if line.startswith("VmHWM:"))
    return int(line.split()[1]) * 1024
