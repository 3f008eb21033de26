"""Conditions on DICOM attributes, as data: equals, one_of, regex, range, present; any and all."""

import re
from typing import Annotated, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, model_validator
from pydicom.datadict import tag_for_keyword

from dicomnode.values import Header


class Table(BaseModel):
    """A table of a TOML file: frozen, and an unknown key is a fault."""

    model_config = ConfigDict(frozen=True, extra="forbid")


def _keyword(value: str) -> str:
    if tag_for_keyword(value) is None:
        raise ValueError(f"{value!r} is no DICOM keyword (write Modality, SeriesDescription, ...)")
    return value


def _pattern(value: str) -> str:
    try:
        re.compile(value)
    except re.error as fault:
        raise ValueError(f"{value!r} is no regular expression: {fault}") from fault
    return value


Keyword = Annotated[str, AfterValidator(_keyword)]
Pattern = Annotated[str, AfterValidator(_pattern)]


class Condition(Table):
    """One test of one attribute; every test that is set must hold, for at least one of its values."""

    tag: Keyword
    """DICOM keyword, for instance "Modality"."""
    equals: str | None = None
    """A value is exactly this (case ignored)."""
    one_of: tuple[str, ...] = ()
    """A value is one of these (case ignored)."""
    regex: Pattern | None = None
    """A value matches this anywhere (case ignored)."""
    min: float | None = None
    """A numeric value is at least this."""
    max: float | None = None
    """A numeric value is at most this."""
    present: bool | None = None
    """The attribute has a value (true) or has none (false)."""
    negate: bool = False
    """The condition holds when the tests do not."""
    why: str = ""
    """Words for the person who reads the reason; made from the tests where empty."""

    @model_validator(mode="after")
    def require_a_test(self) -> Self:
        """A condition without a test would hold for everything."""
        tests = (self.equals, self.one_of or None, self.regex, self.min, self.max, self.present)
        if all(test is None for test in tests):
            raise ValueError(f"condition on {self.tag} has no test (equals, one_of, regex, min, max, present)")
        return self

    def holds(self, header: Header) -> bool:
        """Whether an instance with this header satisfies the condition."""
        return self._tests_hold(header) != self.negate

    def words(self) -> str:
        """The condition as a person would say it."""
        return self.why or f"{self.tag} {'not ' if self.negate else ''}{' and '.join(self._said())}"

    def _tests_hold(self, header: Header) -> bool:
        values = header.parts(self.tag)
        if self.present is not None and bool(values) != self.present:
            return False
        rest = self.equals is not None or self.one_of or self.regex or self.min is not None or self.max is not None
        return not rest or any(self._value_holds(value.strip()) for value in values)

    def _value_holds(self, value: str) -> bool:
        folded = value.casefold()
        return (
            (self.equals is None or folded == self.equals.casefold())
            and (not self.one_of or folded in {option.casefold() for option in self.one_of})
            and (self.regex is None or re.search(self.regex, value, re.IGNORECASE) is not None)
            and self._in_range(value)
        )

    def _in_range(self, value: str) -> bool:
        if self.min is None and self.max is None:
            return True
        try:
            number = float(value)
        except ValueError:
            return False
        return (self.min is None or number >= self.min) and (self.max is None or number <= self.max)

    def _said(self) -> list[str]:
        said = [f"= {self.equals}"] if self.equals is not None else []
        said += [f"one of {', '.join(self.one_of)}"] if self.one_of else []
        said += [f"matching /{self.regex}/"] if self.regex else []
        said += [f"≥ {self.min:g}"] if self.min is not None else []
        said += [f"≤ {self.max:g}"] if self.max is not None else []
        return said + ([("present" if self.present else "absent")] if self.present is not None else [])


class When(Table):
    """Conditions joined: all of `all` and, where given, at least one of `any`."""

    all: tuple[Condition, ...] = ()
    any: tuple[Condition, ...] = ()

    def failed(self, header: Header) -> tuple[str, ...]:
        """What does not hold for this header, in words; empty where everything holds."""
        failed = [condition.words() for condition in self.all if not condition.holds(header)]
        if self.any and not any(condition.holds(header) for condition in self.any):
            failed.append(" or ".join(condition.words() for condition in self.any))
        return tuple(failed)

    def holds(self, header: Header) -> bool:
        """Whether everything holds for this header."""
        return not self.failed(header)
