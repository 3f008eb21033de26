"""The course of the loop, whatever the model: label, learn, shadow, promote, and be asked again."""

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydicom import Dataset, dcmread
from pydicom.errors import InvalidDicomError
from sqlalchemy import select

from dicomnode.bench.loop.site import READER_AE, Site
from dicomnode.errors import ConfigFault
from dicomnode.index.database import in_parts
from dicomnode.index.learning import LearnedVersionRow, LearningRow

Told = Callable[[str], None]
BATCH = 64
RECEIVE_S, ANALYSE_S = 600.0, 1800.0


@dataclass
class Course:
    """One loop, and what came of it."""

    site: Site
    model: str
    told: Told
    seconds: dict[str, float] = field(default_factory=dict)

    def label(self, images: Sequence[Dataset], labels: Sequence[Dataset]) -> None:
        """Images, then what the reader says of them."""
        began_s = time.monotonic()
        wanted = self.site.instances() + len(images)
        for group in in_parts(images, BATCH):
            self.site.send(group)
        self.site.wait(lambda: self.site.instances() >= wanted, "images are missing", RECEIVE_S)
        known = self.site.labels()
        for group in in_parts(labels, BATCH):
            self.site.send(group, READER_AE)
        self.site.wait(lambda: self.site.labels() > known, "no label was read", RECEIVE_S)
        self.site.wait(self._is_still, "labels keep coming", RECEIVE_S)
        self.told(f"{len(images)} images and {len(labels)} objects of readers: {self.site.labels()} labels")
        self.seconds["label"] = time.monotonic() - began_s

    def learn(self, seconds: float) -> dict[str, Any]:
        """Ask for a candidate and wait for its verdict; what the node keeps of both.

        Raises:
            ConfigFault: none came of it; with why.
        """
        began_s = time.monotonic()
        self.site.command("learn", "now", self.model)
        last = ""
        while (row := self._learning()) is None or row.state in ("waiting", "running"):
            said = f"{row.stage} {row.progress.get('part', '')}" if row else "waits"
            if said != last:
                self.told(said)
            last = said
            if time.monotonic() - began_s > seconds:
                raise ConfigFault(f"no verdict within {seconds:.0f} s")
            time.sleep(1.0)
        self.seconds["learn"] = time.monotonic() - began_s
        if not row.candidate:
            raise ConfigFault(f"no candidate came of it: {row.reason}")
        self.told(row.reason)
        with self.site.index.snapshot() as session:
            version = session.get_one(LearnedVersionRow, row.candidate)
            return {
                "learning": row.job,
                "verdict": version.verdict,
                "version": version.version,
                "digest": version.digest,
                "words": row.reason,
            }

    def analyse(self, images: Sequence[Dataset]) -> None:
        """Studies that the node answers; with its shadow, where there is one."""
        began_s = time.monotonic()
        wanted = self.site.runs("done") + len({str(one.StudyInstanceUID) for one in images})
        for group in in_parts(images, BATCH):
            self.site.send(group)
        self.site.wait(lambda: self.site.runs("done") >= wanted, "results are missing", ANALYSE_S)
        self.site.wait(lambda: not self._shadows_wait(), "the shadow is behind", ANALYSE_S)
        self.seconds["analyse"] = self.seconds.get("analyse", 0.0) + time.monotonic() - began_s

    def promote(self, made: dict[str, Any]) -> str:
        """A named person promotes it; as research, where the gate did not say PROMOTE."""
        research = [] if made["verdict"] == "PROMOTE" else ["--research"]
        who = ["--by", "the bench", "--reason", "to measure what it does"]
        return self.site.command("models", "promote", self.model, made["version"], *who, *research).strip()

    def _is_still(self) -> bool:
        before = self.site.labels()
        time.sleep(5.0)
        return self.site.labels() == before

    def _learning(self) -> LearningRow | None:
        with self.site.index.snapshot() as session:
            return session.scalars(select(LearningRow).order_by(LearningRow.started_s.desc())).first()

    def _shadows_wait(self) -> bool:
        return any(self.site.runs(status, shadow=True) for status in ("queued", "running"))


def reports_in(folder: Path) -> Iterable[Dataset]:
    """Structured reports that a PACS holds, read from its files."""
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        try:
            found = dcmread(path, stop_before_pixels=True)
        except (InvalidDicomError, OSError):
            continue
        if str(found.get("Modality", "")) == "SR":
            yield found
