"""What the results of a run must agree with: the images as received, and what was configured."""

from collections.abc import Collection
from dataclasses import dataclass
from functools import cached_property

from pydicom import DataElement, Dataset

from dicomnode.bundles.dicom_toml import DicomToml
from dicomnode.encode.context import Encoded
from dicomnode.encode.door.standard import Visited, shape_of, visits
from dicomnode.encode.source import header
from dicomnode.values import REPORTS, Header, Instance, Role, Run, Series

STUDY_CLASS = "1.2.840.10008.3.1.2.3.1"
"""Detached Study Management (retired), by which a structure set refers to a study."""
REFERENCED_CLASS, REFERENCED = 0x00081150, 0x00081155
"""Referenced SOP Class UID, Referenced SOP Instance UID."""


@dataclass(frozen=True)
class Expected:
    """The results of one run beside what they must agree with."""

    encoded: tuple[Encoded, ...]
    run: Run
    rules: DicomToml
    series: Series | None
    """The series analysed; None where there was none."""

    @cached_property
    def source(self) -> Dataset:
        """Header of an image as received, not normalised."""
        instances = self.series.instances if self.series else self.run.study.series[0].instances
        return header(instances[0].path)

    @cached_property
    def instances(self) -> dict[str, Instance]:
        """Every received instance of the study, by SOP Instance UID."""
        return {i.sop_instance_uid: i for series in self.run.study.series for i in series.instances}

    @cached_property
    def known(self) -> dict[str, tuple[str, str]]:
        """SOP Class and Series Instance UID of everything a result may refer to, the study itself among it."""
        received = {uid: (i.sop_class_uid, i.series_uid) for uid, i in self.instances.items()}
        ours = {
            str(one.dataset.SOPInstanceUID): (str(one.dataset.SOPClassUID), str(one.dataset.SeriesInstanceUID))
            for one in self.encoded
        }
        return received | ours | {self.run.study.study_uid: (STUDY_CLASS, "")}

    @cached_property
    def received_uids(self) -> set[str]:
        """UIDs that were given to us: theirs to answer for."""
        frames_of_reference = {i.header.text("FrameOfReferenceUID") for i in self.instances.values()}
        series = {i.series_uid for i in self.instances.values()}
        return {self.run.study.study_uid, *series, *frames_of_reference, *self.instances}

    def visits(self, one: Encoded) -> tuple[Visited, ...]:
        """One result and every item in it, each beside what PS3.3 asks of it; read once for all checks."""
        return self._visited[one.role]

    @cached_property
    def _visited(self) -> dict[Role, tuple[Visited, ...]]:
        shapes = ((one, shape_of(str(one.dataset.get("SOPClassUID", "")))) for one in self.encoded)
        return {one.role: tuple(visits(one.dataset, shape)) for one, shape in shapes}

    def references(self, one: Encoded, keywords: Collection[str]) -> dict[tuple[str, str], None]:
        """SOP Class and Instance UID of what one result refers to in some of its sequences, each once."""
        items = (v.elements for v in self.visits(one) if REFERENCED in v.elements and {*v.place[:1]} & {*keywords})
        return dict.fromkeys((_text(item, REFERENCED_CLASS), _text(item, REFERENCED)) for item in items)

    def header_of(self, uid: str) -> Header | None:
        """Index header of a received instance."""
        instance = self.instances.get(uid)
        return instance.header if instance else None

    @property
    def reports(self) -> tuple[Dataset, ...]:
        """The structured reports after TID 1500."""
        return tuple(one.dataset for one in self.encoded if one.role in REPORTS)

    def of(self, role: Role) -> Dataset | None:
        """The object of one role, where there is one."""
        return next((one.dataset for one in self.encoded if one.role is role), None)


def _text(elements: dict[int, DataElement], tag: int) -> str:
    return str(elements[tag].value or "") if tag in elements else ""
