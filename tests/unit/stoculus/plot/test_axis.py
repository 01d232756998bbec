from datetime import date, time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stoculus.calendar import session_hours, to_utc_us, trading_days
from stoculus.errors import InvalidRequest
from stoculus.plot.axis import MarketAxis
from tests.unit.stoculus.plot.made import FRIDAY, MONDAY, axis

DAY_S = 6.5 * 3600
YEAR = axis(date(2023, 1, 3), date(2023, 12, 29))
moments = st.integers(*(to_utc_us(day, time(0)) for day in (date(2022, 12, 1), date(2024, 2, 1))))


def at(day: date, hour: int, minute: int = 0) -> float:
    return float(axis().positions(np.array([to_utc_us(day, time(hour, minute))]))[0])


def test_sessions_follow_each_other_without_nights() -> None:
    assert at(MONDAY, 9, 30) == 0
    assert at(MONDAY, 10) == 1800
    assert at(date(2024, 1, 9), 10) == DAY_S + 1800
    assert axis().length == 5 * DAY_S


def test_a_weekend_and_a_holiday_take_no_room() -> None:
    over = axis(FRIDAY, date(2024, 1, 16))  # Monday the 15th was Martin Luther King's day

    assert over.days == [FRIDAY, date(2024, 1, 16)]
    assert over.length == 2 * DAY_S


def test_a_half_day_is_as_long_as_it_was() -> None:
    assert axis(date(2024, 7, 3), date(2024, 7, 5)).starts.tolist() == [0, 3.5 * 3600, 10 * 3600]


@pytest.mark.parametrize(("hour", "position"), [(6, 0.0), (17, DAY_S), (20, DAY_S)])
def test_what_is_outside_of_the_session_stands_at_its_end(hour: int, position: float) -> None:
    assert at(MONDAY, hour) == pytest.approx(position, abs=1e-5)


def test_the_close_is_before_the_next_open() -> None:
    assert at(MONDAY, 16) < at(date(2024, 1, 9), 9, 30)


def test_clocks_that_change_change_no_length() -> None:
    assert axis(date(2024, 3, 8), date(2024, 3, 11)).length == 2 * DAY_S


@given(st.lists(moments, min_size=2))
def test_later_is_never_further_left(times_us: list[int]) -> None:
    positions = YEAR.positions(np.sort(np.array(times_us)))

    assert (np.diff(positions) >= 0).all()
    assert positions[0] >= 0
    assert positions[-1] <= YEAR.length


def test_a_part_of_the_time_is_cut_out() -> None:
    span = (to_utc_us(MONDAY, time(15)), to_utc_us(date(2024, 1, 9), time(10)))
    cut = MarketAxis.of(trading_days(MONDAY, FRIDAY), lambda day: session_hours(day, "regular"), span)

    assert cut.days == [MONDAY, date(2024, 1, 9)]
    assert cut.starts.tolist() == [0, 3600, 5400]


def test_a_time_without_a_session_is_refused() -> None:
    night = (to_utc_us(MONDAY, time(17)), to_utc_us(MONDAY, time(20)))

    with pytest.raises(InvalidRequest, match="no trading session"):
        MarketAxis.of([MONDAY], lambda day: session_hours(day, "regular"), night)


def test_few_days_have_times() -> None:
    assert [text for _, text in axis(MONDAY, MONDAY).times()] == [
        *("09:30", "10:00", "10:30", "11:00", "11:30", "12:00", "12:30"),
        *("13:00", "13:30", "14:00", "14:30", "15:00", "15:30", "16:00"),
    ]
    assert [text for _, text in axis().times()] == ["12:00", "15:00"] * 5


def test_a_quarter_of_an_hour_has_minutes() -> None:
    span = (to_utc_us(MONDAY, time(9, 50)), to_utc_us(MONDAY, time(10, 5)))
    minutes = MarketAxis.of([MONDAY], lambda day: session_hours(day, "regular"), span)

    assert minutes.times()[:2] == [(0.0, "09:50"), (60.0, "09:51")]
    assert len(minutes.times()) == 16


@pytest.mark.parametrize(
    ("end", "first", "second"),
    [
        (FRIDAY, "Mon 08 Jan", "Tue 09 Jan"),
        (date(2024, 3, 1), "08 Jan", "16 Jan"),
        (date(2024, 12, 31), "Jan 2024", "Feb 2024"),
        (date(2026, 12, 31), "Jan 2024", "Apr 2024"),
        (date(2030, 12, 31), "2024", "2025"),
    ],
)
def test_days_are_named_together_where_there_are_many(end: date, first: str, second: str) -> None:
    stretches = axis(MONDAY, end).stretches()

    assert [stretch.text for stretch in stretches[:2]] == [first, second]
    assert len(stretches) <= 14
    assert stretches[-1].end == axis(MONDAY, end).length
