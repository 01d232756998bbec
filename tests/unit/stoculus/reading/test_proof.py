from datetime import UTC, date, datetime, timedelta
from typing import Any

import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from stoculus.calendar import new_york_day
from stoculus.reading.proof import day_runs


def times(*moments: datetime) -> Any:
    return pa.array(moments, pa.timestamp("us", "UTC"))


def test_a_new_york_day_goes_on_after_midnight_utc() -> None:
    friday = datetime(2024, 3, 9, 0, 30, tzinfo=UTC)

    assert list(day_runs(times(friday, friday + timedelta(hours=5)))) == [
        (date(2024, 3, 8), 0, 1),
        (date(2024, 3, 9), 1, 1),
    ]


@given(st.lists(st.integers(1_300_000_000, 1_900_000_000), min_size=1).map(sorted))
def test_runs_are_the_days_of_the_records(moments_s: list[int]) -> None:
    aware = [datetime.fromtimestamp(moment, UTC) for moment in moments_s]

    runs = list(day_runs(times(*aware)))

    found = [day for day, _, count in runs for _ in range(count)]
    assert found == [new_york_day(moment) for moment in aware]
    assert [start for _, start, _ in runs] == [sum(c for _, _, c in runs[:n]) for n in range(len(runs))]
    assert len({day for day, _, _ in runs}) == len(runs)
