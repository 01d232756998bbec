"""Streamed rows to record columns."""

from datetime import UTC, date, datetime
from typing import Any

import orjson
import pytest

from services.live_stream.rows import Live, Rows
from stoculus.records.catalog import record_type
from stoculus.records.codec import decode, encode
from tests.unit.services.live_stream.making import bodies_in
from theta_client.stream.buffer import Frames
from theta_client.stream.parse import Parser

AT_US = 1_700_000_000_000_000
QUOTE = {
    "bid_size": 7, "bid_exchange": 5, "bid": 110.2, "bid_condition": 50,
    "ask_size": 9, "ask_exchange": 6, "ask": 110.5, "ask_condition": 51,
}  # fmt: skip
TRADE = {"sequence": -563040482, "size": 5, "condition": 18, "price": 1.06, "exchange": 65}
AAPL, SPX = {"security_type": "STOCK", "root": "AAPL"}, {"security_type": "INDEX", "root": "SPX"}


def option(strike: int = 4_800_000, right: str = "C") -> dict[str, Any]:
    return {
        "security_type": "OPTION", "root": "SPXW", "expiration": 20240315, "strike": strike, "right": right,
    }  # fmt: skip


def frame(contract: dict[str, Any], ms_of_day: int, kind: str = "trade") -> bytes:
    body = (TRADE if kind == "trade" else QUOTE) | {"ms_of_day": ms_of_day, "date": 20240304}
    return orjson.dumps({"header": {"type": kind.upper()}, "contract": contract, kind: body})


class Feed:
    """A parser and its rows."""

    def __init__(self) -> None:
        self.parser, self.rows = Parser(), Rows()

    def take(self, *frames: bytes) -> tuple[dict[Any, Live], dict[Any, Live]]:
        """Quotes and trades."""
        parsed = self.parser.parse(Frames(1, [AT_US + n for n in range(len(frames))], list(frames)))
        assert not parsed.malformed
        known = self.parser.instruments
        return self.rows.quotes(parsed.quotes, known), self.rows.trades(parsed.trades, known)


@pytest.fixture
def feed() -> Feed:
    return Feed()


def test_a_row_has_the_columns_of_its_record(feed: Feed) -> None:
    quotes, trades = feed.take(
        frame(option(), 36_000_123, "quote"), frame(AAPL, 36_000_124, "quote"), frame(option(), 36_000_125)
    )

    [quote] = quotes["option"].records.to_pylist()
    at = datetime(2024, 3, 4, 15, 0, 0, 123_000, tzinfo=UTC)
    contract = {"root": "SPXW", "expiration": date(2024, 3, 15), "strike": 4800.0, "right": "CALL"}
    assert quote == {"symbol": "SPXW  240315C04800000", "ts_event": at} | contract | QUOTE
    [quote] = quotes["stock"].records.to_pylist()
    assert quote == {"symbol": "AAPL", "ts_event": at.replace(microsecond=124_000)} | QUOTE
    [trade] = trades["option"].records.to_pylist()
    extended = {f"ext_condition{n}": None for n in range(1, 5)}
    assert trade == {"symbol": "SPXW  240315C04800000", "ts_event": at.replace(microsecond=125_000)} | (
        contract | TRADE | extended
    )


@pytest.mark.parametrize("kind", ["quote", "trade"])
def test_the_columns_are_those_that_are_encoded(feed: Feed, kind: str) -> None:
    taken = feed.take(*(frame(contract, 36_000_000, kind) for contract in (AAPL, option(), AAPL)))

    lives = taken[kind == "trade"]
    for asset, count in (("stock", 2), ("option", 1)):
        record = record_type(f"{asset.capitalize()}{kind.capitalize()}")
        assert lives[asset].records.schema == record.arrow
        assert lives[asset].records.num_rows == count
        bodies = bodies_in(encode(lives[asset].records, record))
        assert decode(bodies, record).equals(lives[asset].records)


def test_the_order_is_kept_and_each_row_has_its_instrument_and_receive_time(feed: Feed) -> None:
    _, trades = feed.take(
        *(frame(contract, 36_000_000 + n) for n, contract in enumerate([option(1), AAPL, option(2), option(1), AAPL]))
    )

    options, stocks = trades["option"], trades["stock"]
    assert options.records["strike"].to_pylist() == [0.001, 0.002, 0.001]
    assert options.table.instruments.tolist() == [0, 2, 0]
    assert (options.table.received_us - AT_US).tolist() == [0, 2, 3]
    assert (stocks.table.received_us - AT_US).tolist() == [1, 4]
    assert stocks.table.instruments.tolist() == [1, 1]


def test_prices_of_an_index_are_left_out(feed: Feed) -> None:
    assert feed.take(frame(SPX, 36_000_000)) == ({}, {})

    _, trades = feed.take(frame(SPX, 36_000_000), frame(AAPL, 36_000_000))

    assert list(trades) == ["stock"]
    assert trades["stock"].records["symbol"].to_pylist() == ["AAPL"]


def test_instruments_that_come_later_are_spelled_as_the_first_ones(feed: Feed) -> None:
    feed.take(frame(option(1), 36_000_000))
    feed.take(frame(AAPL, 36_000_000, "quote"), frame(option(2, "P"), 36_000_000, "quote"))

    _, trades = feed.take(frame(option(3), 36_000_000), frame(option(2, "P"), 36_000_000), frame(option(1), 36_000_000))

    assert [str(symbol)[12:] for symbol in trades["option"].records["symbol"].to_pylist()] == [
        "C00000003",
        "P00000002",
        "C00000001",
    ]
    assert trades["option"].records["right"].to_pylist() == ["CALL", "PUT", "CALL"]


def test_a_larger_batch_has_as_many_nulls(feed: Feed) -> None:
    for count in (1, 3, 2, 50):
        _, trades = feed.take(*[frame(AAPL, 36_000_000)] * count)

        assert trades["stock"].records["ext_condition4"].to_pylist() == [None] * count


def test_no_rows_are_nothing(feed: Feed) -> None:
    assert feed.take() == ({}, {})
