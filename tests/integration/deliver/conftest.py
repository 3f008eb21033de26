"""An index with one run whose results wait."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from dicomnode.index.database import Index
from tests.results_made import index_with_run


@pytest.fixture
def index(tmp_path: Path) -> Iterator[Index]:
    made = index_with_run(tmp_path)
    yield made
    made.close()
