"""What MONAI would import beside itself stays out of a model's process, and can be imported by who needs it."""

import importlib
import sys
from pathlib import Path

import pytest

from dicomnode.infer.monai_alone import import_without


def test_a_module_does_without_what_is_hidden_from_it_and_others_find_it_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "weighty_made.py").write_text("")
    (tmp_path / "light_made.py").write_text(
        "try:\n    import weighty_made\nexcept ImportError:\n    weighty_made = None\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))

    import_without("light_made", ("weighty_made",))

    assert sys.modules.pop("light_made").weighty_made is None
    assert importlib.import_module("weighty_made").__name__ in sys.modules
    import_without("light_made", ("weighty_made",))
    assert sys.modules.pop("light_made").weighty_made is sys.modules.pop("weighty_made"), "it was here before"
