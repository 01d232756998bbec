"""Real market data from the recordings to topics, value by value."""

from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Registry
from tests.integration.kafka.conftest import Record
from tests.integration.services import vendor
from tests.integration.services.conftest import Read
from tests.integration.services.harness import Checkpoints, Service, assert_same, days_of, decoded, hash_of

pytestmark = pytest.mark.recordings
SPY_DAY = date(2013, 10, 7)
BAC_DAY = date(2013, 10, 7)
AAPL_DAYS = [date(2014, 6, 5), date(2014, 6, 6), date(2014, 6, 9)]
HALF_DAY = date(2015, 12, 24)


@pytest.fixture
def fill(recorded_service: Service, checkpoints: Checkpoints, read: Read, registry: Registry, backtest_id: str) -> Any:
    """Run a task to its receipt; return the receipt, the records, and their decoded values."""

    def run(ticker: str, start: date, end: date, **task: Any) -> tuple[Any, list[Record], Iterator[dict[str, Any]]]:
        days = {"start": start.isoformat(), "end": end.isoformat()}
        task_id = recorded_service.start_task({"backtest_id": backtest_id, "ticker": ticker, **days} | task)
        receipt = checkpoints.completed(task_id)
        records = read(task_id)
        assert {record.key for record in records} == {ticker.upper().encode()}
        assert (receipt.records, receipt.days) == (len(records), days_of(records))
        assert receipt.hash == hash_of(records)
        assert receipt.last_offset == records[-1].offset
        return receipt, records, decoded(records, registry.url)

    return run


@pytest.mark.chaos
def test_spys_trades_of_a_day_are_the_files_rows(fill: Any, recordings: Path) -> None:
    receipt, _, values = fill("SPY", SPY_DAY, SPY_DAY, schema="trade", session="extended")

    assert receipt.days == {SPY_DAY: 250_601}
    assert_same(values, vendor.trades(recordings, "SPY", SPY_DAY))


def test_bacs_trades_are_the_files_rows(fill: Any, recordings: Path) -> None:
    _, _, values = fill("bac", BAC_DAY, BAC_DAY, schema="trade", session="extended")

    assert assert_same(values, vendor.trades(recordings, "BAC", BAC_DAY)) == 88_172


def test_bacs_quotes_are_the_files_rows_in_pairs(fill: Any, recordings: Path) -> None:
    _, _, values = fill("BAC", BAC_DAY, BAC_DAY, schema="quote", session="extended")

    assert assert_same(values, vendor.quotes(recordings, "BAC", BAC_DAY)) == 238_427


def test_the_regular_session_is_from_open_to_close_both_included(fill: Any, recordings: Path) -> None:
    _, _, values = fill("BAC", BAC_DAY, BAC_DAY, schema="trade")
    open_at, close_at = vendor.moment(BAC_DAY, vendor.OPEN_MS), vendor.moment(BAC_DAY, vendor.CLOSE_MS)

    inside = (row for row in vendor.trades(recordings, "BAC", BAC_DAY) if open_at <= row["ts_event"] <= close_at)
    assert_same(values, inside)


def test_each_trade_stands_with_the_quote_of_its_time(fill: Any, recordings: Path) -> None:
    _, _, values = fill("BAC", BAC_DAY, BAC_DAY, schema="tradequote", session="extended")

    assert assert_same(values, vendor.trade_quotes(recordings, "BAC", BAC_DAY)) == 88_172


def test_aapls_minute_bars_are_the_files_bars_over_a_weekend_and_a_split(fill: Any, recordings: Path) -> None:
    receipt, _, values = fill("AAPL", AAPL_DAYS[0], AAPL_DAYS[-1], session="extended")

    bars = list(values)
    assert_same(map(without_vwap, bars), (without_vwap(row) for row in aapls_bars(recordings)))
    # The vendor's vwap has two decimals.
    assert [bar["vwap"] for bar in bars] == pytest.approx([bar["vwap"] for bar in aapls_bars(recordings)], abs=0.0052)
    assert receipt.days == dict(zip(AAPL_DAYS, (686, 783, 834), strict=True))
    assert receipt.empty_bars == 3 * 1440 - receipt.records
    split = next(bar for bar in bars if bar["open"] > 600 and bar["close"] < 100)
    assert (split["open"], split["close"]) == (645.57, 92.42)


def aapls_bars(recordings: Path) -> Iterator[dict[str, Any]]:
    for day in AAPL_DAYS:
        yield from vendor.minute_bars(recordings, "AAPL", day)


def without_vwap(bar: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in bar.items() if name != "vwap"}


