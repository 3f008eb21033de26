"""The shipped config.toml names every key with its default and one line of meaning."""

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
from pydantic_core import PydanticUndefined

from dicomnode.config.conditions import Table
from dicomnode.config.load import load
from dicomnode.config.tables import Caller, Config, ModelSetting, Peer, Route, Tls
from dicomnode.errors import ConfigFault

SHIPPED = Path(__file__).parents[3] / "config.toml"
TEXT = SHIPPED.read_text(encoding="utf-8")
EXAMPLE = re.compile(r"^#(?=\[|[a-z_]+ = )", re.MULTILINE)
NAMED_ONCE = ("peers", "profiles", "routes", "models")
"""Tables that a site writes as often as it needs."""


def with_examples() -> dict[str, Any]:
    return tomllib.loads(EXAMPLE.sub("", TEXT))


def defaults(table: type[Table]) -> dict[str, Any]:
    """A table's defaults as TOML would say them; no default is None."""
    fields = table.model_fields.items()
    return {
        name: None if field.default is PydanticUndefined else as_toml(field.get_default(call_default_factory=True))
        for name, field in fields
    }


def as_toml(value: Any) -> Any:
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, Table):
        return defaults(type(value))
    return list(value) if isinstance(value, tuple) else value


def test_it_loads() -> None:
    config = load(SHIPPED)

    assert config.node.state == SHIPPED.parent / "state"
    assert [route.models for route in config.routes] == [("hippocampus_mr",), ("chest_xray_pneumonia",)]


@pytest.mark.parametrize("name", [name for name in Config.model_fields if name not in NAMED_ONCE])
def test_a_table_names_every_key_with_its_default(name: str) -> None:
    table = type(getattr(Config(), name))
    stated = with_examples()[name]

    assert set(stated) == set(table.model_fields)
    given = tomllib.loads(TEXT)[name]
    assert given == {key: value for key, value in defaults(table).items() if key in given}
    assert all(defaults(table)[key] in (None, [], {}) for key in set(stated) - set(given))


@pytest.mark.parametrize(
    ("table", "stated"),
    [
        (Peer, with_examples()["peers"]["pacs"]),
        (Route, with_examples()["routes"][0]),
        (ModelSetting, with_examples()["models"]["chest_xray_pneumonia"]),
        (Caller, with_examples()["receive"]["callers"][0]),
        (Tls, with_examples()["receive"]["tls"]),
    ],
    ids=["peers", "routes", "models", "callers", "tls"],
)
def test_an_example_names_every_key_and_keeps_the_defaults(table: type[Table], stated: dict[str, Any]) -> None:
    assert set(stated) == set(table.model_fields)
    own = {key for key, default in defaults(table).items() if default is None or key in ("when", "priority")}
    for key, value in stated.items():
        assert key in own or value == defaults(table)[key], key


def test_the_examples_make_a_valid_file() -> None:
    examples = with_examples()
    examples["peers"]["pacs"]["query"] = True  # as the line of `source` says

    assert Config.model_validate(examples).receive.callers[0].ae_title == "PACS"


def test_every_key_has_one_line_of_meaning() -> None:
    keys = [line for line in TEXT.splitlines() if re.match(r"#?[a-z_]+ = ", line)]

    assert [line for line in keys if not re.search(r" # \S.{3,}", line)] == []
    assert max(len(line) for line in TEXT.splitlines()) <= 125


FIVE_FAULTS = """
[node]
stat = "state"

[receive]
ae_title = "THIS TITLE IS TOO LONG"
port = 70000

[complete]
quiet_s = -1

[peers.pacs]
ae_title = "PACS"
host = "127.0.0.1"
"""


def test_five_faults_are_reported_at_once_with_their_places(tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text(FIVE_FAULTS)

    with pytest.raises(ConfigFault) as caught:
        load(tmp_path / "config.toml")

    said = str(caught.value).splitlines()
    assert said[0].endswith("config.toml has 5 fault(s):")
    places = ["node.stat", "receive.ae_title", "receive.port", "complete.quiet_s", "peers.pacs.port"]
    assert sorted(line.split(": ")[0].strip() for line in said[1:]) == sorted(places)


def test_a_route_to_an_unknown_peer_and_tls_without_certificates_are_faults(tmp_path: Path) -> None:
    text = TEXT.replace('destinations = ["pacs"] ', 'destinations = ["nobody"] ', 1).replace(
        "tls = false", "tls = true"
    )
    (tmp_path / "config.toml").write_text(text)

    with pytest.raises(ConfigFault, match=r"no \[peers.nobody\].*no \[receive.tls\]"):
        load(tmp_path / "config.toml")


def test_a_missing_file_and_broken_toml_are_said_in_words(tmp_path: Path) -> None:
    (tmp_path / "broken.toml").write_text("[node\n")

    with pytest.raises(ConfigFault, match="cannot be read"):
        load(tmp_path / "absent.toml")
    with pytest.raises(ConfigFault, match="is no TOML"):
        load(tmp_path / "broken.toml")
