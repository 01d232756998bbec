from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import date

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stoculus.verify.compare import MOST_KEPT, Comparison, Difference
from stoculus.verify.rows import Rows

OPEN_US = 1_704_205_800_000_000  # 2024-01-02 09:30 in New York
DAY_US = 86_400_000_000
Record = tuple[int, str, str]
"""Milliseconds behind the open, key, body."""


def blocks(records: Sequence[Record], size: int) -> Iterator[Rows]:
    for start in range(0, len(records), size):
        part = records[start : start + size]
        yield Rows(
            np.arange(start, start + len(part)),
            pa.array([key.encode() for _, key, _ in part], pa.binary()),
            np.array([OPEN_US + ms * 1000 for ms, _, _ in part], np.int64),
            pa.array([body.encode() for _, _, body in part], pa.binary()),
        )


def compared(topic: Sequence[Record], vendor: Sequence[Record], size: int = 3) -> Comparison:
    comparison = Comparison()
    comparison.run(blocks(topic, size), blocks(vendor, size + 1))
    return comparison


def only(topic: Sequence[Record], vendor: Sequence[Record], size: int = 3) -> Difference:
    [difference] = compared(topic, vendor, size).differences
    return difference


def ticks(count: int) -> list[Record]:
    """Ticks of one stock, every third of the time of the one before it; some are equal in all."""
    return [(n - n % 3 % 2, "AAPL", f"body {n - n % 3 % 2}") for n in range(count)]


TAPE = ticks(40)
SIZES = pytest.mark.parametrize("size", [1, 2, 5, 100])
MOMENTS = st.lists(st.tuples(st.integers(0, 12), st.sampled_from("AB"), st.sampled_from("xyz")), max_size=30)


@SIZES
def test_equal_sides_do_not_differ(size: int) -> None:
    assert compared(TAPE, TAPE, size).counts == Counter()
    assert compared([], [], size).differences == []


@SIZES
@pytest.mark.parametrize("place", [0, 1, 20, 39])
def test_a_record_that_is_missing(place: int, size: int) -> None:
    found = only([*TAPE[:place], *TAPE[place + 1 :]], TAPE, size)

    assert (found.kind, found.records, found.topic) == ("missing", 1, None)
    assert found.vendor is not None
    assert found.vendor.body.decode() == TAPE[place][2]


@SIZES
@pytest.mark.parametrize("place", [0, 1, 20, 39])
def test_a_record_that_stands_twice(place: int, size: int) -> None:
    found = only([*TAPE[: place + 1], *TAPE[place:]], TAPE, size)

    assert (found.kind, found.records) == ("doubled", 1)
    assert found.topic is not None
    assert found.topic.body.decode() == TAPE[place][2]


@SIZES
@pytest.mark.parametrize("place", [1, 2, 5, 38])
def test_neighbours_of_different_times_that_are_swapped(place: int, size: int) -> None:
    found = only([*TAPE[:place], TAPE[place + 1], TAPE[place], *TAPE[place + 2 :]], TAPE, size)

    assert (found.kind, found.records, found.offset) == ("swapped", 1, place)


@SIZES
def test_neighbours_of_one_time_that_are_swapped(size: int) -> None:
    chain = [(n // 4, key, "quote") for n, key in enumerate("ABCD" * 6)]

    found = only([*chain[:9], chain[10], chain[9], *chain[11:]], chain, size)

    assert (found.kind, found.records, found.offset) == ("swapped", 2, 9)
    assert (found.topic and found.topic.key, found.vendor and found.vendor.key) == (b"C", b"B")


@SIZES
@pytest.mark.parametrize("place", [0, 20, 39])
def test_a_record_that_is_altered(place: int, size: int) -> None:
    found = only([*TAPE[:place], (TAPE[place][0], "AAPL", "other"), *TAPE[place + 1 :]], TAPE, size)

    assert (found.kind, found.offset) == ("altered", place)
    assert (found.topic and found.topic.body) == b"other"
    assert (found.vendor and found.vendor.body.decode()) == TAPE[place][2]


@SIZES
@pytest.mark.parametrize("shift", [-1, 1])
def test_a_record_with_another_time(size: int, shift: int) -> None:
    tape = [(n * 10, "AAPL", str(n)) for n in range(20)]

    found = only([*tape[:7], (70 + shift, "AAPL", "7"), *tape[8:]], tape, size)

    assert (found.kind, found.topic and found.topic.body, found.vendor and found.vendor.body) == ("altered", b"7", b"7")


@SIZES
def test_a_record_of_a_far_future_does_not_hide_what_follows(size: int) -> None:
    found = compared([*TAPE[:10], (10**9, "AAPL", "late"), *TAPE[10:]], TAPE, size)

    assert found.counts == Counter(surplus=1)


@SIZES
def test_each_day_that_is_missing_is_one_difference(size: int) -> None:
    days = [(ms + day * DAY_US // 1000, key, body) for day in range(4) for ms, key, body in TAPE]

    found = compared([*days[:40], *days[120:]], days, size).differences

    assert [(one.kind, one.records, one.day) for one in found] == [
        ("missing", 40, date(2024, 1, 3)),
        ("missing", 40, date(2024, 1, 4)),
    ]
    assert {one.offset for one in found} == {40}


@SIZES
def test_a_side_that_ends_early(size: int) -> None:
    assert [(one.kind, one.records) for one in compared(TAPE[:12], TAPE, size).differences] == [("missing", 28)]
    assert [(one.kind, one.records) for one in compared(TAPE, TAPE[:12], size).differences] == [("surplus", 28)]
    assert compared([], TAPE).counts == Counter(missing=40)


def test_a_block_that_was_written_twice_is_surplus() -> None:
    found = compared([*TAPE[:30], *TAPE[12:30], *TAPE[30:]], TAPE)

    assert sum(found.counts.values()) == 18
    assert set(found.counts) == {"surplus"}


def test_more_differences_than_are_kept_are_counted() -> None:
    tape = [(n, "AAPL", "this") for n in range(MOST_KEPT + 50)]

    found = compared(tape, [(ms, key, "that") for ms, key, _ in tape], 500)

    assert (len(found.differences), found.counts) == (MOST_KEPT, Counter(altered=MOST_KEPT + 50))


@given(MOMENTS, MOMENTS, st.integers(1, 40))
@settings(max_examples=200, deadline=None)
def test_whatever_differs_is_found_and_counted(some: list[Record], others: list[Record], size: int) -> None:
    vendor = sorted(some, key=lambda record: record[0])

    found = compared(others, vendor, size).counts

    assert (not found) == (others == vendor)
    assert len(others) - len(vendor) == found["surplus"] + found["doubled"] - found["missing"]


@given(MOMENTS, st.data())
@settings(max_examples=100, deadline=None)
def test_one_record_less_or_more_is_one_difference(some: list[Record], data: st.DataObject) -> None:
    vendor = sorted(some, key=lambda record: record[0])
    size = data.draw(st.integers(1, 40))
    if vendor:
        place = data.draw(st.integers(0, len(vendor) - 1))
        assert compared([*vendor[:place], *vendor[place + 1 :]], vendor, size).counts == Counter(missing=1)
        assert compared([*vendor[:place], vendor[place], *vendor[place:]], vendor, size).counts == Counter(doubled=1)
