"""Names in config.toml that must fit together."""

from pathlib import Path

import pytest

from dicomnode.config.load import load
from dicomnode.errors import ConfigFault

PEER = '[peers.pacs]\nae_title = "PACS"\nhost = "127.0.0.1"\nport = 104\n'
ROUTE = '[[routes]]\nname = "r"\nmodels = ["m"]\ndestinations = ["pacs"]\n'


def loaded(folder: Path, text: str) -> None:
    (folder / "config.toml").write_text(text)
    load(folder / "config.toml")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (ROUTE, r"there is no \[peers.pacs\]"),
        (PEER + ROUTE + ROUTE, "two routes are named 'r'"),
        (PEER + "tls = true\n" + ROUTE, r"there is no \[receive.tls\]"),
        (PEER + ROUTE + 'source = "pacs"\n', "peers.pacs.query is false"),
    ],
)
def test_a_name_that_leads_nowhere_is_a_fault_with_its_place(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(ConfigFault, match=said):
        loaded(tmp_path, text)


def test_a_source_that_answers_queries_is_accepted(tmp_path: Path) -> None:
    loaded(tmp_path, PEER + "query = true\n" + ROUTE + 'source = "pacs"\n')
