"""The dicomnode command with a clock that the test moves and a model that waits for the test.

NODE_FOLDER holds what the test says: "clock" (seconds to add to the time of day), "go" (once it is there, analyses
end); and what happened: "analysed" (a line when each analysis begins: process, Study Description).
The first analysis of a study called "hangs" fails as if it had.
"""

import os
import sys
import time
from pathlib import Path
from types import TracebackType
from typing import Self

FOLDER = Path(os.environ["NODE_FOLDER"])
real_time = time.time


def moved_time() -> float:
    """The time of day, as the test wants it."""
    try:
        return real_time() + float((FOLDER / "clock").read_text() or 0)
    except (FileNotFoundError, ValueError):
        return real_time()


time.time = moved_time

from dicomnode.cli.app import main  # noqa: E402 - imports of `time` above come first
from dicomnode.config.tables import Infer, ModelSetting  # noqa: E402
from dicomnode.infer.faults import TimedOut  # noqa: E402
from dicomnode.serve import gpu  # noqa: E402
from dicomnode.values import Header, ModelVersion, Prediction, Volume  # noqa: E402
from tests.threshold import Thresholds  # noqa: E402


class Waits(Thresholds):
    """Stands in for the model's process: analyses end once the test says so; those of STAT's own process at once."""

    def __init__(self, _: Infer) -> None:
        self.process = "stat" if "--stat" in sys.argv else "gpu"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, fault: BaseException | None, trace: TracebackType | None
    ) -> None:
        pass

    def start(self, model: ModelVersion, setting: ModelSetting) -> None:
        """Nothing is started."""

    def tidy(self) -> None:
        """Nothing is left behind."""

    def warm(self, model: ModelVersion, setting: ModelSetting) -> None:
        """Nothing is loaded."""

    def predict(self, model: ModelVersion, volume: Volume, header: Header, setting: ModelSetting) -> Prediction:
        with (FOLDER / "analysed").open("a") as analysed:
            analysed.write(f"{self.process} {header.text('StudyDescription')}\n")
        while self.process == "gpu" and not (FOLDER / "go").exists():
            time.sleep(0.02)
        if header.text("StudyDescription") == "hangs" and not (FOLDER / "hung").exists():
            (FOLDER / "hung").touch()
            raise TimedOut(model.name, 600.0)
        return super().predict(model, volume, header, setting)


if __name__ == "__main__":
    gpu.Predictor = Waits  # type: ignore[misc, assignment]
    main()
