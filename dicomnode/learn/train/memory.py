"""What a job has found out so far, in its folder: a job that was killed does not work out anything twice."""

import json
from collections.abc import Callable
from pathlib import Path

from dicomnode.learn.train.checkpoint import write_whole

FILE = "found.json"


class Memory:
    """Results by name; of one order alone."""

    def __init__(self, folder: Path, stamp: str, *, writes: bool) -> None:
        self._path, self._stamp, self._writes = folder / FILE, stamp, writes
        self._found = self._read()

    def remembered(self, name: str, work_out: Callable[[], float]) -> float:
        """The result of a name, worked out where it is not known yet."""
        if name not in self._found:
            self._found[name] = work_out()
            if self._writes:
                text = json.dumps({"stamp": self._stamp, "found": self._found}).encode()
                write_whole(self._path, lambda file: file.write(text))
        return self._found[name]

    def _read(self) -> dict[str, float]:
        try:
            told = json.loads(self._path.read_text(encoding="utf-8"))
            return {str(k): float(v) for k, v in told["found"].items()} if told["stamp"] == self._stamp else {}
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return {}
