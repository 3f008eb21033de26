"""One image, de-identified: every attribute by the table, pixels by the rules of `pixels`."""

import copy
import hmac
from collections.abc import Sequence
from datetime import datetime, timedelta

from pydicom import DataElement, Dataset
from pydicom.dataset import FileMetaDataset
from pydicom.sr.codedict import codes
from pydicom.tag import BaseTag
from pydicom.uid import UID

from dicomnode.errors import Permanent
from dicomnode.learn.deidentify.pixels import PixelRule, clean_pixels
from dicomnode.learn.deidentify.table import CHARACTERISTICS, DATES, Action, Options, Table, is_known
from dicomnode.learn.split.keys import patient_key

STANDARD = "1.2.840.10008."
"""Root of UIDs that the standard defines: they name nobody."""
SHIFT_DAYS = (365, 3650)
OLDEST = "090Y"
DUMMY: dict[str, object] = {
    "DA": "19000101", "TM": "000000", "DT": "19000101000000", "AS": "000D", "IS": "0", "DS": "0", "OB": b"\0\0",
    "US": 0, "FL": 0.0, "FD": 0.0, "UL": 0, "SS": 0, "SL": 0,
}  # fmt: skip
TEXT = {"AE", "CS", "LO", "LT", "PN", "SH", "ST", "UC", "UR", "UT"}
METHOD = "dicomnode: PS3.15 Basic Profile"


class NotAnImage(Permanent):
    """Only images are exported: reports, documents and presentation states hold text that no rule here cleans."""

    def __init__(self, modality: str) -> None:
        super().__init__(f"a {modality or 'data set'} without pixels is not exported: only images are")


def deidentify(
    dataset: Dataset,
    table: Table,
    secret: bytes,
    options: Options | None = None,
    *,
    pixel_rules: Sequence[PixelRule] = (),
) -> Dataset:
    """A copy of an image that names nobody; the same image always gives the same copy.

    Args:
        dataset: an image, with its file meta information.
        table: `table.basic_profile()`.
        secret: what UIDs, pseudonyms and shifts of dates follow from.
        options: what may be kept.
        pixel_rules: of the site, for images with text in their pixels.

    Raises:
        NotAnImage: it has no pixels.
        MayShowText: it cannot be made sure that its pixels show no text.
        NoPatientId: it has no Patient ID.

    Source: PS3.15 Annex E.
    """
    if "PixelData" not in dataset:
        raise NotAnImage(str(dataset.get("Modality", "")))
    kept = options or Options()
    patient = patient_key(secret, str(dataset.get("IssuerOfPatientID", "")), str(dataset.get("PatientID", "")))
    copied = copy.deepcopy(dataset)
    cleaned = clean_pixels(copied, pixel_rules)
    _Applied(table, secret, kept, _shift(secret, patient)).to(copied)
    copied.PatientID = copied.PatientName = patient[:16]
    if kept.characteristics:
        _keep_characteristics(dataset, copied)
    _say_so(copied, kept, pixels=cleaned)
    copied.file_meta = _meta(copied)
    copied.preamble = b"\0" * 128
    return copied


class _Applied:
    """The table, applied to a data set and all its items."""

    def __init__(self, table: Table, secret: bytes, options: Options, shift: timedelta) -> None:
        self.table, self.secret, self.options, self.shift = table, secret, options, shift

    def to(self, dataset: Dataset) -> None:
        """Change a data set in place."""
        for tag in list(dataset.keys()):
            if tag.is_private or not is_known(tag):
                del dataset[tag]
                continue
            self._element(dataset, dataset[tag], self._action(tag, dataset[tag].VR))

    def _action(self, tag: BaseTag, vr: str) -> Action | None:
        rule = self.table.rule(tag)
        if rule is not None:
            return rule.action
        return {"UI": Action.UID, "PN": Action.EMPTY, "SQ": Action.CLEAN}.get(vr)

    def _element(self, dataset: Dataset, element: DataElement, action: Action | None) -> None:
        vr = element.VR
        if self.options.shift_dates and vr in (*DATES, "TM") and not element.keyword.startswith("PatientBirth"):
            element.value = _shifted(element, self.shift)
        elif action is Action.REMOVE or (action is Action.DUMMY and vr == "UN"):
            del dataset[element.tag]
        elif action is Action.CLEAN and vr == "SQ":
            for item in element.value:
                self.to(item)
        elif action is Action.UID or vr == "UI":
            element.value = self._uids(element.value) if action else element.value
        elif action is Action.DUMMY and vr != "SQ":
            element.value = "ANONYMIZED" if vr in TEXT else DUMMY.get(vr, b"\0\0")
        elif action is not None:
            element.value = [] if vr == "SQ" else None

    def _uids(self, value: object) -> object:
        if isinstance(value, str):
            return new_uid(self.secret, value)
        return [new_uid(self.secret, str(one)) for one in value] if isinstance(value, Sequence) else value


