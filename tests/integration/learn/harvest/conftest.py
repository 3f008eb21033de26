"""A node that learns."""

from pathlib import Path

import pytest

from tests.integration.learn.harvest.reader_made import learning_site
from tests.site_made import Site


@pytest.fixture
def site(tmp_path: Path) -> Site:
    """A node that takes labels from the AE title READER."""
    return learning_site(tmp_path)
