"""A recorded day that is streamed gives the records that its history gives: keys, values, times, order."""

from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from services.live_stream.bars.grid import midnight_us
from stoculus.records.catalog import record_type
from stoculus.records.codec import decode
from tests.integration.live.conftest import History, Running
from tests.integration.live.harness import Live, LiveRecord, whole
from tests.unit.services.live_stream.making import BAR_COLUMNS, PlainBars, Trade, vendors_rules

BAC_DAY = date(2013, 10, 7)
BAC = {"asset": "stock", "ticker": "BAC"}


@pytest.fixture(scope="module")
def live(running: Running, recordings: Path) -> Iterator[Live]:
    with running(sim_live_date=BAC_DAY, sim_live_speed="max", sim_recordings=recordings) as live:
        yield live


@pytest.fixture(scope="module")
def streamed(live: Live) -> dict[str, list[LiveRecord]]:
    bars = {**BAC, "schema": "ohlcv", "interval": "1m"}
    return live.play({**BAC, "schema": "quote"}, {**BAC, "schema": "trade"}, bars)


@pytest.mark.parametrize(("schema", "count"), [("quote", 238_427), ("trade", 88_172)])
def test_ticks_are_those_of_history_byte_for_byte(
    live: Live, streamed: dict[str, list[LiveRecord]], history: History, schema: str, count: int
) -> None:
    day = str(BAC_DAY)
    task = {"ticker": "BAC", "schema": schema, "start": day, "end": day}
    expected = history(live.simulator.url, "historical_stock", **task)

    assert whole(streamed[f"stock-bac-{schema}-live"]) == expected
    assert len(expected) == count


def test_bars_are_what_its_trades_make_by_the_vendors_table(
    streamed: dict[str, list[LiveRecord]], recordings: Path
) -> None:
    rules = vendors_rules(recordings.parent / "theta-reference" / "trade-conditions.csv")
    record = record_type("StockTrade")
    rows = decode([each.body for each in streamed["stock-bac-trade-live"]], record).to_pylist()
    start_us = midnight_us(BAC_DAY)
    plain = PlainBars(start_us, start_us + 86_399_999_000, 60_000_000, rules=rules)
    for row in rows:
        us = round(row["ts_event"].timestamp() * 1e6)
        plain.add(Trade("BAC", us, row["condition"], row["size"], row["price"]))
    bars = decode([each.body for each in streamed["stock-bac-ohlcv1m-live"]], record_type("StockOhlcv"))
    columns: list[Any] = [bars[name].cast(pa.int64()) if name == "ts_event" else bars[name] for name in BAR_COLUMNS]

    assert list(zip(*(column.to_pylist() for column in columns), strict=True)) == plain.close()
    assert bars.num_rows > 500
