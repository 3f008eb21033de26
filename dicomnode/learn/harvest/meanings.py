"""What the codes and words of a site mean for the outputs of its models.

Two things say so: [[learn.map]] of config.toml, and each bundle's own dicom.toml (the concept of a finding; the type
and the label of a segment). Where both know a code or word, the site's map alone is asked.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from dicomnode.bundles.dicom_toml import Code, DicomToml, Finding, Segment, load_dicom_toml
from dicomnode.config.learning import Mapping as MapEntry
from dicomnode.config.tables import Config
from dicomnode.errors import ConfigFault

SNOMED_RT = "SRT"
SNOMED_SCHEMES = ("SNM3", "99SDM")
"""Other names under which SNOMED RT codes were written (PS3.16 8)."""


@dataclass(frozen=True)
class Meant:
    """An output of a model that a code or word stands for."""

    model: str
    output: int
    """`index` in its dicom.toml."""
    present: bool
    """What it means where it is merely named."""
    rule: str
    """Which entry says so, in words."""
    side: str = ""
    """Laterality of the output as "value/scheme", where its dicom.toml fixes one."""


class Meanings:
    """Looks codes and words up."""

    def __init__(self, entries: Iterable[MapEntry], models: Mapping[str, DicomToml]) -> None:
        self.models = models
        self.faults: list[str] = []
        """Entries that speak of no output that there is."""
        self._mapped: dict[str, list[Meant]] = {}
        self._known: dict[str, list[Meant]] = {}
        for number, entry in enumerate(entries, 1):
            self._take(number, entry)
        for name, rules in models.items():
            for key, output in _own_terms(rules):
                known = Meant(name, output, True, f"dicom.toml of {name}", _sides(rules).get(output, ""))
                self._known.setdefault(key, []).append(known)

    def of_code(self, code: str) -> list[Meant]:
        """What a coded concept ("value/scheme") means; SNOMED RT codes are read as SNOMED CT."""
        return self._of(_code_key(code))

    def of_words(self, words: str) -> list[Meant]:
        """What a label, name, title or column means; case and spaces at the ends do not matter."""
        return self._of(_words_key(words))

    def _of(self, key: str) -> list[Meant]:
        return self._mapped.get(key) or self._known.get(key, [])

    def _take(self, number: int, entry: MapEntry) -> None:
        rules = self.models.get(entry.model)
        if rules is None:
            self.faults.append(f"learn.map entry {number}: there is no usable bundle {entry.model!r}")
            return
        if entry.output not in outputs_of(rules):
            self.faults.append(f"learn.map entry {number}: {entry.model} has no output {entry.output}")
            return
        side = _sides(rules).get(entry.output, "")
        meant = Meant(entry.model, entry.output, entry.value == "present", f"learn.map entry {number}", side)
        for key in (*map(_code_key, entry.codes), *map(_words_key, entry.words)):
            self._mapped.setdefault(key, []).append(meant)


def meanings_of(config: Config) -> Meanings:
    """The meanings at this site."""
    return Meanings(config.learn.map, models_of(config.infer.folder))


def models_of(folder: Path) -> dict[str, DicomToml]:
    """What each usable bundle says of itself, by name."""
    found = {}
    for path in sorted(folder.glob("*/dicom.toml")):
        try:
            found[path.parent.name] = load_dicom_toml(path.parent)
        except (ConfigFault, OSError, UnicodeDecodeError):
            continue  # `dicomnode check` and `models list` say what is wrong with it
    return found


def outputs_of(rules: DicomToml) -> dict[int, str]:
    """The outputs of a model in words."""
    return {one.index: one.label for one in rules.segments} | {one.index: one.concept.meaning for one in rules.findings}


def plain_code(code: str) -> str:
    """A code "value/scheme" as it is compared: SNOMED RT as SNOMED CT."""
    value, _, scheme = code.strip().rpartition("/")
    if scheme in (SNOMED_RT, *SNOMED_SCHEMES):
        from pydicom.sr._snomed_dict import mapping as codes_by_scheme  # a large table, for the commands that need it

        value, scheme = codes_by_scheme[SNOMED_RT].get(value, value), "SCT"
    return f"{value}/{scheme}"


def _own_terms(rules: DicomToml) -> Iterator[tuple[str, int]]:
    """Keys and outputs that a bundle knows by itself; a code that two of its outputs share says neither."""
    coded = [(_text(one.type), one.index) for one in rules.segments]
    coded += [(_text(one.concept), one.index) for one in rules.findings]
    codes = [code for code, _ in coded]
    yield from ((_code_key(code), output) for code, output in coded if codes.count(code) == 1)
    yield from ((_words_key(label), output) for output, label in outputs_of(rules).items())


def _sides(rules: DicomToml) -> dict[int, str]:
    outputs: tuple[Segment | Finding, ...] = (*rules.segments, *rules.findings)
    return {one.index: plain_code(_text(one.laterality)) for one in outputs if one.laterality is not None}


def _text(code: Code) -> str:
    return f"{code.value}/{code.scheme}"


def _code_key(code: str) -> str:
    return f"code {plain_code(code)}"


def _words_key(words: str) -> str:
    return f"words {' '.join(words.split()).casefold()}"
