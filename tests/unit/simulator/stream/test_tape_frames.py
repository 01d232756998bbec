"""Bodies of a tape to frames."""

from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulator.market import NO_CONDITION, Trades
from simulator.stream.feeds import bar_columns
from simulator.stream.requests import Malformed, Subject
from simulator.stream.tape_frames import Renderer
from simulator.stream.window import Window
from stoculus.records.catalog import record_type
from tests.unit.simulator.stream.test_window import messages
from tests.unit.stoculus.reading.feeds import OPEN_US, records

RECORD = "StockTrade"
_TRADE = st.tuples(
    st.sampled_from("AB"),
    st.integers(0, 3),
    st.integers(1, 9),
    st.sampled_from([0, 1, 2, 6, 51, 95, 115]),
    st.integers(1, 9),
)
Trade = tuple[str, int, int, int, int]


def body(record: str, batch: pa.RecordBatch, at: list[int]) -> bytes:
    sink = pa.BufferOutputStream()
    batch = batch.append_column("at", pa.array(at, pa.int64())).replace_schema_metadata({"record": record})
    with pa.ipc.new_stream(sink, batch.schema) as stream:
        stream.write_batch(batch)
    return sink.getvalue().to_pybytes()


def trades(rows: list[Trade]) -> pa.RecordBatch:
    """Trades one after another: symbol, 0.25 dollars that it is above 1, size, condition, and milliseconds between."""
    symbols, prices, sizes, conditions, waits = zip(*rows, strict=True)
    times = (OPEN_US + np.cumsum(waits) * 1000).tolist()
    price = [1 + each / 4 for each in prices]
    batch = records(record_type(RECORD), times, price=price, size=list(sizes), condition=list(conditions))
    return batch.set_column(0, "symbol", pa.array(symbols))


def told(renderer: Renderer, *bodies: bytes) -> list[dict[str, Any]]:
    found = []
    for each in bodies:
        rendered, _ = renderer.rendered(each)
        if rendered is not None:
            found += messages(Window(0, (), rendered.ms, rendered.day, rendered.units))
    return found


@settings(deadline=None)
@given(st.lists(_TRADE, min_size=1, max_size=12), st.data())
def test_however_a_day_is_cut_its_bars_are_those_of_the_day(rows: list[Trade], data: st.DataObject) -> None:
    cut = data.draw(st.integers(0, len(rows)))
    pieces = [piece for piece in (trades(rows).slice(0, cut), trades(rows).slice(cut)) if piece.num_rows]
    renderer = Renderer(lambda subject: subject.instrument == "A")

    heard = told(renderer, *(body(RECORD, piece, list(range(piece.num_rows))) for piece in pieces))

    own = [row for row in rows if row[0] == "A"]
    assert [each["header"]["type"] for each in heard] == ["OHLC", "TRADE"] * len(own)
    if own:
        price, size, condition = (np.array(column) for column in list(zip(*own, strict=True))[1:4])
        none = np.full(len(own), NO_CONDITION)
        whole = Trades(none, none, none, none, none, none, condition, size, none, 10_000 + price * 2500)
        expected = list(zip(*(column.tolist() for column in bar_columns(whole)[1:]), strict=True))
        names = ("open", "high", "low", "close", "volume", "count")
        units = (10_000, 10_000, 10_000, 10_000, 1, 1)
        bars = [
            tuple(round(each["ohlc"][name] * unit) for name, unit in zip(names, units, strict=True))
            for each in heard[::2]
        ]
        assert bars == expected


def test_rows_of_several_types_keep_their_places() -> None:
    quotes = records(record_type("StockQuote"), [OPEN_US, OPEN_US + 2000])
    mixed = body("StockQuote", quotes, [0, 2]) + body(
        RECORD, trades([("AAPL", 0, 1, 0, 1), ("AAPL", 0, 1, 0, 2)]), [1, 3]
    )

    heard = told(Renderer(lambda subject: True), mixed)

    assert [each["header"]["type"] for each in heard] == ["QUOTE", "OHLC", "TRADE", "QUOTE", "OHLC", "TRADE"]


def test_nobody_hears_what_is_not_subscribed_and_the_full_trade_stream_hears_all_trades() -> None:
    quotes = body("StockQuote", records(record_type("StockQuote"), [OPEN_US]), [0])
    traded = body(RECORD, trades([("A", 0, 1, 0, 0)]), [1])
    full = Subject("STOCK", "TRADE", None)

    assert Renderer(lambda subject: False).rendered(quotes + traded) == (None, 2)
    assert [each["header"]["type"] for each in told(Renderer(lambda subject: subject == full), quotes + traded)] == [
        "OHLC",
        "TRADE",
    ]


def test_a_tape_that_goes_back_begins_its_bars_anew() -> None:
    renderer = Renderer(lambda subject: True)
    day = trades([("A", 0, 5, 0, 0), ("A", 1, 7, 0, 1)])

    heard = told(
        renderer, body(RECORD, day, [0, 1]), body(RECORD, day.slice(1), [0]), body(RECORD, day.slice(0, 1), [0])
    )

    assert [each["ohlc"]["volume"] for each in heard if "ohlc" in each] == [5, 12, 19, 5]


@pytest.mark.parametrize(
    "damaged",
    [
        b"no arrow",
        body("StockEod", records(record_type("StockEod"), [OPEN_US]), [0]),
        body("OptionQuote", records(record_type("StockQuote"), [OPEN_US], "no contract"), [0]),
        body("StockTrade", records(record_type("StockTrade"), [OPEN_US], condition=[400]), [0]),
        body("StockTrade", records(record_type("StockQuote"), [OPEN_US]), [0]),
    ],
)
def test_what_is_no_tape_is_refused(damaged: bytes) -> None:
    with pytest.raises(Malformed):
        Renderer(lambda subject: True).rendered(damaged)
