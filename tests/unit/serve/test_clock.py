"""A clock that is set back is noticed."""

from dicomnode.serve.clock import ClockWatch


class Clock:
    """A clock that the test moves."""

    def __init__(self, at_s: float) -> None:
        self.at_s = at_s

    def __call__(self) -> float:
        return self.at_s


def test_a_clock_that_is_set_back_is_noticed_once_and_a_small_correction_is_not() -> None:
    wall, monotonic = Clock(1_000_000.0), Clock(50.0)
    watch = ClockWatch(wall, monotonic)

    wall.at_s, monotonic.at_s = 1_000_029.0, 80.0  # one second slower
    assert watch.set_back_s() == 0.0
    wall.at_s, monotonic.at_s = 996_459.0, 110.0  # 30 s on, and an hour back
    assert watch.set_back_s() == 3600.0
    wall.at_s, monotonic.at_s = 996_489.0, 140.0
    assert watch.set_back_s() == 0.0
