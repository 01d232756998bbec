"""Which time a replay passes over."""

from datetime import datetime
from types import SimpleNamespace
from typing import Any

import pytest

from stoculus.calendar import market_time_us
from stoculus.replay.hours import Hours
from stoculus.replay.times import moment, new_york

STOCK: Any = SimpleNamespace(symbol="AAPL", schema=SimpleNamespace(asset="stock"))
LATE: Any = SimpleNamespace(symbol="SPXW", schema=SimpleNamespace(asset="option"))


def jump(position: str, next_one: str, feed: Any = STOCK) -> str | None:
    found = Hours([feed]).jump(market_time_us(position), market_time_us(next_one))
    return None if found is None else new_york(found)


@pytest.mark.parametrize(
    ("position", "next_one", "target"),
    [
        ("2024-01-02T16:00", "2024-01-03T09:31", None),  # the close itself is of the session
        ("2024-01-02T16:00:00.002", "2024-01-03T09:31", "2024-01-03T09:30:00"),
        ("2024-01-05T16:00:01", "2024-01-08T09:30", "2024-01-08T09:30:00"),  # a weekend
        ("2024-01-12T17:00", "2024-01-16T09:45", "2024-01-16T09:30:00"),  # with a holiday
        ("2024-07-03T13:00:01", "2024-07-05T09:30", "2024-07-05T09:30:00"),  # a half day and a holiday
        ("2024-03-08T16:30", "2024-03-11T09:30", "2024-03-11T09:30:00"),  # the clocks change
        ("2024-01-02T16:00:01", "2024-01-02T17:15", "2024-01-02T17:15:00"),  # a report of the day
        ("2024-01-02T16:00:01", "2024-01-02T16:30:01", None),  # late trades keep their distance
        ("2024-01-03T04:00", "2024-01-03T04:00:07", None),
        ("2024-01-03T08:59:59", "2024-01-03T09:31", "2024-01-03T09:30:00"),
        ("2024-01-03T09:10", "2024-01-03T09:31", None),
        ("2024-01-03T10:00", "2024-01-03T15:00", None),  # a quiet stock in market hours
        ("2030-12-31T16:30", "2032-01-02T10:00", "2032-01-02T10:00:00"),  # beyond the calendar
    ],
)
def test_time_between_sessions_is_passed_over(position: str, next_one: str, target: str | None) -> None:
    assert jump(position, next_one) == target


def test_options_that_trade_late_have_their_own_close() -> None:
    assert jump("2024-01-02T16:10", "2024-01-03T09:31", LATE) is None
    assert jump("2024-01-02T16:15:01", "2024-01-03T09:31", LATE) == "2024-01-03T09:30:00"


def test_a_time_is_told_as_a_start_is_given() -> None:
    assert new_york(market_time_us("2024-01-02T09:30:00.120")) == "2024-01-02T09:30:00.12"
    assert moment(0) == datetime.fromisoformat("1970-01-01T00:00:00Z")
