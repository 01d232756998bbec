from datetime import UTC, date, datetime
from typing import Any

import pytest

from stoculus.cli.tape.lines import _SHOWN, line
from stoculus.cli.tape.source import Event
from stoculus.records.catalog import RECORDS, record_type

OPEN = datetime(2024, 1, 8, 14, 30, 0, 123_000, UTC)
CONTRACT = {"root": "SPXW", "expiration": date(2024, 1, 8), "strike": 4700.5, "right": "CALL"}
QUOTE: dict[str, Any] = {"bid": 10.2, "bid_size": 17, "ask": 10.4, "ask_size": 6}


def event(name: str, origin: str | None = None, ingest_us: int | None = None, **row: Any) -> Event:
    record = record_type(name)
    told = {"symbol": "AAPL", "ts_event": OPEN} | (CONTRACT if name.startswith("Option") else {}) | row
    return Event("topic", 0, record, dict.fromkeys(record.arrow.names, 0) | told, origin, ingest_us)


@pytest.mark.parametrize(
    ("name", "row", "told"),
    [
        (
            "StockTrade",
            {"price": 185.25, "size": 1200, "exchange": 3, "condition": 115},
            "AAPL    trade    185.25 x 1,200  NYSE  odd lot",
        ),
        (
            "StockTrade",
            {"price": 0.1234, "size": 1, "exchange": 99, "condition": 200},
            "AAPL    trade    0.1234 x 1      99    condition 200",
        ),
        (
            "OptionTrade",
            {"price": 1000.0, "size": 3, "exchange": 5, "condition": 0},
            "SPXW 2024-01-08 4700.5 C    trade   1000.00 x 3      CBOE",
        ),
        ("OptionQuote", QUOTE, "SPXW 2024-01-08 4700.5 C    quote     10.20 x 17   /    10.40 x 6"),
        (
            "StockOhlcv",
            {"open": 1.0, "high": 2.5, "low": 0.995, "close": 2.0, "volume": 12345},
            "AAPL    bar   o     1.00 h     2.50 l    0.995 c     2.00  v 12,345",
        ),
        ("OptionOpenInterest", {"open_interest": 1234}, "SPXW 2024-01-08 4700.5 C    oi    1,234 open"),
    ],
)
def test_a_line_tells_what_matters_of_its_schema(name: str, row: dict[str, Any], told: str) -> None:
    assert line(event(name, **row)).plain == f"2024-01-08 09:30:00.123  {told}"


def test_every_record_type_has_a_line() -> None:
    names = {name for by_kind in RECORDS.values() for name in by_kind.values()}

    assert {name.removeprefix("Stock").removeprefix("Option") for name in names} == set(_SHOWN)
    assert all(line(event(name)).plain.startswith("2024-01-08 09:30:00.123  ") for name in names)


@pytest.mark.parametrize(("origin", "told"), [("live", ""), ("heal", "  heal"), ("warmup", "  warmup"), (None, "")])
def test_what_did_not_come_live_is_marked(origin: str | None, told: str) -> None:
    plain = line(event("StockQuote", **QUOTE)).plain

    assert line(event("StockQuote", origin, **QUOTE)).plain == plain + told


@pytest.mark.parametrize(("age_us", "told"), [(3_400, "3.4 ms"), (999_949, "999.9 ms"), (2_100_000, "2.1 s")])
def test_the_age_is_the_time_since_the_message_came_in(age_us: int, told: str) -> None:
    received = event("StockQuote", "live", 1_000_000, **QUOTE)

    assert line(received, 1_000_000 + age_us).plain.endswith(f"  {told}")
    assert line(event("StockQuote", **QUOTE), 5).plain == line(event("StockQuote", **QUOTE)).plain
