"""How the index is opened."""

import pytest

from dicomnode.index.database import PATIENCE, _patience, in_parts


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("postgresql+psycopg://node@db/index", PATIENCE),
        ("postgresql+psycopg://node@db/index?tcp_user_timeout=5000", {**PATIENCE, "tcp_user_timeout": None}),
        ("sqlite:///index.sqlite", {}),
    ],
)
def test_a_database_server_that_vanished_is_waited_for_a_minute_or_as_the_url_says(
    url: str, told: dict[str, int | None]
) -> None:
    assert _patience(url) == {name: value for name, value in told.items() if value is not None}


@pytest.mark.parametrize(("count", "sizes"), [(0, []), (3, [3]), (4, [3, 1]), (6, [3, 3])])
def test_many_keys_are_asked_for_in_parts_and_none_is_left_out(count: int, sizes: list[int]) -> None:
    parts = list(in_parts(range(count), 3))

    assert [len(part) for part in parts] == sizes
    assert [key for part in parts for key in part] == list(range(count))
