"""A bundle's folder is importable once it is loaded; here it is so for one test alone."""

import sys
from collections.abc import Iterator

import pytest


@pytest.fixture(autouse=True)
def import_path_as_before() -> Iterator[None]:
    path, caches = list(sys.path), (sys.dont_write_bytecode, sys.pycache_prefix)
    yield
    sys.path[:] = path
    sys.dont_write_bytecode, sys.pycache_prefix = caches
