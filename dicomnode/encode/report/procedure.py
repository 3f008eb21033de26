"""Procedure Reported (121058, DCM): which imaging procedure the images come from, as the study itself codes it."""

from collections.abc import Iterator

from highdicom.sr import CodedConcept
from pydicom import Dataset

from dicomnode.encode.concepts import coded
from dicomnode.encode.context import Context

LONGEST_MEANING = 64
"""Characters of Code Meaning (LO)."""


def procedures_reported(context: Context) -> list[CodedConcept]:
    """The study's Procedure Code Sequence (0008,1032), else what dicom.toml says its images come from.

    The code names the imaging procedure, never the algorithm (IHE AI Results). TID 1500 has no place for words, and its
    context group (CID 100) is a baseline: a site's own code stands.
    """
    return list(_own(context.source)) or [coded(context.rules.model.procedure)]


def _own(source: Dataset) -> Iterator[CodedConcept]:
    """The study's codes that are whole."""
    for item in source.get("ProcedureCodeSequence") or ():
        value = str(item.get("CodeValue") or item.get("LongCodeValue") or "").strip()
        scheme = str(item.get("CodingSchemeDesignator") or "").strip()
        meaning = str(item.get("CodeMeaning") or "").strip()
        if value and scheme and 0 < len(meaning) <= LONGEST_MEANING:
            version = str(item.get("CodingSchemeVersion") or "").strip() or None
            yield CodedConcept(value=value, scheme_designator=scheme, meaning=meaning, scheme_version=version)
