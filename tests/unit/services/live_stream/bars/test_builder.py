"""Live bars against plain Python, trade by trade, and on the edges of sessions and days."""

from datetime import date
from functools import partial
from typing import Any

import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from services.live_stream.bars.builder import BarBuilder, LateTrades
from services.live_stream.bars.grid import Hours
from stoculus.calendar import option_session_hours, session_hours
from stoculus.instruments import OptionContract
from stoculus.records.catalog import INTERVAL_US, parse_schema, record_type
from tests.unit.services.live_stream.making import RULES, PlainBars, Trade, bars_in, micros, stock_trades

SUMMER, WINTER, HALF_DAY = date(2024, 7, 1), date(2024, 12, 2), date(2015, 12, 24)
REGULAR: Hours = partial(session_hours, session="regular")
EXTENDED: Hours = partial(session_hours, session="extended")
LATE_OPTIONS: Hours = partial(option_session_hours, "SPXW", session="regular")
MINUTE_US = 60_000_000

# Day, hours, and the first and last moment of the session.
SESSIONS: list[tuple[date, Hours, int, int]] = [
    (SUMMER, REGULAR, micros(SUMMER, 9, 30), micros(SUMMER, 16, 0)),
    (WINTER, REGULAR, micros(WINTER, 9, 30), micros(WINTER, 16, 0)),
    (HALF_DAY, REGULAR, micros(HALF_DAY, 9, 30), micros(HALF_DAY, 13, 0)),
    (HALF_DAY, LATE_OPTIONS, micros(HALF_DAY, 9, 30), micros(HALF_DAY, 13, 15)),
    (SUMMER, EXTENDED, micros(SUMMER, 0, 0), micros(SUMMER, 23, 59, 59.999)),
]


def builder(hours: Hours = REGULAR, *, interval: str = "1m", grace_us: int = 0, since_us: int = 0) -> BarBuilder:
    return BarBuilder(parse_schema("ohlcv", interval), hours, grace_us=grace_us, since_us=since_us)


@st.composite
def tapes(draw: st.DrawFn) -> tuple[tuple[date, Hours, int, int], str, list[Trade]]:
    """A session, an interval, and trades round its two ends in the order of their arrival: not quite that of time."""
    session = draw(st.sampled_from(SESSIONS))
    start_us, end_us = session[2:]
    at_ms = st.one_of(
        st.integers(-2_000, 400_000).map(lambda ms: start_us + ms * 1000),
        st.integers(-400_000, 2_000).map(lambda ms: end_us + ms * 1000),
    )
    trade = st.builds(
        Trade,
        st.sampled_from(["A", "BRK.B", "ZZ"]),
        at_ms,
        st.sampled_from([*RULES, 0, 0, 250, 300, -1]),
        st.integers(0, 10_000),
        st.integers(1, 50_000_000).map(lambda units: units / 10_000),
    )
    arrivals = draw(st.lists(st.tuples(trade, st.integers(0, 5_000_000)), max_size=40))
    arrivals.sort(key=lambda arrival: arrival[0].us + arrival[1])
    # What is outside of an extended session is in the one of the day beside it.
    trades = [trade for trade, _ in arrivals if session[1] is not EXTENDED or start_us <= trade.us <= end_us]
    return session, draw(st.sampled_from(["1s", "5s", "1m", "1h"])), trades


@given(tapes(), st.data())
def test_any_batches_and_any_clock_within_the_grace_give_the_same_bars(tape: Any, data: st.DataObject) -> None:
    (_, hours, start_us, end_us), interval, trades = tape
    grace_us = 5_000_000
    bars = builder(hours, interval=interval, grace_us=grace_us)
    plain = PlainBars(start_us, end_us, INTERVAL_US[interval], grace_us)
    found, at = [], 0
    while at < len(trades):
        size = data.draw(st.integers(1, 10))
        assert bars.add(stock_trades(trades[at : at + size])) == []
        at += size
        to_come = min((trade.us for trade in trades[at:]), default=end_us)
        found.append(bars.advance(to_come + grace_us - data.draw(st.integers(0, 100_000_000))))
    found.append(bars.close(end_us + 1))

    for trade in trades:
        plain.add(trade)
    assert bars_in(found) == plain.close()
    assert bars.watermark_us > end_us


@given(tapes(), st.data())
def test_late_trades_are_reported_and_no_bar_is_revised(tape: Any, data: st.DataObject) -> None:
    (_, hours, start_us, end_us), interval, trades = tape
    bars = builder(hours, interval=interval, grace_us=1_000_000, since_us=start_us)
    plain = PlainBars(start_us, end_us, INTERVAL_US[interval], 1_000_000, start_us)
    late: list[LateTrades] = []
    while trades:
        batch = [trades.pop(0) for _ in range(min(len(trades), data.draw(st.integers(1, 10))))]
        late += bars.add(stock_trades(batch))
        for trade in batch:
            plain.add(trade)
        # Up to the session's end: behind an extended one the next begins at once.
        now_us = min(batch[-1].us + data.draw(st.integers(-60_000_000, 10_000_000)), end_us + 1_000_000)
        assert bars_in([bars.advance(now_us)]) == plain.advance(now_us)
        assert bars.watermark_us == plain.watermark_us

    assert bars_in([bars.close(end_us + 1)]) == plain.close()
    told: dict[tuple[str, int], int] = {}
    for one in late:
        told[one.symbol, one.bar_us] = told.get((one.symbol, one.bar_us), 0) + one.trades
    assert told == plain.late


