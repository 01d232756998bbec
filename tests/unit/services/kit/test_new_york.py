"""The clock of New York by columns against `zoneinfo`, row by row."""

from datetime import UTC, date, datetime, timedelta
from typing import cast

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.kit.new_york import UTC_US, days_of, to_utc
from stoculus.calendar import NEW_YORK

FIRST, LAST = datetime(2012, 1, 1), datetime(2030, 12, 31, 23, 59, 59, 999_999)  # noqa: DTZ001
# Missing hours, doubled hours, and the nights round them.
CHANGES = [datetime(year, month, day) for year, month, day in ((2024, 3, 10), (2024, 11, 3), (2025, 3, 9))]  # noqa: DTZ001
WALL_TIMES = st.datetimes(FIRST, LAST) | st.builds(
    lambda night, offset: night + offset,
    st.sampled_from(CHANGES),
    st.timedeltas(timedelta(hours=-2), timedelta(hours=5)),
)
LOCAL = pa.timestamp("us")


def by_zoneinfo(wall: datetime | None) -> datetime | None:
    return wall and wall.replace(tzinfo=NEW_YORK).astimezone(UTC)


@given(st.lists(st.none() | WALL_TIMES, max_size=30))
def test_each_wall_time_becomes_the_utc_of_zoneinfo_and_nulls_stay(walls: list[datetime | None]) -> None:
    utc = to_utc(pa.array(walls, LOCAL))

    assert str(utc.type) == str(UTC_US)
    assert utc.to_pylist() == [by_zoneinfo(wall) for wall in walls]


@given(st.lists(WALL_TIMES, min_size=2, max_size=20), st.data())
def test_a_slice_is_converted_as_its_rows_alone(walls: list[datetime], data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(walls)))

    assert to_utc(pa.array(walls, LOCAL)[start:]).to_pylist() == [by_zoneinfo(wall) for wall in walls[start:]]


@pytest.mark.parametrize(
    ("wall", "utc"),
    [
        ("2024-03-08T09:30:00", "2024-03-08T14:30:00"),
        ("2024-03-11T09:30:00", "2024-03-11T13:30:00"),
        ("2024-11-01T16:00:00", "2024-11-01T20:00:00"),
        ("2024-11-04T16:00:00", "2024-11-04T21:00:00"),
        ("2024-11-03T01:30:00", "2024-11-03T05:30:00"),  # the first of the two
        ("2015-12-24T13:00:00.001", "2015-12-24T18:00:00.001"),
    ],
)
def test_known_moments(wall: str, utc: str) -> None:
    [converted] = to_utc(pa.array([datetime.fromisoformat(wall)], LOCAL)).to_pylist()

    assert converted == datetime.fromisoformat(utc).replace(tzinfo=UTC)


@given(st.lists(st.datetimes(FIRST, LAST, timezones=st.just(UTC)), max_size=30).map(sorted))
def test_the_new_york_days_of_ascending_times_are_those_of_zoneinfo(moments: list[datetime]) -> None:
    days = days_of(cast(pa.TimestampArray, pa.array(moments, UTC_US)))

    assert [date(1970, 1, 1) + timedelta(days=int(day)) for day in days] == [
        moment.astimezone(NEW_YORK).date() for moment in moments
    ]
