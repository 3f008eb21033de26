"""PixelMed's validators: SR templates row by row, and the IODs that it knows (Debian's libpixelmed-java, a JDK)."""

import re
import subprocess
from collections.abc import Sequence
from pathlib import Path

from pydicom import dcmread

JAR = "/usr/share/java/pixelmed.jar"
FRONT_END = Path(__file__).with_name("PixelmedValidate.java")
QUICK = ("-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC")
"""For a program that lives half a minute: half the time of a server's settings."""
LIMITS = ("-Xss8m", *(f"-Djdk.xml.xpath{what}Limit=0" for what in ("ExprGrp", "ExprOp", "TotalOp")))
"""Its style sheets are larger than what a JDK of today reads unasked (JAXP0801003)."""
FINDING = re.compile(r"(?P<level>Error|Warning): (?P<words>.*)")
ITEM = re.compile(r"(?:.*: )?[\d.]+: /.*?(?P<item>[A-Z]+ \([^/]*\)): (?P<words>.*)")
"""Template row, number and path of a content item come before the item itself."""
KNOWN_TITLE = ("126000", "DCM", "Imaging Measurement Report")


def pixelmed(paths: Sequence[Path]) -> dict[Path, list[str]]:
    """Findings of each file, without the place of the item in its tree."""
    command = ["java", *QUICK, *LIMITS, "-cp", JAR, str(FRONT_END), *map(str, paths)]
    done = subprocess.run(command, capture_output=True, text=True, errors="replace", timeout=800, check=True)
    said: dict[Path, list[str]] = {}
    for part in done.stdout.split("== ")[1:]:
        name, *lines = part.splitlines()
        said[Path(name)] = [normal_form(line) for line in lines if FINDING.match(line)]
    return said


def with_known_title(path: Path, folder: Path) -> Path:
    """A copy of a report whose title PixelMed knows: it applies no template to titles younger than itself.

    TID 1500 row 1 lets any title stand (CID 7021 is a baseline group); the rest of the tree is what is looked at.
    """
    report = dcmread(path)
    title = report.ConceptNameCodeSequence[0]
    title.CodeValue, title.CodingSchemeDesignator, title.CodeMeaning = KNOWN_TITLE
    copy = folder / path.name
    report.save_as(copy)
    return copy


def normal_form(line: str) -> str:
    """`Error: CODE (121058,DCM,"Procedure reported"): Code (…) not found in context group 100`."""
    found = FINDING.match(line)
    assert found is not None
    item = ITEM.match(found["words"])
    return f"{found['level']}: {item['item']}: {item['words']}" if item else line.strip()
