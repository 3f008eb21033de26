from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.unit.archive.archived import Archive


@pytest.fixture
def archive(tmp_path: Path) -> Iterator[Archive]:
    opened = Archive(tmp_path / "state")
    yield opened
    opened.index.close()
