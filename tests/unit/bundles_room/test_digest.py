"""What tells one version of a bundle from another, read once."""

import os
from pathlib import Path

import pytest

from dicomnode.bundles import digest as digests
from dicomnode.bundles.digest import content_digest, digest


@pytest.fixture
def weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file that was read once, as if long after it was written."""
    monkeypatch.setattr(digests, "FRESH_S", 0.0)
    path = tmp_path / "models" / "model.pt"
    path.parent.mkdir()
    path.write_bytes(b"weights")
    content_digest(path)
    return path


def test_a_file_that_nobody_touched_is_not_read_again(weights: Path) -> None:
    before = digests._remembered_digest.cache_info()

    content_digest(weights)

    after = digests._remembered_digest.cache_info()
    assert (after.hits, after.misses) == (before.hits + 1, before.misses)


def test_a_change_that_hides_behind_size_and_time_is_seen(weights: Path) -> None:
    was, times = content_digest(weights), weights.stat()

    weights.write_bytes(b"weighed")
    os.utime(weights, ns=(times.st_atime_ns, times.st_mtime_ns))

    assert weights.stat().st_size == times.st_size
    assert weights.stat().st_mtime_ns == times.st_mtime_ns
    assert content_digest(weights) != was


def test_a_file_that_takes_anothers_place_is_seen(weights: Path) -> None:
    was, other = digest(weights.parents[1]), weights.with_name("other")
    other.write_bytes(b"weighed")
    other.replace(weights)

    assert digest(weights.parents[1]) != was


def test_a_file_changed_a_moment_ago_is_always_read(tmp_path: Path) -> None:
    path = tmp_path / "model.pt"
    path.write_bytes(b"one")
    before = digests._remembered_digest.cache_info()

    content_digest(path)

    assert digests._remembered_digest.cache_info() == before
