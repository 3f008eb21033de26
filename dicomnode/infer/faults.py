"""What can go wrong with a model's process, by name.

A process that dies, hangs or runs out of memory is `Transient` at first: another study may have
caused it, and a fresh process may manage. The same input losing its process `ATTEMPTS` times in a
row is `Permanent`: that run is parked, and no other.
"""

from dicomnode.errors import DeviceBusy, ModelFault

ATTEMPTS = 3
"""Processes that one input may lose before its run is parked."""


class WorkerLost(DeviceBusy):
    """The process of a model ended while it worked; a fresh one is starting."""

    def __init__(self, model: str, how: str) -> None:
        super().__init__(f"the process of model {model} {how}; a fresh one is starting")
        self.model, self.how = model, how


class TimedOut(WorkerLost):
    """The process of a model worked longer than it may, and was killed."""

    def __init__(self, model: str, timeout_s: float) -> None:
        super().__init__(model, f"timed out after {timeout_s:g} s and was killed")
        self.timeout_s = timeout_s


class OutOfMemory(DeviceBusy):
    """The device has too little memory, even for the smallest windows that are tried."""

    def __init__(self, tried: tuple[str, ...]) -> None:
        super().__init__(f"out of memory on the device; tried: {', '.join(tried) or 'nothing smaller is possible'}")
        self.tried = tried


class KilledItsWorker(ModelFault):
    """One input lost the model's process every time it was tried."""

    def __init__(self, model: str, attempts: int, how: str) -> None:
        super().__init__(f"this study ended the process of model {model} {attempts} times; the last time it {how}")
        self.model, self.attempts, self.how = model, attempts, how
