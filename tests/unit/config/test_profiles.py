"""Viewer profiles: which objects a destination gets."""

from pathlib import Path

import pytest

from dicomnode.config.load import load
from dicomnode.config.profiles import OBJECTS, PROFILES
from dicomnode.errors import ConfigFault
from dicomnode.values import Role

PEER = '[peers.pacs]\nae_title = "PACS"\nhost = "127.0.0.1"\nport = 104\n'


def written(folder: Path, text: str) -> Path:
    path = folder / "config.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_a_destination_without_a_profile_gets_seg_and_sr(tmp_path: Path) -> None:
    config = load(written(tmp_path, PEER))

    assert config.objects(config.peers["pacs"].profile) == (Role.SEG, Role.SR)


def test_a_site_may_list_objects_of_its_own(tmp_path: Path) -> None:
    text = f'{PEER}profile = "planning"\n[profiles.planning]\nobjects = ["SEG", "RTSTRUCT"]\n'
    config = load(written(tmp_path, text))

    assert config.objects("planning") == (Role.SEG, Role.RTSTRUCT)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (f'{PEER}profile = "planing"\n', "there is no \\[profiles.planing\\]"),
        (f'{PEER}[profiles.ohif]\nobjects = ["SR"]\n', "built in"),
        (f'{PEER}[profiles.mine]\nobjects = ["COULD_NOT"]\n', "no kind of object"),
        (f"{PEER}[profiles.mine]\nobjects = []\n", "objects"),
    ],
)
def test_a_profile_that_cannot_be_used_is_named(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(ConfigFault, match=words):
        load(written(tmp_path, text))


def test_every_built_in_profile_lists_kinds_that_a_site_may_choose() -> None:
    assert {role for objects in PROFILES.values() for role in objects} <= set(OBJECTS)
