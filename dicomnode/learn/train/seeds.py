"""The same order twice gives the same candidate, bit for bit, on the same machine."""

import os
import random
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import torch


@dataclass
class Ran:
    """How something ran."""

    deterministic: bool = True
    """False where an operation has no repeatable way on this device."""


@contextmanager
def repeatable(seed: int) -> Iterator[Ran]:
    """Seed everything, and use repeatable operations wherever there are any."""
    ran, before = Ran(), torch.are_deterministic_algorithms_enabled()
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    random.seed(seed)
    np.random.seed(seed % (1 << 32))
    torch.manual_seed(seed)
    torch.use_deterministic_algorithms(True, warn_only=True)
    try:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            yield ran
        ran.deterministic = not any("deterministic" in str(warning.message) for warning in caught)
    finally:
        torch.use_deterministic_algorithms(before)
