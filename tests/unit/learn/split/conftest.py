from collections.abc import Iterator
from pathlib import Path

import pytest

from dicomnode.index.database import Index
from tests.index_made import index_made


@pytest.fixture
def index(tmp_path: Path) -> Iterator[Index]:
    index = index_made(tmp_path / "index.sqlite")
    yield index
    index.close()
