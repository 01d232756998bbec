from datetime import UTC, date, datetime, time, timedelta, tzinfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stoculus import calendar
from stoculus.calendar import (
    FIRST_DAY,
    LAST_DAY,
    NEW_YORK,
    is_settled,
    is_trading_day,
    market_time_us,
    nearest_trading_days,
    new_york_day,
    session_close,
    session_hours,
    settled_from,
    to_utc,
    trading_days,
)
from stoculus.errors import InvalidRequest
from tests import nyse_days


def test_the_days_are_those_of_exchange_calendars() -> None:
    assert nyse_days.TABLE.read_text() == nyse_days.table(), "`make calendar` writes them anew"


DAYS = st.dates(FIRST_DAY, LAST_DAY)


@pytest.mark.parametrize("day", [date(2015, 12, 24), date(2023, 7, 3), date(2024, 11, 29), date(2024, 12, 24)])
def test_a_half_day_ends_at_one(day: date) -> None:
    assert session_close(day) == time(13)
    assert session_hours(day, "regular") == (time(9, 30), time(13))


@pytest.mark.parametrize("day", [date(2015, 12, 23), date(2013, 10, 7), date(2024, 3, 11), date(2024, 11, 4)])
def test_an_ordinary_day_ends_at_four(day: date) -> None:
    assert session_hours(day, "regular") == (time(9, 30), time(16))


def test_the_extended_session_is_the_whole_day_on_half_days_too() -> None:
    assert session_hours(date(2015, 12, 24), "extended") == (time(0), time(23, 59, 59, 999_000))


@pytest.mark.parametrize(
    "day",
    [date(2012, 10, 29), date(2012, 10, 30), date(2025, 1, 9), date(2024, 7, 4), date(2001, 9, 11), date(2024, 1, 6)],
)
def test_closed_days_planned_or_not_are_no_trading_days(day: date) -> None:
    assert not is_trading_day(day)
    assert trading_days(day, day) == []


def test_trading_days_include_both_ends() -> None:
    assert trading_days(date(2024, 1, 2), date(2024, 1, 5)) == [date(2024, 1, day) for day in (2, 3, 4, 5)]
    assert trading_days(date(2012, 10, 26), date(2012, 10, 31)) == [date(2012, 10, 26), date(2012, 10, 31)]


@given(DAYS, st.integers(0, 40))
def test_trading_days_are_the_open_days_of_the_span(start: date, length: int) -> None:
    end = min(start + timedelta(days=length), LAST_DAY)
    span = [start + timedelta(days=n) for n in range((end - start).days + 1)]

    assert trading_days(start, end) == [day for day in span if is_trading_day(day)]


def test_days_outside_of_the_calendar_are_refused_with_their_field() -> None:
    with pytest.raises(InvalidRequest, match="1998") as caught:
        trading_days(date(1997, 12, 31), date(2024, 1, 2))
    assert caught.value.field == "start"
    with pytest.raises(InvalidRequest) as caught:
        trading_days(date(2024, 1, 2), date(2031, 1, 1))
    assert caught.value.field == "end"


def test_the_nearest_trading_days_of_a_closed_day_are_named() -> None:
    assert nearest_trading_days(date(2012, 10, 29)) == (date(2012, 10, 26), date(2012, 10, 31))
    assert nearest_trading_days(date(1998, 1, 2))[0] is None
    assert nearest_trading_days(LAST_DAY)[1] is None


@given(DAYS)
def test_nearest_trading_days_stand_on_both_sides(day: date) -> None:
    before, after = nearest_trading_days(day)

    assert before is None or (before < day and is_trading_day(before))
    assert after is None or (after > day and is_trading_day(after))


def test_a_day_is_settled_from_a_quarter_to_two_on() -> None:
    day = date(2024, 1, 2)
    at = datetime(2024, 1, 3, 1, 45, tzinfo=NEW_YORK)

    assert settled_from(day) == at
    assert is_settled(day, at.astimezone(UTC))
    assert not is_settled(day, at.astimezone(UTC) - timedelta(microseconds=1))


def test_a_day_is_settled_by_new_york_time_on_both_sides_of_a_change() -> None:
    # The night to 2024-03-11 has UTC-4, the one to 2024-03-09 UTC-5. On 2024-11-03, 01:45 comes twice: the first.
    assert settled_from(date(2024, 3, 8)).astimezone(UTC) == datetime(2024, 3, 9, 6, 45, tzinfo=UTC)
    assert settled_from(date(2024, 3, 11)).astimezone(UTC) == datetime(2024, 3, 12, 5, 45, tzinfo=UTC)
    assert settled_from(date(2024, 11, 2)).astimezone(UTC) == datetime(2024, 11, 3, 5, 45, tzinfo=UTC)


@pytest.mark.parametrize(
    ("day", "utc_hour"),
    [(date(2024, 3, 8), 14), (date(2024, 3, 11), 13), (date(2024, 11, 1), 13), (date(2024, 11, 4), 14)],
)
def test_the_open_moves_in_utc_when_the_clocks_change(day: date, utc_hour: int) -> None:
    assert to_utc(day, calendar.OPEN) == datetime(day.year, day.month, day.day, utc_hour, 30, tzinfo=UTC)


def test_of_a_doubled_hour_the_first_is_taken() -> None:
    assert to_utc(date(2024, 11, 3), time(1, 30)) == datetime(2024, 11, 3, 5, 30, tzinfo=UTC)


def test_the_new_york_day_of_a_moment_changes_at_new_york_midnight() -> None:
    assert new_york_day(datetime(2024, 1, 3, 4, 59, 59, tzinfo=UTC)) == date(2024, 1, 2)
    assert new_york_day(datetime(2024, 1, 3, 5, 0, tzinfo=UTC)) == date(2024, 1, 3)


@given(DAYS, st.times())
def test_wall_time_to_utc_and_back_is_the_same_day(day: date, at: time) -> None:
    assert new_york_day(to_utc(day, at)) == day


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2024-01-02", datetime(2024, 1, 2, 5, tzinfo=UTC)),
        ("2024-01-02T09:30", datetime(2024, 1, 2, 14, 30, tzinfo=UTC)),
        ("2024-07-02 09:30:00.250", datetime(2024, 7, 2, 13, 30, 0, 250_000, UTC)),
        ("2024-01-02T14:30:00Z", datetime(2024, 1, 2, 14, 30, tzinfo=UTC)),
        ("2024-01-02T15:30:00+01:00", datetime(2024, 1, 2, 14, 30, tzinfo=UTC)),
        ("2024-11-03T01:30", datetime(2024, 11, 3, 5, 30, tzinfo=UTC)),  # of the doubled hour the first
    ],
)
def test_a_time_without_offset_is_new_york_time(text: str, moment: datetime) -> None:
    assert market_time_us(text) == int(moment.timestamp()) * 1_000_000 + moment.microsecond


@given(st.integers(0, 2_000_000_000_000_000), st.sampled_from([UTC, NEW_YORK]))
def test_a_time_with_offset_is_exact(time_us: int, zone: tzinfo) -> None:
    moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=time_us)

    assert market_time_us(moment.astimezone(zone).isoformat()) == time_us


@pytest.mark.parametrize("text", ["", "today", "09:30", "2024-13-01", "1704205800"])
def test_what_is_no_time_is_refused_with_its_field(text: str) -> None:
    with pytest.raises(InvalidRequest, match="is not a time") as refused:
        market_time_us(text, field="from")

    assert refused.value.field == "from"
