"""What the results of a run must agree with: the images as received, and what was configured."""

from dataclasses import dataclass
from functools import cached_property

from pydicom import Dataset

from dicomnode.bundles.dicom_toml import DicomToml
from dicomnode.encode.context import Encoded
from dicomnode.encode.source import header
from dicomnode.values import REPORTS, Header, Instance, Role, Run, Series


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
        """SOP Class and Series Instance UID of everything a result may refer to."""
        received = {uid: (i.sop_class_uid, i.series_uid) for uid, i in self.instances.items()}
        ours = {
            str(one.dataset.SOPInstanceUID): (str(one.dataset.SOPClassUID), str(one.dataset.SeriesInstanceUID))
            for one in self.encoded
        }
        return received | ours

    @cached_property
    def received_uids(self) -> set[str]:
        """UIDs that were given to us: theirs to answer for."""
        frames_of_reference = {i.header.text("FrameOfReferenceUID") for i in self.instances.values()}
        series = {i.series_uid for i in self.instances.values()}
        return {self.run.study.study_uid, *series, *frames_of_reference, *self.instances}

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
