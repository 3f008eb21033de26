"""What each labelled study gives a training set: which series, which label, whose, in which split."""

import hashlib
import hmac
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

from sqlalchemy.orm import Session

from dicomnode.bundles.dicom_toml import DicomToml, Kind
from dicomnode.choose.series import choose_series
from dicomnode.config.learning import Learn
from dicomnode.errors import NodeError, Permanent
from dicomnode.index.schema import StudyRow
from dicomnode.index.studies import contents_digest, load_study
from dicomnode.learn.sets.groups import groups_of
from dicomnode.learn.split.keys import study_key_hash
from dicomnode.learn.values import Item, Source, Split
from dicomnode.values import Series, Study

DAY_S = 86400.0


class Labelled(Protocol):
    """The labels of one study, contradictions resolved (`harvest.resolve.Resolved`)."""

    @property
    def study_key(self) -> int:
        """Row of the study."""

    @property
    def patient(self) -> str:
        """Key of the patient, before merges."""

    @property
    def values(self) -> dict[int, float | None]:
        """By output: 1, 0, or None for uncertain."""

    @property
    def mask(self) -> str:
        """Path below the state folder; empty: none."""

    @property
    def boxes(self) -> str:
        """Path below the state folder; empty: none."""

    @property
    def series_uid(self) -> str:
        """That mask or boxes lie on."""

    @property
    def weight(self) -> float:
        """In training."""

    @property
    def assisted(self) -> bool:
        """Its maker had seen our result."""

    @property
    def source(self) -> Source:
        """Lowest in rank of those that contribute."""


class NoItem(Permanent):
    """A labelled study gives no item; the message says why."""


@dataclass(frozen=True)
class Standing:
    """Where a patient stands for one model."""

    patient: str
    """After merges."""
    split: Split
    trained: bool


@dataclass(frozen=True)
class Draft:
    """One item to be."""

    item: Item
    study_key: int
    series: Series
    drawn: str
    """File of its mask or boxes below the state folder; empty: none was drawn."""
    nothing: bool = False
    """A mask or boxes are wanted, and the reader said that there is nothing."""


@dataclass(frozen=True)
class Maker:
    """What every draft of one model needs."""

    state: Path
    secret: bytes
    dicom: DicomToml
    learn: Learn
    preprocessing: str
    scope: str

    def draft(self, session: Session, labelled: Labelled, standing: Standing) -> Draft | None:
        """The item to be of one study; None outside the scope.

        Raises:
            NoItem: it gives none.
            NodeError: a header cannot be used.
        """
        row = session.get(StudyRow, labelled.study_key)
        if row is None or row.state == "held":
            raise NoItem("a person must first settle whose this study is")
        drawn, nothing = self._drawn(labelled)
        series = self._series(load_study(session, self.state, labelled.study_key), labelled if drawn else None)
        groups = groups_of(series.first, self.learn.site_of(series.first))
        if self.scope and f"{self.scope.partition(':')[0]}:{groups.get(self.scope.partition(':')[0])}" != self.scope:
            return None
        item = Item(
            item_id="",
            patient=standing.patient,
            study=study_key_hash(self.secret, row.study_uid),
            split=standing.split,
            targets=self._targets(labelled),
            weight=labelled.weight,
            assisted=labelled.assisted,
            when_s=row.first_received_s // DAY_S * DAY_S,
            groups=groups,
            source=labelled.source,
        )
        named = replace(item, item_id=self._item_id(series, item.targets, drawn, nothing))
        return Draft(named, labelled.study_key, series, drawn, nothing)

    def _drawn(self, labelled: Labelled) -> tuple[str, bool]:
        """File of the label that this kind of model needs, or that the reader said there is nothing to draw."""
        kind = self.dicom.model.kind
        if kind is Kind.CLASSIFICATION:
            return "", False
        drawn = labelled.mask if kind is Kind.SEGMENTATION else labelled.boxes
        outputs = [*(one.index for one in self.dicom.segments), *(one.index for one in self.dicom.findings)]
        if not drawn and not all(labelled.values.get(index) == 0 for index in outputs):
            raise NoItem(f"no {'mask' if kind is Kind.SEGMENTATION else 'boxes'} on it")
        return drawn, not drawn

    def _targets(self, labelled: Labelled) -> tuple[float | None, ...]:
        if self.dicom.model.kind is not Kind.CLASSIFICATION:
            return ()
        targets = tuple(labelled.values.get(finding.index) for finding in self.dicom.findings)
        if all(target is None for target in targets):
            raise NoItem("its labels are all uncertain")
        return targets

    def _series(self, study: Study, drawn_on: Labelled | None) -> Series:
        """The series that the model takes: of a drawn label, the one that it lies on."""
        if not study.series:
            raise NoItem("its images are not here any more")
        if drawn_on is not None:
            study = replace(study, series=tuple(s for s in study.series if s.series_uid == drawn_on.series_uid))
        if not study.series:
            raise NoItem("the series that its label lies on is not here any more")
        choice = choose_series(study, self.dicom)
        if choice.series is None:
            raise NoItem(f"the model takes no series of it: {'; '.join(choice.verdicts[0].reasons)}")
        return choice.series

    def _item_id(self, series: Series, targets: Sequence[float | None], drawn: str, nothing: bool) -> str:
        """Keyed, so that nobody who holds the images can tell whether they were learnt from."""
        pixels = contents_digest((one.sop_instance_uid, one.content_digest) for one in series.instances)
        label = hashlib.sha256((self.state / drawn).read_bytes()).hexdigest() if drawn else f"nothing {nothing}"
        told = json.dumps(["item", self.preprocessing, pixels, list(targets), label])
        return hmac.digest(self.secret, told.encode(), "sha256").hex()


def drafts(
    session: Session, maker: Maker, labels: Sequence[Labelled], standings: Mapping[str, Standing]
) -> Iterator[Draft | tuple[Labelled, str]]:
    """The draft of each study in scope, or why there is none."""
    for labelled in labels:
        try:
            draft = maker.draft(session, labelled, standings[labelled.patient])
        except (NodeError, LookupError, OSError) as fault:
            yield labelled, str(fault)
        else:
            if draft is not None:
                yield draft
