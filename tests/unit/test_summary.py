import pytest

from dicomnode.summary import percent


@pytest.mark.parametrize(
    ("probability", "said"),
    [(0.0, "under 1 %"), (0.0099, "under 1 %"), (0.012, "1 %"), (0.653, "65 %"), (0.989, "99 %"), (0.995, "over 99 %")],
)
def test_a_probability_is_never_said_to_be_nothing_or_certain(probability: float, said: str) -> None:
    assert percent(probability) == said
