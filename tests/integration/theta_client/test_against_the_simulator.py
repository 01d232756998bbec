"""The client on the simulator: real processes, real HTTP, scripted faults."""

import threading
from collections.abc import Iterator
from datetime import date, datetime, time
from functools import reduce
from pathlib import Path
from typing import Any

import httpx2
import pyarrow as pa
import pytest

from simulator.testing import running_simulator
from stoculus.errors import (
    ColumnsMissing,
    NoData,
    SessionTaken,
    StoculusError,
    TierTooLow,
    VendorAnswerMalformed,
    VendorBodyCut,
    VendorRefused,
)
from tests.integration.theta_client.conftest import QUICK, break_it, table
from theta_client.client import Block, HistoryRequest, ThetaClient, Tier, plan_windows
from theta_client.windows import Kind

DAY = date(2024, 1, 3)
TRADES = "stock/history/trade"
TIME = pa.field("timestamp", pa.timestamp("us"), nullable=False)
COUNT = pa.field("size", pa.int64(), nullable=False)
PRICE = pa.field("price", pa.float64(), nullable=False)


def schema(*columns: "pa.Field[Any]") -> pa.Schema:
    return reduce(pa.Schema.append, columns, pa.schema([]))


COLUMNS = {
    "eod": schema(TIME.with_name("created"), PRICE.with_name("close"), COUNT.with_name("volume")),
    "ohlc": schema(TIME, PRICE.with_name("open"), PRICE.with_name("vwap"), COUNT.with_name("count")),
    "quote": schema(TIME, COUNT.with_name("bid_size"), PRICE.with_name("bid"), PRICE.with_name("ask")),
    "trade": schema(TIME, COUNT.with_name("sequence"), COUNT.with_name("condition"), COUNT, PRICE),
    "trade_quote": schema(TIME.with_name("trade_timestamp"), TIME.with_name("quote_timestamp"), PRICE),
}


@pytest.fixture(scope="module")
def simulator() -> Iterator[str]:
    with running_simulator() as url:
        yield url


@pytest.fixture
def client(simulator: str) -> Iterator[ThetaClient]:
    with ThetaClient(simulator, "pro", budgets=QUICK) as theta:
        yield theta
    httpx2.delete(f"{simulator}/__faults")


def trades(symbol: str = "AAPL", day: date = DAY) -> HistoryRequest:
    [window] = plan_windows("trade", None, day, day, "regular")
    return HistoryRequest("trade", symbol, window)


def read(client: ThetaClient, request: HistoryRequest, block_bytes: int = 1 << 18, **options: bool) -> list[Block]:
    columns = COLUMNS[request.kind]
    return list(client.history(request, columns, block_bytes=block_bytes, aborted=threading.Event(), **options))


@pytest.mark.parametrize(
    ("kind", "interval", "rows"),
    [("eod", None, 20), ("ohlc", "1m", 20 * 391), ("quote", "1h", 20 * 7), ("ohlc", "5m", 20 * 79)],
)
def test_windows_of_days_come_whole(client: ThetaClient, kind: Kind, interval: str | None, rows: int) -> None:
    windows = plan_windows(kind, interval, date(2024, 1, 2), date(2024, 1, 30), "regular")
    blocks = [block for window in windows for block in read(client, HistoryRequest(kind, "AAPL", window, interval))]
    assert table(blocks).num_rows == rows
    assert [bad for block in blocks for bad in block.bad_rows] == []


@pytest.mark.parametrize("kind", ["trade", "trade_quote", "quote"])
def test_a_day_of_ticks_is_in_time_order_inside_its_session(client: ThetaClient, kind: Kind) -> None:
    [window] = plan_windows(kind, "tick", DAY, DAY, "regular")
    interval = "tick" if kind == "quote" else None
    times: list[datetime] = table(read(client, HistoryRequest(kind, "AAPL", window, interval)))[0].to_pylist()  # type: ignore[assignment]
    assert len(times) > 100
    assert times == sorted(times)
    assert times[0].time() >= time(9, 30)
    assert times[-1].time() <= time(16)


def test_quotes_are_at_or_before_their_trade(client: ThetaClient) -> None:
    [window] = plan_windows("trade_quote", None, DAY, DAY, "regular")
    rows = table(read(client, HistoryRequest("trade_quote", "AAPL", window))).to_pylist()
    assert all(row["quote_timestamp"] <= row["trade_timestamp"] for row in rows)


@pytest.mark.parametrize(
    "fault",
    [
        {"kind": "status", "status": 429},
        {"kind": "status", "status": 474},
        {"kind": "status", "status": 571},
        {"kind": "status", "status": 500},
        {"kind": "reset", "after_bytes": 0},
        {"kind": "reset", "after_bytes": 5000},
        {"kind": "truncate_chunked", "after_bytes": 5000},
    ],
)
def test_after_a_passing_fault_the_answer_is_the_same(
    client: ThetaClient, simulator: str, fault: dict[str, Any]
) -> None:
    whole = read(client, trades())
    break_it(simulator, TRADES, fault, times=2)
    assert read(client, trades()) == whole
    assert httpx2.get(f"{simulator}/__faults").json()[0]["fired"] == 2


@pytest.mark.parametrize(
    "silence",
    [
        {"kind": "silent", "seconds": 60},
        {"kind": "silent", "seconds": 60, "headers": True},
        {"kind": "stall", "after_bytes": 100, "seconds": 60},
    ],
)
def test_after_a_silence_the_answer_is_the_same(client: ThetaClient, simulator: str, silence: dict[str, Any]) -> None:
    whole = read(client, trades())
    break_it(simulator, TRADES, silence, times=1)
    with ThetaClient(simulator, "pro", idle_timeout_s=1, budgets=QUICK) as impatient:
        assert read(impatient, trades()) == whole


