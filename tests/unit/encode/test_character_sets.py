"""Whatever character set a source is in, every kind of object says the same names in UTF-8 (PS3.3 C.12.1.1.2)."""

from collections.abc import Sequence
from io import BytesIO
from pathlib import Path

import pytest
from pydicom import dcmread
from pydicom.charset import convert_encodings
from pydicom.valuerep import PersonName

from dicomnode.encode.door import CHECKS
from dicomnode.encode.door.expected import Expected
from dicomnode.encode.results import MAKERS
from dicomnode.values import Role
from tests.phantom import Subject
from tests.phantoms.answers import Given, given

NAMES: dict[str, tuple[str | Sequence[str], str]] = {
    "default repertoire": ("ISO_IR 6", "Plain^Name"),
    "Latin 1": ("ISO_IR 100", "Müller^Jörg"),
    "Latin 2": ("ISO_IR 101", "Dvořák^Antonín"),
    "Latin 3": ("ISO_IR 109", "Ĉapek^Ĝoja"),
    "Latin 4": ("ISO_IR 110", "Šķēle^Ģirts"),
    "Latin 5": ("ISO_IR 148", "Çağlar^Işıl"),
    "Cyrillic": ("ISO_IR 144", "Люкceмбypг"),
    "Arabic": ("ISO_IR 127", "قباني^لنزار"),
    "Greek": ("ISO_IR 126", "Διονυσιος"),
    "Hebrew": ("ISO_IR 138", "שרון^דבורה"),
    "Thai": ("ISO_IR 166", "นามสกุล^ชื่อ"),
    "Japanese, half-width": (["ISO 2022 IR 13", "ISO 2022 IR 87"], "ﾔﾏﾀﾞ^ﾀﾛｳ=山田^太郎=やまだ^たろう"),
    "Japanese": (["", "ISO 2022 IR 87"], "Yamada^Tarou=山田^太郎=やまだ^たろう"),
    "Korean": (["", "ISO 2022 IR 149"], "Hong^Gildong=洪^吉洞=홍^길동"),
    "Chinese, ISO 2022": (["", "ISO 2022 IR 58"], "Zhang^XiaoDong=张^小东"),
    "Chinese, GB 18030": ("GB18030", "Wang^XiaoDong=王^小东"),
    "Chinese, GBK": ("GBK", "Wang^XiaoDong=王^小东"),
    "UTF-8": ("ISO_IR 192", "Wang^XiaoDong=王^小東"),
}

GB_2312 = b"Zhang^XiaoDong=\x1b$)A\xd5\xc5^\x1b$)A\xd0\xa1\xb6\xab"
"""The name in ISO 2022 IR 58 as PS3.5 K.2 writes it; pydicom would leave the escapes out."""


def as_sent(name: str) -> str | PersonName:
    """The name as a sender of this character set writes it."""
    character_set, patient_name = NAMES[name]
    if name != "Chinese, ISO 2022":
        return patient_name
    return PersonName(GB_2312, convert_encodings(list(character_set)))


@pytest.mark.parametrize("name", NAMES)
def test_every_kind_of_object_tells_the_name_as_its_source_does(name: str, tmp_path: Path) -> None:
    character_set, patient_name = NAMES[name]
    subject = Subject(patient_name=as_sent(name))  # type: ignore[arg-type]

    head = given("oblique MR", "segmentation", tmp_path, subject=subject, character_set=character_set)
    breast = given(
        "MG", "classification", tmp_path, subject=subject, character_set=character_set, objects=[Role.SR, Role.CAD_SR]
    )

    assert {one.role for one in (*head.made, *breast.made)} == {role for role, _ in MAKERS}
    for example in (head, breast):
        require_same_names(example, patient_name)


def require_same_names(example: Given, patient_name: str) -> None:
    for one in example.made:
        read = dcmread(BytesIO(one.content))
        assert (read.SpecificCharacterSet, str(read.PatientName)) == ("ISO_IR 192", patient_name), one.role
    expected = Expected(example.made, example.run, example.rules, example.series)
    assert [fault for check in CHECKS for fault in check(expected)] == []
