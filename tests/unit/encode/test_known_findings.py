"""The list of known findings grows on purpose or not at all."""

from dicomnode.encode.door.dciodvfy import normal_form, without_values
from dicomnode.encode.known_findings import KNOWN_FINDINGS, is_known


def test_nothing_is_on_the_list_twice() -> None:
    assert len(set(KNOWN_FINDINGS)) == len(KNOWN_FINDINGS)


def test_what_the_door_itself_lets_pass_has_five_entries() -> None:
    assert len([entry for entry in KNOWN_FINDINGS if entry.validator == "dciodvfy"]) == 5


def test_each_entry_names_validator_text_section_and_reason() -> None:
    for entry in KNOWN_FINDINGS:
        assert entry.validator
        assert entry.text
        assert entry.section.startswith("PS3.")
        assert entry.why


def test_a_finding_is_known_by_its_whole_text_wherever_its_item_stands() -> None:
    line = (
        "Warning - </ContentSequence(0040,a730)[10]/ConceptNameCodeSequence(0040,a043)[1]/"
        "CodingSchemeDesignator(0008,0102)[1]> - Unrecognized defined term = <99DICOMNODE>"
    )

    assert is_known("dciodvfy", normal_form(line))
    assert not is_known("dciodvfy", normal_form(line.replace("99DICOMNODE", "99OTHER")))
    assert not is_known("dsrdump", normal_form(line))


def test_values_that_a_finding_quotes_are_left_out() -> None:
    line = "Error - </PatientName(0010,0010)[1]> - Value invalid for this VR = <Secret^Name>"

    assert without_values(normal_form(line)) == "Error - PatientName(0010,0010) - Value invalid for this VR = <...>"