def test_a_request_too_large_gives_the_same_rows_in_parts(client: ThetaClient, simulator: str) -> None:
    whole = read(client, trades())
    break_it(simulator, TRADES, {"kind": "status", "status": 570}, times=4)
    parts = read(client, trades())
    assert table(parts) == table(whole)
    assert [line for block in parts for line in block.lines.to_pylist()] == list(range(2, table(whole).num_rows + 2))
    httpx2.delete(f"{simulator}/__faults")
    break_it(simulator, "stock/history/ohlc", {"kind": "status", "status": 570}, times=2)
    [window] = plan_windows("ohlc", "1m", date(2024, 1, 2), date(2024, 1, 5), "regular")
    assert table(read(client, HistoryRequest("ohlc", "AAPL", window, "1m"))).num_rows == 4 * 391


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        ({"kind": "status", "status": 472}, NoData),
        ({"kind": "status", "status": 410}, VendorRefused),
        ({"kind": "status", "status": 403}, TierTooLow),
        ({"kind": "text_200"}, NoData),
        ({"kind": "html_200"}, VendorAnswerMalformed),
        ({"kind": "empty_200"}, VendorAnswerMalformed),
        ({"kind": "column_missing", "column": "price"}, ColumnsMissing),
        ({"kind": "column_renamed", "column": "size"}, ColumnsMissing),
        ({"kind": "cut", "after_bytes": 5000}, VendorBodyCut),
    ],
)
def test_a_lasting_fault_has_its_name(
    client: ThetaClient, simulator: str, fault: dict[str, Any], error: type[StoculusError]
) -> None:
    break_it(simulator, TRADES, fault)
    with pytest.raises(error):
        read(client, trades())


@pytest.mark.parametrize("kind", ["drop_cell", "extra_cell", "nan", "non_utf8"])
def test_a_damaged_row_is_set_apart_and_the_rest_is_untouched(client: ThetaClient, simulator: str, kind: str) -> None:
    whole = table(read(client, trades())).to_pylist()
    break_it(simulator, TRADES, {"kind": kind, "row": 3, "column": "price"})
    blocks = read(client, trades())
    assert [(bad.line, bool(bad.cause)) for block in blocks for bad in block.bad_rows] == [(4, True)]
    assert table(blocks).to_pylist() == whole[:2] + whole[3:]


@pytest.mark.parametrize("fault", ["column_added", "column_moved"])
def test_another_column_order_and_new_columns_do_not_matter(client: ThetaClient, simulator: str, fault: str) -> None:
    whole = table(read(client, trades()))
    break_it(simulator, TRADES, {"kind": fault, "column": None if fault == "column_added" else "sequence"})
    assert table(read(client, trades())) == whole


def test_a_tolerated_cut_costs_the_last_row_only(client: ThetaClient, simulator: str) -> None:
    whole = table(read(client, trades())).to_pylist()
    break_it(simulator, TRADES, {"kind": "cut", "after_bytes": 5000})
    blocks = read(client, trades(), tolerate_cut=True)
    [bad] = blocks[-1].bad_rows
    assert table(blocks).to_pylist() == whole[: bad.line - 2]


def test_another_login_stops_everything_until_it_is_gone(client: ThetaClient, simulator: str) -> None:
    break_it(simulator, None, {"kind": "another_login"})
    for _ in range(2):
        with pytest.raises(SessionTaken):
            read(client, trades())
    assert client.status() == "UNVERIFIED"
    httpx2.delete(f"{simulator}/__faults")
    assert client.status() == "CONNECTED"
    assert read(client, trades())


@pytest.mark.parametrize("dialect", [{"quoted": False}, {"trimmed_times": True}])
def test_the_dialect_of_another_build_reads_the_same(
    client: ThetaClient, simulator: str, dialect: dict[str, bool]
) -> None:
    whole = table(read(client, trades()))
    httpx2.post(f"{simulator}/__dialect", json=dialect).raise_for_status()
    try:
        assert table(read(client, trades())) == whole
    finally:
        httpx2.post(f"{simulator}/__dialect", json={})


def test_lists_and_calendar(client: ThetaClient) -> None:
    assert "AAPL" in client.symbols()
    assert DAY in client.dates("trade", "AAPL")
    assert client.calendar_day(date(2015, 12, 24)).close == time(13)
    assert client.calendar_day(date(2024, 1, 15)).type == "full_close"
    assert client.calendar_today().type in ("open", "early_close", "full_close", "weekend")
    assert client.year_holidays(2024)[date(2024, 12, 25)].open is None
    with pytest.raises(NoData):
        client.dates("trade", "NOSUCH")


def test_a_free_account_is_refused_ticks_and_the_tier_is_learned() -> None:
    with running_simulator(sim_tier="free") as url, ThetaClient(url, "pro") as client:
        with pytest.raises(TierTooLow, match=r"tier \(free\) may not read .*; needed: standard"):
            read(client, trades())
        assert client.tier is Tier.FREE


@pytest.mark.recordings
def test_a_recorded_day_of_trades_is_complete(recordings: Path) -> None:
    with running_simulator(sim_recordings=recordings) as url, ThetaClient(url, "pro") as client:
        [window] = plan_windows("trade", None, date(2013, 10, 7), date(2013, 10, 7), "extended")
        blocks = read(client, HistoryRequest("trade", "SPY", window), 1 << 20)
        assert table(blocks).num_rows == 250_601
        assert blocks[-1].last_line == 250_602
