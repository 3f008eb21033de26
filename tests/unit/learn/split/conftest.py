from collections.abc import Iterator
from pathlib import Path

import pytest

from dicomnode.index.database import Index


@pytest.fixture
def index(tmp_path: Path) -> Iterator[Index]:
    index = Index(f"sqlite:///{tmp_path}/index.sqlite")
    index.migrate()
    yield index
    index.close()
