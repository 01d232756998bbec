from datetime import UTC, date, datetime

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stoculus.errors import InvalidRequest
from stoculus.reading.times import end_us, new_york_days, sliced, start_us
from stoculus.records.catalog import record_type
from tests.unit.stoculus.reading.feeds import OPEN_US, records

QUOTE = record_type("StockQuote")
DAY_US = 86_400_000_000
MIDNIGHT_US = OPEN_US - 34_200_000_000


@pytest.mark.parametrize(
    "moment",
    [
        "2024-01-02T09:30",
        "2024-01-02T14:30:00Z",
        datetime(2024, 1, 2, 14, 30, tzinfo=UTC),
        datetime(2024, 1, 2, 9, 30),  # noqa: DTZ001
    ],
)
def test_a_moment_means_the_same_as_start_and_as_end(moment: str | datetime) -> None:
    assert start_us(moment) == end_us(moment) == OPEN_US


@pytest.mark.parametrize("day", ["2024-01-02", date(2024, 1, 2)])
def test_a_day_begins_at_midnight_and_is_included_as_end(day: str | date) -> None:
    assert (start_us(day), end_us(day)) == (MIDNIGHT_US, MIDNIGHT_US + DAY_US)


def test_a_text_that_is_no_time_is_refused() -> None:
    with pytest.raises(InvalidRequest, match="'noon' is not a time"):
        end_us("noon")


def test_a_day_of_23_hours_ends_at_its_midnight() -> None:
    assert end_us("2024-03-10") - start_us("2024-03-10") == 23 * 3_600_000_000


def test_days_are_new_yorks() -> None:
    batch = records(QUOTE, [MIDNIGHT_US - 1, MIDNIGHT_US, MIDNIGHT_US + DAY_US])

    assert (new_york_days(batch["ts_event"]) - (date(2024, 1, 1) - date(1970, 1, 1)).days).tolist() == [0, 1, 2]


def test_an_unknown_length_is_refused() -> None:
    with pytest.raises(InvalidRequest, match="'7m' is no length of time"):
        list(sliced([], "7m"))


@given(
    st.lists(st.integers(0, 3 * DAY_US // 60_000_000).map(lambda n: OPEN_US + n * 60_000_000), max_size=60).map(sorted),
    st.lists(st.integers(1, 7), min_size=1),
    st.sampled_from(["1m", "1h", "1d"]),
)
def test_slices_hold_all_records_and_each_one_stretch(times: list[int], sizes: list[int], every: str) -> None:
    whole = records(QUOTE, times)
    pieces: list[pa.RecordBatch] = []
    first = 0
    while first < len(times):
        size = sizes[len(pieces) % len(sizes)]
        pieces.append(whole.slice(first, size))
        first += size

    found = list(sliced(pieces, every))

    assert [row for batch in found for row in batch.to_pylist()] == whole.to_pylist()
    lengths = {"1m": 60_000_000, "1h": 3_600_000_000, "1d": DAY_US}
    numbers = [
        {(time.as_py() - MIDNIGHT_US) // lengths[every] for time in batch["ts_event"].cast(pa.int64())}
        for batch in found
    ]
    assert all(len(each) == 1 for each in numbers)
    assert len({number for each in numbers for number in each}) == len(found)
