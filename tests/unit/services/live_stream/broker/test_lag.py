"""The time from receipt to acknowledgement, told by what the producer holds."""

from services.live_stream.broker.lag import Lag


class Told:
    """A lag at a wall clock that the test sets, and what it told."""

    def __init__(self) -> None:
        self.now_us = 0
        self.ms: list[float] = []
        self.lag = Lag(self.ms.append, lambda: self.now_us)


def test_a_batch_is_told_when_all_its_records_are_acknowledged() -> None:
    told = Told()
    told.lag.handed(3, 1_000)
    told.now_us = 3_000
    told.lag.held(1)
    assert told.ms == []

    told.now_us = 6_000
    told.lag.held(0)
    told.lag.held(0)

    assert told.ms == [5.0]


def test_later_batches_do_not_hold_up_earlier_ones() -> None:
    told = Told()
    told.lag.handed(3, 0)
    told.lag.handed(4, 2_000)
    told.now_us = 5_000
    told.lag.held(4)
    told.now_us = 9_000
    told.lag.held(0)

    assert told.ms == [5.0, 7.0]


def test_what_is_not_live_is_waited_for_but_not_told() -> None:
    told = Told()
    told.lag.handed(10)
    told.lag.handed(0, 500)
    told.lag.handed(1, 1_000)
    told.now_us = 4_000
    told.lag.held(1)
    assert told.ms == []
    told.lag.held(0)

    assert told.ms == [3.0]


def test_a_clock_that_was_set_back_makes_no_negative_lag() -> None:
    told = Told()
    told.lag.handed(1, 5_000)
    told.now_us = 1_000
    told.lag.held(0)

    assert told.ms == [0.0]
