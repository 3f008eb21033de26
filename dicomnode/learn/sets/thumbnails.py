"""Small pictures of items, by which near-duplicates are found: as text, in the file's metadata."""

import base64

from torch import Tensor
from torch.nn import functional

FLAT = (16, 16)
DEEP = (8, 8, 8)


def thumbnail_text(image: Tensor) -> str:
    """The first channel of an image (channel, ...) in a few hundred grey values, base64; empty of a blank image."""
    first = image[:1].float()[None]
    small = (
        functional.adaptive_avg_pool2d(first, FLAT) if image.ndim == 3 else functional.adaptive_avg_pool3d(first, DEEP)
    )
    low, high = small.min(), small.max()
    if not bool((high > low).item()):
        return ""
    grey = ((small - low) / (high - low) * 255).round().byte().numpy()
    return base64.b64encode(grey.tobytes()).decode("ascii")
