"""The tape's clock: today's tape, a played one, and connections that stand still."""

from datetime import date

from hypothesis import given
from hypothesis import strategies as st

from services.live_stream.bars.grid import midnight_us
from services.live_stream.clock import NEAR_WALL_US, TapeClock

SECOND_US = 1_000_000
WALL_US = midnight_us(date(2026, 11, 20)) + 40_000 * SECOND_US
PLAYED_US = midnight_us(date(2013, 10, 7)) + 34_200 * SECOND_US


def test_before_the_first_event_the_clock_says_nothing() -> None:
    clock = TapeClock()
    clock.heard(WALL_US)

    assert clock.now_us is None
    assert clock.first_us is None


def test_at_night_it_becomes_the_wall_clock_though_no_event_comes() -> None:
    clock = TapeClock()
    for second in range(31):
        clock.heard(WALL_US + second * SECOND_US)
    assert clock.now_us == WALL_US + 30 * SECOND_US

    clock.saw(PLAYED_US, WALL_US + 31 * SECOND_US)
    assert clock.now_us == PLAYED_US


def test_where_events_are_expected_silence_settles_nothing() -> None:
    clock = TapeClock()
    clock.expects_data = True
    clock.saw(WALL_US, WALL_US)
    for second in range(10):
        clock.heard(WALL_US + second * SECOND_US)
    assert clock.settled_us(2 * SECOND_US) is None

    clock.saw(WALL_US + 10 * SECOND_US, WALL_US + 10 * SECOND_US)
    clock.heard(WALL_US + 11 * SECOND_US)
    assert clock.settled_us(2 * SECOND_US) == WALL_US + 8 * SECOND_US

    clock.expects_data = False
    assert clock.settled_us(2 * SECOND_US) == WALL_US + 9 * SECOND_US


def test_a_late_event_and_then_none_stop_no_clock() -> None:
    clock = TapeClock()
    clock.saw(WALL_US, WALL_US)
    clock.saw(WALL_US + SECOND_US, WALL_US + 600 * SECOND_US)
    assert not clock.is_wall
    for second in range(40):
        clock.heard(WALL_US + (600 + second) * SECOND_US)

    assert clock.now_us == WALL_US + 639 * SECOND_US


def test_of_a_played_tape_nobody_knows_before_it_plays() -> None:
    clock = TapeClock(is_played=True)
    for second in range(100):
        clock.heard(WALL_US + second * SECOND_US)

    assert clock.now_us is None


def test_within_a_minute_of_the_wall_clock_it_is_the_wall_clock() -> None:
    clock = TapeClock()
    clock.saw(WALL_US - 900_000, WALL_US)
    clock.heard(WALL_US + 7 * SECOND_US)

    assert clock.now_us == WALL_US + 7 * SECOND_US
    assert clock.is_wall


def test_it_stands_still_with_the_connection() -> None:
    clock = TapeClock()
    clock.saw(WALL_US, WALL_US)

    assert clock.now_us == WALL_US
    clock.heard(WALL_US + SECOND_US)
    assert clock.now_us == WALL_US + SECOND_US


def test_a_played_tape_goes_on_at_its_own_speed_while_it_is_quiet() -> None:
    clock = TapeClock()
    for second in range(8):
        clock.saw(PLAYED_US + second * 60 * SECOND_US, WALL_US + second * SECOND_US)
    clock.heard(WALL_US + 9 * SECOND_US)

    assert clock.now_us == PLAYED_US + 9 * 60 * SECOND_US
    assert clock.tape_us(SECOND_US) == 60 * SECOND_US


def test_a_played_tape_ends_with_its_day() -> None:
    clock = TapeClock()
    for second in range(8):
        clock.saw(PLAYED_US + second * 3_600 * SECOND_US, WALL_US + second * SECOND_US)
    clock.heard(WALL_US + 1_000 * SECOND_US)

    assert clock.now_us == midnight_us(date(2013, 10, 8)) - 1


def test_the_first_event_of_a_new_connection_sets_the_clock_even_back() -> None:
    clock = TapeClock()
    clock.saw(PLAYED_US, WALL_US)
    clock.connected()

    assert clock.now_us == PLAYED_US
    clock.saw(PLAYED_US - 3_600 * SECOND_US, WALL_US + SECOND_US)
    assert clock.now_us == PLAYED_US - 3_600 * SECOND_US
    assert clock.first_us == PLAYED_US - 3_600 * SECOND_US


def test_the_first_event_is_the_earliest_of_those_that_came_together() -> None:
    clock = TapeClock()
    clock.saw(PLAYED_US + 9, WALL_US, PLAYED_US + 2)
    clock.saw(PLAYED_US + 5, WALL_US, PLAYED_US)
    clock.saw(PLAYED_US + 10, WALL_US + 1, PLAYED_US - 1)

    assert clock.first_us == PLAYED_US


def test_an_event_of_the_future_is_not_believed() -> None:
    clock = TapeClock()
    clock.saw(WALL_US, WALL_US)
    clock.saw(WALL_US + NEAR_WALL_US + 2, WALL_US + 1)

    assert clock.now_us == WALL_US + 1 or clock.now_us == WALL_US


def test_what_it_said_a_grace_ago_is_settled() -> None:
    clock = TapeClock()
    for second in range(8):
        clock.saw(PLAYED_US + second * 60 * SECOND_US, WALL_US + second * SECOND_US)
        clock.heard(WALL_US + second * SECOND_US)

    assert clock.settled_us(2 * SECOND_US) == PLAYED_US + 5 * 60 * SECOND_US
    clock.heard(WALL_US + 30 * SECOND_US)
    assert clock.settled_us(2 * SECOND_US) == PLAYED_US + 7 * 60 * SECOND_US


def test_nothing_is_settled_before_the_grace_is_over() -> None:
    clock = TapeClock()
    clock.saw(PLAYED_US, WALL_US)
    clock.heard(WALL_US + SECOND_US)

    assert clock.settled_us(2 * SECOND_US) is None


@given(st.lists(st.tuples(st.integers(-5_000, 60_000), st.integers(0, 3_000)), max_size=50))
def test_on_one_connection_it_never_goes_back_behind_an_event(steps: list[tuple[int, int]]) -> None:
    clock, event_us, wall_us, largest_us = TapeClock(), PLAYED_US, WALL_US, 0
    for step_ms, passed_ms in steps:
        event_us, wall_us = event_us + step_ms * 1000, wall_us + passed_ms * 1000
        clock.saw(event_us, wall_us)
        largest_us = max(largest_us, event_us)
        assert clock.now_us is not None
        assert clock.now_us >= min(largest_us, midnight_us(date(2013, 10, 8)) - 1)