def new_uid(secret: bytes, uid: str) -> str:
    """The UID that stands for another: under 2.25, from 128 bits of a keyed hash (PS3.5 B.2); the standard's stay."""
    if not uid or uid.startswith(STANDARD):
        return uid
    number = int.from_bytes(hmac.digest(secret, f"uid {uid}".encode(), "sha256")[:16])
    return str(UID(f"2.25.{number}"))


def _shift(secret: bytes, patient: str) -> timedelta:
    low, high = SHIFT_DAYS
    number = int.from_bytes(hmac.digest(secret, f"days {patient}".encode(), "sha256")[:8])
    return timedelta(days=-(low + number % (high - low)))


def _shifted(element: DataElement, shift: timedelta) -> object:
    """Dates moved by whole days; what is no date is emptied; a time of day stays."""
    if element.VR == "TM" or not element.value:
        return element.value
    values = [str(one) for one in element.value] if element.VM > 1 else [str(element.value)]
    moved = [_moved(text, shift) for text in values]
    return (moved if len(moved) > 1 else moved[0]) if all(moved) else None


def _moved(text: str, shift: timedelta) -> str:
    try:
        day = datetime.strptime(text[:8], "%Y%m%d")
    except ValueError:
        return ""
    return (day + shift).strftime("%Y%m%d") + text[8:]


def _keep_characteristics(source: Dataset, copied: Dataset) -> None:
    for keyword in CHARACTERISTICS:
        if keyword in source:
            copied[keyword] = copy.deepcopy(source[keyword])
    age = str(source.get("PatientAge", ""))
    if age.endswith("Y") and age[:-1].isdigit() and int(age[:-1]) > 89:
        copied.PatientAge = OLDEST


def _say_so(copied: Dataset, options: Options, *, pixels: bool) -> None:
    """What was done, for whoever receives it (PS3.3 C.7.1.1, C.7.6.1.1.1, C.12.1.1.7)."""
    said = [codes.DCM.BasicApplicationConfidentialityProfile]
    said += [codes.DCM.CleanPixelDataOption] if pixels else []
    if options.shift_dates:
        said.append(codes.DCM.RetainLongitudinalTemporalInformationModifiedDatesOption)
    copied.PatientIdentityRemoved = "YES"
    copied.DeidentificationMethod = METHOD + (", age, sex, size and weight kept" if options.characteristics else "")
    copied.DeidentificationMethodCodeSequence = [
        _item(code.value, code.scheme_designator, code.meaning) for code in said
    ]
    copied.LongitudinalTemporalInformationModified = "MODIFIED" if options.shift_dates else "REMOVED"
    if pixels:
        copied.BurnedInAnnotation = "NO"


def _item(value: str, scheme: str, meaning: str) -> Dataset:
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = value, scheme, meaning[:64]
    return item


def _meta(copied: Dataset) -> FileMetaDataset:
    """Without the AE titles of who sent it."""
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = copied.SOPClassUID
    meta.MediaStorageSOPInstanceUID = copied.SOPInstanceUID
    meta.TransferSyntaxUID = copied.file_meta.TransferSyntaxUID
    return meta
