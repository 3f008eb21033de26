"""Volumes through the bundle's own preprocessing, with their labels: what `train` and `answer` read.

Done in a child process, since a bundle is code. The pixels are those that the bundle gets when it answers a study,
bit for bit: the same function makes them.
"""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.numpy import load_file
from safetensors.torch import save

from dicomnode.archive.files import write_whole
from dicomnode.bundles.digest import digest
from dicomnode.errors import ModelFault
from dicomnode.full_disk import is_full
from dicomnode.infer.bundle import Bundle, load_bundle
from dicomnode.infer.child import named
from dicomnode.infer.grid import network_input
from dicomnode.infer.protocol import Ask
from dicomnode.learn.orders import PrepareOrder, Raw
from dicomnode.learn.sets.label_grid import boxes_on_grid, mask_on_grid
from dicomnode.learn.sets.thumbnails import thumbnail_text
from dicomnode.values import Volume

THUMBNAIL = "thumbnail"
"""Key in the file's metadata: what near-duplicates are found by."""


def prepare(order: PrepareOrder, folder: Path, say: Callable[[dict[str, object]], None]) -> dict[str, object]:
    """Make every item of an order that is not there yet.

    Returns:
        "made": how many; "failed": file to the reason in words, of those that could not be made.

    Raises:
        ModelFault: the bundle is not the approved one, or cannot be loaded.
        OSError: the disk is full.
    """
    if (found := digest(order.bundle)) != order.digest:
        raise ModelFault(f"bundle {order.bundle.name} has digest {found[:12]}…, approved is {order.digest[:12]}…")
    if order.threads:
        torch.set_num_threads(order.threads)
    bundle = load_bundle(order.bundle)
    failed: dict[str, str] = {}
    for n, raw in enumerate(order.raw, 1):
        if not Path(raw.made).exists() and (why := _attempt(bundle, folder, raw)):
            failed[raw.made] = why
        say({"stage": "prepare", "done": n, "of": len(order.raw)})
    return {"made": len(order.raw) - len(failed), "failed": failed}


def prepared(
    bundle: Bundle, volume: Volume, mask: NDArray[np.uint8] | None = None, boxes: NDArray[np.float32] | None = None
) -> dict[str, torch.Tensor]:
    """The tensors of one item.

    Args:
        bundle: whose preprocessing is used.
        volume: on its own grid.
        mask: (slice, row, column) on that grid.
        boxes: (box, 6) on that grid: from (slice, row, column) to (slice, row, column).

    Returns:
        "image" (channel, ...) float32; "mask" (...) uint8; "boxes" (box, 2 × axes) float32, as MONAI's detectors take
        them, on the image's grid.

    Raises:
        ModelFault: a label's place on the image cannot be told.
    """
    image = network_input(bundle, volume)
    made = {"image": image.as_tensor().float().contiguous()}
    if mask is not None:
        made["mask"] = mask_on_grid(bundle, volume, image, mask).contiguous()
    if boxes is not None:
        made["boxes"] = boxes_on_grid(bundle, volume, image, boxes).contiguous()
    return made


def _attempt(bundle: Bundle, folder: Path, raw: Raw) -> str:
    """Make one item; why it could not be, in words."""
    try:
        _make(bundle, folder / raw.file, raw)
    except Exception as fault:
        if is_full(fault):
            raise
        return str(named(fault))
    return ""


def _make(bundle: Bundle, file: Path, raw: Raw) -> None:
    told = load_file(file)
    ask = Ask(told["voxels"], told["affine_lps"], raw.has_geometry, saliency=False, research=False)
    made = prepared(bundle, ask.volume(), told.get("mask"), told.get("boxes"))
    if "labels" in told:
        made["labels"] = torch.from_numpy(told["labels"])
    write_whole(Path(raw.made), save(made, {THUMBNAIL: thumbnail_text(made["image"])}))
