"""How the index is opened."""

import pytest

from dicomnode.index.database import PATIENCE, _patience


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
