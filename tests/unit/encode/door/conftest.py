"""One run's results, made once for the tests of the door."""

import pytest

from tests.phantom import mr_series
from tests.unit.encode.examples import Example, segmentation_results


@pytest.fixture(scope="session")
def example(tmp_path_factory: pytest.TempPathFactory) -> Example:
    return segmentation_results(mr_series(), tmp_path_factory.mktemp("door"))
