"""Light augmentation: a small turn, a little brightness, and a flip only along the axes that the anatomy allows.

An axis may be flipped where dicom.toml names it in [uncertainty] with the method "flips": the bundle was trained so.
"""

import math
from collections.abc import Sequence

from monai.inferers import SlidingWindowInferer
from monai.transforms import (
    RandCropByPosNegLabeld,
    RandFlipd,
    RandRotated,
    RandScaleIntensityd,
    RandStdShiftIntensityd,
    SpatialPadd,
    Transform,
)

from dicomnode.bundles.dicom_toml import Kind, UncertaintyMethod
from dicomnode.infer.bundle import Bundle

LARGEST_TURN = math.radians(10)
CROPS = 2
"""Windows of each volume in one step: as likely around a structure as around background."""


def augmentation(bundle: Bundle) -> list[Transform]:
    """What happens to an item of this bundle each time it is shown in training."""
    if bundle.dicom.model.kind is Kind.DETECTION:
        return _intensity()
    masked = bundle.dicom.model.kind is Kind.SEGMENTATION
    return [*crops(bundle), *_turn(bundle, masked), *_flips(bundle, masked), *_intensity()]


def crops(bundle: Bundle) -> list[Transform]:
    """Of a segmentation, windows of the size that its own inferer uses; none where it takes whole images.

    Many networks take no other sizes: an item goes through none without this.
    """
    size = window(bundle)
    if size is None or bundle.dicom.model.kind is not Kind.SEGMENTATION:
        return []
    keys = ["image", "mask"]
    return [
        SpatialPadd(keys, size),
        RandCropByPosNegLabeld(keys, "mask", size, pos=1, neg=1, num_samples=CROPS, allow_smaller=True, image_key=None),
    ]


def window(bundle: Bundle) -> tuple[int, ...] | None:
    """Size of the inferer's window; -1 along an axis that it takes whole."""
    if not isinstance(bundle.inferer, SlidingWindowInferer):
        return None
    size, axes = bundle.inferer.roi_size, bundle.dicom.series.dimensions
    sizes: Sequence[int] = size if isinstance(size, list | tuple) else (size,) * axes
    return tuple(int(n) if n and n > 0 else -1 for n in sizes)


def _keys(masked: bool) -> list[str]:
    return ["image", "mask"] if masked else ["image"]


def _turn(bundle: Bundle, masked: bool) -> list[Transform]:
    modes = ["bilinear", "nearest"] if masked else ["bilinear"]
    turns = {"range_x": LARGEST_TURN, "prob": 0.5, "padding_mode": "border", "mode": modes}
    if bundle.dicom.series.dimensions == 3:
        turns |= {"range_x": 0.0, "range_z": LARGEST_TURN}  # in the plane of the first two axes
    return [RandRotated(_keys(masked), **turns)]


def _flips(bundle: Bundle, masked: bool) -> list[Transform]:
    told = bundle.dicom.uncertainty
    if told.method is not UncertaintyMethod.FLIPS:
        return []
    last = bundle.dicom.series.dimensions - 1
    axes = sorted({min(axis, last) for axis in told.axes})
    return [RandFlipd(_keys(masked), prob=0.5, spatial_axis=axis) for axis in axes]


def _intensity() -> list[Transform]:
    return [
        RandScaleIntensityd("image", factors=0.1, prob=0.5),
        RandStdShiftIntensityd("image", factors=0.1, prob=0.5),
    ]
