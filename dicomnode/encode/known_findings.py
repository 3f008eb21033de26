"""Findings of validators that are no fault of ours, each with the section of the standard that says so.

A test asks every validator about every kind of object and fails on a finding that is not here.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class KnownFinding:
    """One message of one validator that is not counted."""

    validator: str
    text: str
    """The whole message, without the place of the item in its sequences."""
    section: str
    """Section of the standard by which the object is right."""
    why: str


PIXELMED = (
    KnownFinding(
        "PixelMed",
        "Error: GeneralSeriesModule/Laterality/: : Missing conditional attribute",
        "PS3.3 C.7.3.1",
        "its condition is not evaluated: no body part is named, and a side is written only where one is known",
    ),
    KnownFinding(
        "PixelMed",
        "Warning: SOPCommonModule/SpecificCharacterSet/: SpecificCharacterSet/value[1]: "
        "Unrecognized defined term :ISO_IR 192:",
        "PS3.3 C.12.1.1.2",
        "its rules for images know no UTF-8",
    ),
    *(
        KnownFinding(
            "PixelMed",
            f'Error: CODE (121058,DCM,"Procedure reported"): Code ({code}) not found in context group 100',
            "PS3.16 TID 1500 row 4",
            "a baseline context group: the procedure is coded as the model's dicom.toml says",
        )
        for code in ('24590-2,LN,"MR Brain"', '36643-5,LN,"XR Chest 2 Views"')
    ),
    KnownFinding(
        "PixelMed",
        'Warning: UIDREF (121232,DCM,"Source Series for Segmentation"): Code (121232,DCM,"Source Series for '
        'Segmentation") has different code meaning ("Source Series for Segmentation") than code meaning in template '
        'concept name ("Source series for segmentation")',
        "PS3.3 8.3",
        "a code's meaning is for people; value and scheme are the template's",
    ),
    *(
        KnownFinding(
            "PixelMed",
            f'Error: NUM ({side} measurement uncertainty"): Incorrect relationship - expected INFERRED FROM - '
            "found HAS PROPERTIES",
            "PS3.16 TID 300, TID 310 row 5",
            "properties of a measurement are included by HAS PROPERTIES; it takes the item for an inferred one",
        )
        for side in ('371886008,SCT,"+, range of upper', '371885007,SCT,"-, range of lower')
    ),
    *(
        KnownFinding(
            "PixelMed",
            f'Error: CODE ({name}"): Code ({code}) not found in context group 6014',
            "PS3.16 CID 6014",
            "an extensible context group: what a model finds that it lacks keeps its own code",
        )
        for name in ('111059,DCM,"Single Image Finding', '111022,DCM,"Detection Performed')
        for code in ('5366008,SCT,"Hippocampus"', '233604007,SCT,"Pneumonia"')
    ),
    KnownFinding(
        "PixelMed",
        'Warning: CONTAINER (111025,DCM,"Failed Detections"): Code (111025,DCM,"Failed Detections") has different code '
        'meaning ("Failed Detections") than code meaning in template concept name ("Failed  Detections")',
        "PS3.16 TID 4015 row 3",
        "its own table has two spaces",
    ),
    *(
        KnownFinding("PixelMed", f"Warning: {item}: Content Item not in template", section, why)
        for item, section, why in (
            ('CODE (276214006,SCT,"Finding category")', "PS3.16 TID 1410, 1411, 1501", "a row younger than its rules"),
            ('TEXT (122405,DCM,"Algorithm Manufacturer")', "PS3.16 TID 4019", "a row younger than its rules"),
            ('CODE (121052,DCM,"Presence of property")', "PS3.16 TID 1501", "any qualitative evaluation may stand"),
            ('CODE (DOMAIN,99DICOMNODE,"Suitability of the input")', "PS3.16 TID 1501", "the same, in our own code"),
            ('CODE (111065,DCM,"Summary of Analyses")', "PS3.16 TID 1501", "any qualitative evaluation may stand"),
            ('CODE (REASON,99DICOMNODE,"Reason")', "PS3.16 TID 1501", "the same, in our own code"),
            ('TEXT (121106,DCM,"Comment")', "PS3.16 TID 1501", "an evaluation in words: the finding's name, for OHIF"),
        )
    ),
)
"""PixelMed's rules are of 2022; the templates of the TID 1500 family are extensible."""

KNOWN_FINDINGS = (
    KnownFinding(
        "dciodvfy",
        "Warning - CodingSchemeDesignator(0008,0102) - Unrecognized defined term = <99DICOMNODE>",
        "PS3.3 8.2; PS3.16 8.2",
        "a scheme that begins with 99 is a local one, by rule",
    ),
    KnownFinding(
        "dciodvfy",
        "Warning - DeviceUID(0018,1002) - Attribute is not present in standard DICOM IOD",
        "PS3.3 C.12.1.1 Table C.12-1, Contributing Equipment Sequence",
        "Device UID is an attribute of the item; the validator's table is older",
    ),
    KnownFinding(
        "dciodvfy",
        "Warning - Laterality(0020,0060) - is only permitted to be empty when actually unknown; should be absent"
        " (not empty) if an unpaired body part, and have a value if a paired body part",
        "PS3.3 C.7.3.1 Table C.7-5a, Laterality",
        "it is unknown: no side is written unless dicom.toml fixes one, and the body part has one or is not named",
    ),
    *(
        KnownFinding(
            "dciodvfy",
            f"Warning - {attribute} - Attribute is not present in standard DICOM IOD",
            "PS3.3 C.8.8.5 Table C.8-41, Conceptual Volume Identification Sequence",
            "an attribute of a structure set's region; the validator's table is older",
        )
        for attribute in ("ConceptualVolumeIdentificationSequence(3010,00a0)", "ConceptualVolumeUID(3010,0006)")
    ),
    *(
        KnownFinding(
            validator,
            "W: The VR checker does not support this Specific Character Set: ISO_IR 192",
            "PS3.3 C.12.1.1.2",
            "DCMTK does not check values in UTF-8",
        )
        for validator in ("dsrdump", "tid1500reader")
    ),
    KnownFinding(
        "dsrdump",
        "W: Check for template constraints not yet supported",
        "PS3.16 TID 2010, TID 4000, TID 4100",
        "DCMTK says of every Key Object Selection and CAD report that it does not check its template",
    ),
    KnownFinding(
        "dcentvfy",
        "Error - Missing SOPInstanceUID that was referenced - <study>",
        "PS3.3 C.8.8.5 Table C.8-41, RT Referenced Study Sequence",
        "a structure set names its study by the study's UID, which is no instance; planning systems look for it",
    ),
    KnownFinding(
        "dcentvfy",
        "Warning - Different information entities for attribute - Element=<AccessionNumber> IE <Series> versus <Study>",
        "PS3.3 C.17.2 Table C.17-2",
        "an SR repeats the accession number in Referenced Request Sequence, which the validator takes for the series",
    ),
    KnownFinding(
        "dcentvfy",
        "Warning - Different information entities for attribute - Element=<AccessionNumber> IE <Study> versus <Series>",
        "PS3.3 C.17.2 Table C.17-2",
        "the same, where the SR is read before another object",
    ),
    *PIXELMED,
)


def is_known(validator: str, text: str) -> bool:
    """Whether a finding is on the list."""
    return any(entry.validator == validator and entry.text == text for entry in KNOWN_FINDINGS)
