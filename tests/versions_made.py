"""Versions of a tiny bundle, made in memory from numbers that a reader can predict."""

import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dicomnode.bundles.approval import approve
from dicomnode.config.load import load
from dicomnode.config.tables import Config
from dicomnode.index.database import Index
from dicomnode.index.learning import InUseRow, LearnedVersionRow, ShadowAnswerRow
from dicomnode.index.models import record_approval
from dicomnode.index.schema import StudyRow
from dicomnode.learn.values import Item, Judgement, RuleResult, Split, TrainingSet, Verdict
from dicomnode.learn.versions.in_use import learned_version
from dicomnode.learn.versions.make import make_version
from dicomnode.learn.versions.shadow import end_shadows, note_verdict, start_shadow
from dicomnode.values import ModelVersion
from tests.bundles_made import bundle_made, classification_toml
from tests.index_made import index_made

MODEL = "bright"
CHILDREN = '[domain]\nmin_age_years = 1.0\nmax_age_years = 5.0\nviews = ["AP"]\n'


@dataclass
class Shelf:
    """A state folder with an index and one approved bundle, a classification."""

    config: Config
    index: Index
    base: ModelVersion

    def fitted(self, name: str = "job", weights: bytes = b"weights") -> Path:
        """Folder of a training job that fitted an adapter."""
        folder = self.config.node.state / "learning" / name
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "adapter.safetensors").write_bytes(weights)
        return folder

    def made(
        self,
        weights: bytes = b"weights",
        *,
        scope: str = "",
        parent: str = "",
        items: Iterable[Item] = (),
        **told: Any,
    ) -> LearnedVersionRow:
        """A version whose adapter has these bytes."""
        done: Mapping[str, Any] = {"recipe": "norm", "file": "adapter.safetensors", "seed": 1} | told
        return make_version(
            self.index,
            self.config,
            self.base,
            self.fitted(weights=weights),
            done,
            training_set=training_set(items),
            scope=scope,
            parent=parent or self.base.digest,
        )

    def put_in_use(self, row: LearnedVersionRow, previous: str = "") -> ModelVersion:
        """As `promote` does, without its conditions."""
        with self.index.transaction() as session:
            kept = session.get_one(LearnedVersionRow, row.digest)
            kept.state = "in use"
            version = ModelVersion(row.model, row.version, row.digest, "1.2.3", self.config.node.state / row.folder)
            record_approval(session, version, "a test")
            session.merge(
                InUseRow(
                    model=row.model, scope=row.scope, digest=row.digest, previous=previous, since_s=1.0, by="a test"
                )
            )
            session.flush()
            return learned_version(session, self.config, kept)


def shelf_made(folder: Path, *, domain: str = CHILDREN) -> Shelf:
    """An approved classification of radiographs, evaluated on children, and nothing learnt yet."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.toml").write_text(
        '[node]\nstate = "state"\n[infer]\nfolder = "models"\n[learn.sites]\nNorth = ["CT01"]\n'
    )
    config = load(folder / "config.toml")
    index = index_made(config.index_url)
    toml = classification_toml(MODEL, more=domain).replace('title = "Bright images"', 'title = "Bright (children)"')
    bundle_made(folder / "models", MODEL, "Mean", weights={"a": 1.0}, dicom=toml)
    return Shelf(config, index, approve(index, folder / "models" / MODEL, "a test"))


def training_set(items: Iterable[Item]) -> TrainingSet:
    """A set of these items; its digest is made up."""
    return TrainingSet("5" * 64, MODEL, "b" * 64, "c" * 64, tuple(items), Path("items"))


def patients(count: int, split: Split = Split.TEST, **groups: str) -> tuple[Item, ...]:
    """One item each of so many patients of one kind."""
    kind = "-".join(groups.values())
    return tuple(
        Item(f"{kind}{n}", f"{kind} {n}", f"study {kind} {n}", split, (1.0,), groups=dict(groups)) for n in range(count)
    )


def judged(shelf: "Shelf", row: LearnedVersionRow, verdict: Verdict = Verdict.PROMOTE, *, whole: bool = True) -> None:
    """Have the gate say something of a version; `whole`: its integrity rule held."""
    rules = (RuleResult("G0", 1, whole, "the files are those that were made"),)
    with shelf.index.transaction() as session:
        note_verdict(session, row.digest, Judgement(verdict, rules, "as the test says", 1, 0.0125))


def shadowed(shelf: "Shelf", row: LearnedVersionRow, studies: int = 1) -> None:
    """Have a version go through a shadow period of so many studies, all agreed on."""
    with shelf.index.transaction() as session:
        start_shadow(session, shelf.config, row.digest).studies = studies
        for number in range(studies):
            study = StudyRow(study_uid=f"1.2.{row.digest[:6]}{number}", first_received_s=1.0, last_received_s=1.0)
            session.add(study)
            session.flush()
            key = f"{row.digest[:32]}{number:032}"
            session.add(
                ShadowAnswerRow(
                    run_key=key, study_key=study.study_key, digest=row.digest, in_use="", agrees=True, at_s=1.0
                )
            )
        session.flush()
        end_shadows(session, time.time())
