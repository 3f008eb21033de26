"""The network's forward pass: on the best device there is, in smaller pieces when memory runs out."""

import copy
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

import torch
from monai.inferers import Inferer, SlidingWindowInferer
from torch import Tensor

from dicomnode.errors import DeviceBusy, ModelFault
from dicomnode.infer.faults import OutOfMemory

WINDOW_STEP = 32
"""Smaller windows are multiples of this, which suits networks with up to five halvings."""


@dataclass(frozen=True)
class Rung:
    """One way to run the network; each next one needs less memory."""

    device: torch.device
    windows: int | None = None
    """Windows at once; None: as the bundle says."""
    window: tuple[int, ...] | None = None
    """Size of a window; None: as the bundle says."""
    stitch_on_cpu: bool = False
    note: str = ""
    """What a reader should know."""


class Forward:
    """A network on a device, for one prediction at a time."""

    def __init__(self, network: torch.nn.Module, inferer: Inferer, device: torch.device, *, allow_cpu: bool) -> None:
        self.network, self.inferer = network, inferer
        self.device, self.allow_cpu = device, allow_cpu
        self.mixed_precision = False
        self.begin((1,))

    def begin(self, shape: tuple[int, ...]) -> None:
        """Start a prediction of an image of this spatial shape: the way the bundle says."""
        self._rungs = rungs(self.inferer, shape, self.device, allow_cpu=self.allow_cpu)
        self._rung = next(self._rungs)
        self.notes: tuple[str, ...] = ()

    def __call__(self, image: Tensor) -> Tensor:
        """Output of the network for (1, channel, ...), float32, on the CPU.

        Raises:
            OutOfMemory: even the smallest way needs too much.
        """
        return _plain(_first(self._tried(image)))

    def boxes(self, image: Tensor) -> dict[str, Tensor]:
        """What a detector says of one image (1, channel, ...): boxes, labels and scores, on the CPU.

        Raises:
            OutOfMemory: even the smallest way needs too much.
            ModelFault: it gives something else.
        """
        found = _first(self._tried(image))
        if not isinstance(found, Mapping):
            raise ModelFault(f"the detector gave a {type(found).__name__}, not boxes with labels and scores")
        return {str(key): _plain(value) for key, value in found.items()}

    def _tried(self, image: Tensor) -> object:
        """The network's output, in the first way for which there is memory."""
        while True:
            try:
                return self._run(image)
            except (RuntimeError, MemoryError) as fault:
                if not is_out_of_memory(fault):
                    raise
            self._step_down()  # outside the handler: the traceback holds the tensors

    @property
    def on(self) -> torch.device:
        """The device that is used now."""
        return self._rung.device

    def _run(self, image: Tensor) -> object:
        rung = self._rung
        self.network.to(rung.device)
        accelerated = rung.device.type != "cpu"
        with torch.no_grad(), torch.autocast(rung.device.type, enabled=self.mixed_precision and accelerated):
            return _fitted(self.inferer, rung)(image.to(rung.device), self.network)

    def _step_down(self) -> None:
        rung = next(self._rungs, None)
        if self._rung.device.type == "cuda":
            torch.cuda.empty_cache()
        if rung is None:
            raise OutOfMemory(self.notes)
        self._rung, self.notes = rung, (*self.notes, rung.note)


def _first(output: object) -> object:
    """Of the images of a batch, or of several outputs, the first."""
    return output[0] if isinstance(output, list | tuple) else output


def _plain(output: object) -> Tensor:
    return torch.as_tensor(output).detach().float().cpu()


def device_of(wanted: str, *, allow_cpu: bool) -> tuple[torch.device, str]:
    """The device to run on, and a note where it is not the wanted one.

    Raises:
        DeviceBusy: the wanted accelerator is not there, and the CPU is not allowed.
    """
    if wanted == "auto":
        return torch.device("cuda:0" if torch.cuda.is_available() else "cpu"), ""
    device = torch.device(wanted)
    if device.type != "cuda" or (device.index or 0) < torch.cuda.device_count():
        return device, ""
    if not allow_cpu:
        raise DeviceBusy(f"device {wanted} is not there (driver, or the device is lost), and infer.allow_cpu is false")
    return torch.device("cpu"), f"ran on the CPU: device {wanted} is not there"


def is_out_of_memory(fault: BaseException) -> bool:
    """Whether a device or the machine had no memory left; the CPU's allocator raises a plain RuntimeError."""
    return isinstance(fault, torch.OutOfMemoryError | MemoryError) or "DefaultCPUAllocator" in str(fault)


def rungs(inferer: Inferer, shape: tuple[int, ...], device: torch.device, *, allow_cpu: bool) -> Iterator[Rung]:
    """Ways to run, from the bundle's own down: fewer windows at once, smaller windows, the CPU."""
    first = Rung(device)
    yield first
    if isinstance(inferer, SlidingWindowInferer):
        yield from _smaller(inferer, shape, first)
    if device.type != "cpu" and allow_cpu:
        yield Rung(torch.device("cpu"), note="ran on the CPU after out-of-memory on the accelerator")


def _smaller(inferer: SlidingWindowInferer, shape: tuple[int, ...], rung: Rung) -> Iterator[Rung]:
    windows = int(inferer.sw_batch_size)
    if windows > 1:
        note = f"windows at once reduced from {windows} to 1 after out-of-memory"
        rung = replace(rung, windows=1, note=note)
        yield rung
    if rung.device.type != "cpu":
        rung = replace(rung, stitch_on_cpu=True, note="windows stitched on the CPU after out-of-memory")
        yield rung
    window = _whole(inferer.roi_size, shape)
    while (smaller := tuple(_halved(size) for size in window)) != window:
        note = f"window reduced from {_spoken(window)} to {_spoken(smaller)} after out-of-memory"
        window, rung = smaller, replace(rung, window=smaller, note=note)
        yield rung


def _whole(roi_size: object, shape: tuple[int, ...]) -> tuple[int, ...]:
    """The window's size in full: MONAI writes a number for all axes, and -1 or None for the whole axis."""
    sizes = tuple(roi_size) if isinstance(roi_size, list | tuple) else (roi_size,) * len(shape)
    return tuple(
        size if isinstance(size, int) and size > 0 else whole for size, whole in zip(sizes, shape, strict=True)
    )


def _halved(size: int) -> int:
    return min(size, max(WINDOW_STEP, math.ceil(size / 2 / WINDOW_STEP) * WINDOW_STEP))


def _spoken(window: tuple[int, ...]) -> str:
    return " × ".join(map(str, window))


def _fitted(inferer: Inferer, rung: Rung) -> Inferer:
    if not isinstance(inferer, SlidingWindowInferer) or (rung.windows or rung.window or rung.stitch_on_cpu) in (
        None,
        False,
    ):
        return inferer
    fitted = copy.copy(inferer)
    fitted.sw_batch_size = rung.windows or inferer.sw_batch_size
    fitted.roi_size = rung.window or inferer.roi_size
    fitted.roi_weight_map = None if rung.window else inferer.roi_weight_map
    if rung.stitch_on_cpu:
        fitted.sw_device, fitted.device = rung.device, torch.device("cpu")
    return fitted
