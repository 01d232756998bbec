"""Windows: feeds merged by time, and their frames."""

from collections.abc import Iterator
from datetime import date
from typing import Any

import numpy as np
import orjson
from hypothesis import given, settings
from hypothesis import strategies as st

from simulator.stream.feeds import Feed, Kind
from simulator.stream.window import WANTED_ROWS, Window, next_end, refreshed, window

DAY = date(2024, 1, 3)
TIMES = st.lists(st.integers(0, 40), max_size=12).map(sorted)


def quotes(name: str, times: list[int]) -> Feed:
    ms = np.array(times, np.int64)
    return Feed(Kind.QUOTE, f'{{"root":"{name}"}}', ms, (ms, *(ms + number for number in range(8))))


def trades(name: str, times: list[int]) -> Feed:
    ms = np.array(times, np.int64)
    return Feed(Kind.BAR_TRADE, f'{{"root":"{name}"}}', ms, (*[ms] * 7, *[ms] * 6))


def messages(made: Window) -> list[dict[str, Any]]:
    return list(_unframed(bytes(made.bytes_of(0, len(made))))) if len(made) else []


def _unframed(data: bytes) -> Iterator[dict[str, Any]]:
    at = 0
    while at < len(data):
        assert data[at : at + 2] == b"\x81\x7e"
        length = int.from_bytes(data[at + 2 : at + 4])
        yield orjson.loads(data[at + 4 : at + 4 + length])
        at += 4 + length


def seen(made: Window) -> list[tuple[int, str, str]]:
    found = []
    for message in messages(made):
        kind = message["header"]["type"]
        found.append((message[kind.lower()]["ms_of_day"], kind, message["contract"]["root"]))
    return found


def test_a_frame_is_the_vendor_s_message() -> None:
    prices = [np.array([value]) for value in (7, 5, 1_102_000, 50, 7, 5, 0, 50)]
    feed = Feed(
        Kind.QUOTE, '{"security_type":"STOCK","root":"A"}', np.array([26_622_025]), (np.array([26_622_025]), *prices)
    )

    made = window([feed], -1, 86_400_000, DAY)

    body = (
        '{"ms_of_day":26622025,"bid_size":7,"bid_exchange":5,"bid":110.2,"bid_condition":50,'
        '"ask_size":7,"ask_exchange":5,"ask":0.0,"ask_condition":50,"date":20240103}'
    )
    text = bytes(made.bytes_of(0, 1))[4:].decode()
    assert text.endswith(f'"contract":{{"security_type":"STOCK","root":"A"}},"quote":{body}}}')
    assert messages(made)[0]["header"] == {"type": "QUOTE", "status": "CONNECTED"}


@settings(deadline=None)
@given(st.lists(TIMES, max_size=4), st.lists(TIMES, max_size=4), st.integers(-1, 40), st.integers(-1, 40))
def test_a_window_is_the_rows_of_all_feeds_by_time(
    quoted: list[list[int]], traded: list[list[int]], after: int, end: int
) -> None:
    feeds = [quotes(f"Q{at}", times) for at, times in enumerate(quoted)]
    feeds += [trades(f"T{at}", times) for at, times in enumerate(traded)]

    made = window(feeds, after, end, DAY)

    expected = [
        (ms, at, kind, f"{letter}{at}")
        for letter, lists, kinds in (("Q", quoted, ("QUOTE",)), ("T", traded, ("OHLC", "TRADE")))
        for at, times in enumerate(lists)
        for ms in times
        if after < ms <= end
        for kind in kinds
    ]
    expected.sort(key=lambda row: row[0])
    assert seen(made) == [(ms, kind, name) for ms, _, kind, name in expected]


@settings(deadline=None)
@given(st.lists(TIMES, min_size=1, max_size=3), st.lists(TIMES, max_size=3), st.data())
def test_a_refreshed_window_loses_feeds_that_are_gone_and_gains_new_ones(
    old: list[list[int]], new: list[list[int]], data: st.DataObject
) -> None:
    before = [quotes(f"O{at}", times) for at, times in enumerate(old)]
    made = window(before, -1, 40, DAY)
    position = data.draw(st.integers(-1, 40))
    stay = [feed for feed in before if data.draw(st.booleans())]
    feeds = [trades(f"N{at}", times) for at, times in enumerate(new)] + stay

    again = refreshed(made, made.due(position), feeds, position, DAY)

    whole = window(feeds, position, 40, DAY)
    assert sorted(seen(again)) == sorted(seen(whole))
    assert np.array_equal(again.ms, whole.ms)
    assert refreshed(again, 0, feeds, position, DAY).units.equals(again.units)


def test_a_span_is_found_for_about_so_many_rows() -> None:
    feed = quotes("A", list(range(10**6)))

    end, span = next_end([feed], -1, 600_000)

    assert end <= 4 * WANTED_ROWS
    assert abs(span - WANTED_ROWS) < WANTED_ROWS / 4