@given(tapes(), st.data())
def test_a_start_in_mid_session_takes_the_bar_so_far_from_history(tape: Any, data: st.DataObject) -> None:
    (_, hours, _, end_us), interval, trades = tape
    trades.sort(key=lambda trade: trade.us)
    seam = data.draw(st.integers(0, len(trades)))
    since_us = trades[seam].us if seam < len(trades) else end_us
    whole, resumed = builder(hours, interval=interval), builder(hours, interval=interval, since_us=since_us)
    whole.add(stock_trades(trades))
    resumed.resume(stock_trades(trades[:seam]))
    first_us = resumed.watermark_us

    assert resumed.add(stock_trades(trades[seam:])) == []
    every = bars_in([whole.close(end_us + 1)])
    assert bars_in([resumed.close(end_us + 1)]) == [bar for bar in every if bar[1] >= first_us]


def test_many_small_batches_of_a_long_bar_merge_on_the_way() -> None:
    start_us, end_us = SESSIONS[0][2:]
    trades = [Trade(f"S{n % 5}", start_us + n * 1_000_000, 0 if n % 3 else 96, 1 + n, 10 + n % 7) for n in range(200)]
    bars, plain = builder(interval="1h"), PlainBars(start_us, end_us, INTERVAL_US["1h"])
    for trade in trades:
        bars.add(stock_trades([trade]))
        plain.add(trade)

    assert bars_in([bars.close(end_us)]) == plain.close()


def test_a_bar_is_sent_once_its_time_and_the_grace_are_over() -> None:
    start_us = micros(SUMMER, 9, 30)
    bars = builder(grace_us=2_000_000, since_us=start_us)
    bars.add(stock_trades([Trade("A", start_us + 59_999_000, 0, 100, 10.0)]))

    assert bars.advance(start_us + MINUTE_US + 1_999_999).num_rows == 0
    assert bars.watermark_us == start_us
    [bar] = bars_in([bars.advance(start_us + MINUTE_US + 2_000_000)])
    assert bar == ("A", start_us, 10.0, 10.0, 10.0, 10.0, 100, 1, 10.0)
    assert bars.watermark_us == start_us + MINUTE_US
    assert bars.advance(start_us + MINUTE_US + 2_000_000).num_rows == 0


def test_the_watermark_moves_though_nothing_is_traded_but_never_back() -> None:
    start_us = micros(SUMMER, 9, 30)
    bars = builder(since_us=start_us)

    assert bars.advance(start_us + 5 * MINUTE_US + 7).num_rows == 0
    assert bars.watermark_us == start_us + 5 * MINUTE_US
    bars.advance(start_us)
    assert bars.watermark_us == start_us + 5 * MINUTE_US
    bars.advance(micros(SUMMER, 18, 0) + 1)
    assert bars.watermark_us == micros(SUMMER, 18, 0) + 1


def test_a_late_trade_names_its_bar_and_counts_for_the_vwap_of_later_ones() -> None:
    start_us = micros(SUMMER, 9, 30)
    bars = builder(since_us=start_us)
    bars.add(stock_trades([Trade("A", start_us, 0, 100, 10.0)]))
    bars.advance(start_us + MINUTE_US)

    late = bars.add(
        stock_trades(
            [
                Trade("A", start_us + 1_000_000, 0, 100, 20.0),
                Trade("A", start_us + 2_000_000, 115, 100, 20.0),
                Trade("A", start_us + 2_000_000, 51, 100, 20.0),
                Trade("A", start_us + MINUTE_US, 0, 300, 30.0),
            ]
        )
    )

    assert late == [LateTrades("A", start_us, 2)]
    [bar] = bars_in([bars.close(start_us + MINUTE_US)])
    assert bar == ("A", start_us + MINUTE_US, 30.0, 30.0, 30.0, 30.0, 300, 1, 23.33)


def test_a_stop_in_mid_session_ends_the_bar_in_progress() -> None:
    start_us = micros(SUMMER, 9, 30)
    bars = builder(since_us=start_us)
    bars.add(stock_trades([Trade("A", start_us + 61_000_000, 0, 100, 10.0)]))

    assert [bar[1] for bar in bars_in([bars.close(start_us + 62_000_000)])] == [start_us + MINUTE_US]
    assert bars.watermark_us == start_us + 2 * MINUTE_US
    assert bars.add(stock_trades([Trade("A", start_us + 63_000_000, 0, 1, 10.0)])) == [
        LateTrades("A", start_us + MINUTE_US, 1)
    ]


