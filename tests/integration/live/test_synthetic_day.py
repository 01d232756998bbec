"""A synthetic day that is streamed gives the records that its history gives."""

from collections import Counter
from collections.abc import Iterator
from datetime import date

import pytest

from tests.integration.live.conftest import History, Running
from tests.integration.live.harness import Live, LiveRecord, as_streamed, whole

SYNTHETIC_DAY = date(2024, 1, 3)
MSFT = {"asset": "stock", "ticker": "MSFT"}
STOCK_RECORDS = {"quote": "StockQuote", "trade": "StockTrade", "ohlcv1m": "StockOhlcv"}
CHAIN = {
    "asset": "option",
    "root": "XSP",
    "expirations": ["2024-01-05"],
    "strikes": {"min": 470, "max": 471},
}


@pytest.fixture(scope="module")
def live(running: Running) -> Iterator[Live]:
    with running(sim_live_date=SYNTHETIC_DAY, sim_live_speed="max") as live:
        yield live


@pytest.fixture(scope="module")
def streamed(live: Live) -> dict[str, list[LiveRecord]]:
    schemas = ({"schema": "quote"}, {"schema": "trade"}, {"schema": "ohlcv", "interval": "1m"})
    return live.play(*({**instrument, **schema} for instrument in (MSFT, CHAIN) for schema in schemas))


@pytest.mark.parametrize("schema", ["quote", "trade", "ohlcv1m"])
def test_a_stock_is_as_its_history(
    live: Live, streamed: dict[str, list[LiveRecord]], history: History, schema: str
) -> None:
    day = str(SYNTHETIC_DAY)
    task = {"ticker": "MSFT", "schema": schema, "start": day, "end": day}
    expected = history(live.simulator.url, "historical_stock", **task)

    assert whole(streamed[f"stock-msft-{schema}-live"]) == as_streamed(expected, STOCK_RECORDS[schema])
    assert len(expected) > 300


@pytest.mark.parametrize("schema", ["quote", "trade", "ohlcv1m"])
def test_a_chain_is_as_its_history(
    live: Live, streamed: dict[str, list[LiveRecord]], history: History, schema: str
) -> None:
    day = str(SYNTHETIC_DAY)
    chain = {name: value for name, value in CHAIN.items() if name != "asset"}
    expected = history(live.simulator.url, "historical_option", **chain, schema=schema, start=day, end=day)
    found = whole(streamed[f"option-xsp-{schema}-live"])

    # Ticks of the same millisecond come in the tape's order, not in that of the chain.
    assert Counter(found) == Counter(as_streamed(expected, STOCK_RECORDS[schema].replace("Stock", "Option")))
    assert [time_ms for *_, time_ms in found] == [time_ms for *_, time_ms in expected]
    assert len(expected) > 30
