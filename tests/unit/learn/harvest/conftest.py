"""An empty index for each test."""

from pathlib import Path

import pytest

from dicomnode.index.database import Index
from tests.index_made import index_made


@pytest.fixture
def index(tmp_path: Path) -> Index:
    """An index of the test's own."""
    return index_made(tmp_path / "index.sqlite")