def test_an_hour_starts_at_the_open_and_the_last_one_ends_with_the_session() -> None:
    half = [Trade("A", micros(HALF_DAY, 12, 31), 0, 1, 10.0), Trade("A", micros(HALF_DAY, 13, 0), 0, 1, 11.0)]
    bars = builder(interval="1h", since_us=micros(HALF_DAY, 9, 30))
    bars.add(stock_trades([*half, Trade("A", micros(HALF_DAY, 13, 0, 0.001), 0, 1, 99.0)]))

    [bar] = bars_in([bars.advance(micros(HALF_DAY, 13, 0) + 1)])
    assert bar[1:6] == (micros(HALF_DAY, 12, 30), 10.0, 11.0, 10.0, 11.0)


def test_the_vwap_begins_anew_each_day_and_a_change_of_clocks_moves_no_bar() -> None:
    friday, monday = date(2024, 3, 8), date(2024, 3, 11)
    bars = builder(since_us=micros(friday, 9, 30))
    found = []
    for day, price in ((friday, 10.0), (monday, 20.0)):
        bars.add(stock_trades([Trade("A", micros(day, 9, 31, 5), 0, 1, price)]))
        found.append(bars.advance(micros(day, 16, 1)))
    bars.add(stock_trades([Trade("B", micros(monday, 9, 31, 5), 0, 1, 5.0)]))

    assert [(bar[1], bar[8]) for bar in bars_in(found)] == [
        (micros(friday, 9, 31), 10.0),
        (micros(monday, 9, 31), 20.0),
    ]
    assert micros(monday, 9, 31) - micros(friday, 9, 31) == (3 * 24 - 1) * 3_600_000_000


def test_two_days_that_wait_for_one_clock_come_in_order_each_with_its_own_vwap() -> None:
    friday, monday = date(2024, 11, 1), date(2024, 11, 4)
    bars = builder()
    bars.add(
        stock_trades([Trade("A", micros(friday, 15, 0), 0, 1, 10.0), Trade("A", micros(monday, 10, 0), 0, 1, 30.0)])
    )

    found = bars_in([bars.advance(micros(monday, 12, 0))])
    assert [(bar[1], bar[8]) for bar in found] == [(micros(friday, 15, 0), 10.0), (micros(monday, 10, 0), 30.0)]


def test_a_closed_day_has_no_bars() -> None:
    sunday = date(2024, 3, 10)
    bars = builder(EXTENDED)
    bars.add(stock_trades([Trade("A", micros(sunday, 12, 0), 0, 1, 10.0)]))

    assert bars.close(micros(sunday, 13, 0)).num_rows == 0


def test_a_bar_of_odd_lots_has_volume_and_no_price_and_one_without_volume_is_none() -> None:
    start_us = micros(SUMMER, 9, 30)
    bars = builder()
    bars.add(stock_trades([Trade("A", start_us, 115, 7, 10.125), Trade("B", start_us, 56, 7, 10.0)]))

    assert bars_in([bars.close(start_us)]) == [("A", start_us, 0.0, 0.0, 0.0, 0.0, 7, 1, 10.13)]


def test_no_trades_are_no_bars() -> None:
    bars = builder()

    assert bars.add(stock_trades([])) == []
    assert bars.advance(micros(SUMMER, 9, 30)).num_rows == 0
    assert bars.close(micros(SUMMER, 16, 0)).schema == record_type("StockOhlcv").arrow


def test_bars_of_a_chain_come_by_time_expiration_strike_and_calls_before_puts() -> None:
    start_us = micros(SUMMER, 9, 30)
    names = ("SPXW  240708C05500000", "SPXW  240705P05500000", "SPXW  240705C05500000", "SPXW  240705P00900000")
    contracts = [OptionContract.parse(name) for name in names]
    arrow = record_type("OptionTrade").arrow
    given: dict[str, list[Any]] = {
        "symbol": [one.osi for one in contracts],
        "ts_event": [start_us + n for n in range(len(contracts))],
        "root": ["SPXW"] * 4,
        "expiration": [one.expiration for one in contracts],
        "strike": [one.strike for one in contracts],
        "right": [one.right.upper() for one in contracts],
        "condition": [18] * 4,
        "price": [1.25] * 4,
    }
    arrays = [pa.array(given.get(f.name, [None if f.nullable else 1] * 4), f.type) for f in arrow]
    bars = BarBuilder(parse_schema("ohlcv", asset="option"), LATE_OPTIONS, grace_us=0, since_us=0)
    bars.add(pa.RecordBatch.from_arrays(arrays, schema=arrow))

    found = bars.close(start_us)
    expected = sorted(contracts)
    assert found["symbol"].to_pylist() == [one.osi for one in expected]
    assert found["expiration"].to_pylist() == [one.expiration for one in expected]
    assert found["strike"].to_pylist() == [one.strike for one in expected]
    assert found["right"].to_pylist() == [one.right.upper() for one in expected]
    assert set(found["root"].to_pylist()) == {"SPXW"}