def test_a_half_day_ends_at_one(fill: Any, recordings: Path) -> None:
    receipt, _, values = fill("GOOG", HALF_DAY, HALF_DAY)

    expected = vendor.minute_bars(recordings, "GOOG", HALF_DAY, vendor.OPEN_MS, vendor.HALF_DAY_MS)
    assert_same(map(without_vwap, values), map(without_vwap, expected))
    assert receipt.records + receipt.empty_bars == 211
    assert receipt.complete_until == vendor.moment(HALF_DAY, 86_400_000)


def test_a_half_day_between_whole_days_is_asked_for_by_itself(fill: Any, recordings: Path) -> None:
    days = [date(2015, 12, 23), HALF_DAY, date(2015, 12, 28)]
    receipt, _, values = fill("GOOG", days[0], days[-1])

    closes = [vendor.CLOSE_MS, vendor.HALF_DAY_MS, vendor.CLOSE_MS]
    expected = (
        without_vwap(bar)
        for day, close_ms in zip(days, closes, strict=True)
        for bar in vendor.minute_bars(recordings, "GOOG", day, vendor.OPEN_MS, close_ms)
    )
    assert_same(map(without_vwap, values), expected)
    assert receipt.chunks_done == 3
    assert receipt.records + receipt.empty_bars == 391 + 211 + 391


def test_empty_bars_are_kept_where_that_is_asked_for(fill: Any) -> None:
    receipt, records, values = fill("GOOG", HALF_DAY, HALF_DAY, keep_empty_bars=True)

    assert (len(records), receipt.empty_bars) == (211, 0)
    minutes = [vendor.moment(HALF_DAY, vendor.OPEN_MS) + timedelta(minutes=n) for n in range(211)]
    rows = list(values)
    assert [row["ts_event"] for row in rows] == minutes
    assert (rows[-1]["open"], rows[-1]["volume"], rows[-1]["count"]) == (0.0, 0, 0)


def test_reports_over_a_year_come_by_the_day_they_are_of(fill: Any, recordings: Path) -> None:
    start, end = date(2013, 6, 3), date(2014, 6, 30)
    receipt, _, values = fill("AAPL", start, end, schema="eod")

    assert assert_same(values, vendor.reports(recordings, "AAPL", start, end)) == 272
    assert receipt.chunks_done == 2
    assert set(receipt.days.values()) == {1}


def test_quotes_at_each_minute_are_the_last_ticks_before(fill: Any, recordings: Path) -> None:
    _, records, values = fill("BAC", BAC_DAY, BAC_DAY, schema="quote", interval="1m")

    expected = vendor.quotes_each_minute(recordings, "BAC", BAC_DAY, vendor.OPEN_MS, vendor.CLOSE_MS)
    assert_same(values, expected)
    assert len(records) == 391


def test_quotes_at_each_minute_of_quote_bars_leave_out_those_before_the_first(fill: Any, recordings: Path) -> None:
    day = AAPL_DAYS[0]
    receipt, _, values = fill("AAPL", day, day, schema="quote1m", session="extended")

    assert_same(values, vendor.quotes_of_bars(recordings, "AAPL", day, 0, 86_399_999))
    assert receipt.empty_bars == 4 * 60 + 1


def test_days_that_no_file_holds_are_empty_with_their_reason(fill: Any) -> None:
    receipt, _, _ = fill("AAPL", date(2014, 6, 4), date(2014, 6, 5), schema="ohlcv1m")
    assert set(receipt.days) == {date(2014, 6, 5)}
    assert set(receipt.empty_days) == {date(2014, 6, 4)}


def test_a_topic_that_stays_empty_carries_a_warning(
    recorded_service: Service, checkpoints: Checkpoints, read: Read, backtest_id: str
) -> None:
    task = {"backtest_id": backtest_id, "ticker": "AAPL", "start": "2014-07-01", "end": "2014-07-02", "schema": "trade"}
    task_id = recorded_service.start_task(task)
    receipt = checkpoints.completed(task_id)

    assert read(task_id) == []
    assert (receipt.records, receipt.last_offset, len(receipt.empty_days)) == (0, None, 2)
    assert "472" in receipt.empty_days[date(2014, 7, 1)]
    assert receipt.warnings


def test_the_same_request_twice_leaves_the_same_bytes(fill: Any, recorded_service: Service) -> None:
    first, records, _ = fill("AAPL", AAPL_DAYS[0], AAPL_DAYS[-1])
    second, again, _ = fill("AAPL", AAPL_DAYS[0], AAPL_DAYS[-1], backtest_id="again")

    assert first.task_id != second.task_id
    assert first.hash == second.hash
    assert records == again
