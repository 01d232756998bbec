"""Real option chains from the recordings to topics, value by value."""

from collections.abc import Iterable, Iterator
from datetime import date, datetime
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Registry
from tests.integration.kafka.conftest import Record
from tests.integration.services import vendor_options as vendor
from tests.integration.services.conftest import Read
from tests.integration.services.harness import Checkpoints, Service, assert_same, days_of, decoded, hash_of
from tests.integration.services.vendor import CLOSE_MS, HALF_DAY_MS, OPEN_MS, Row, moment
from tests.integration.services.vendor_options import LATE_MS, in_order, is_empty, without_vwap

pytestmark = [pytest.mark.recordings, pytest.mark.chaos]
BEFORE_SPLIT, AFTER_SPLIT = date(2014, 6, 6), date(2014, 6, 9)
HALF_DAY, NEXT_WEEKS = date(2015, 12, 24), date(2016, 1, 8)
UNTRIMMED = date(2021, 1, 6)
TWX_DAYS = [date(2014, 6, 5), date(2014, 6, 6)]


@pytest.fixture
def fill(
    recorded_option_service: Service, checkpoints: Checkpoints, read: Read, registry: Registry, backtest_id: str
) -> Any:
    """Run a task to its receipt; return the receipt, the records, and their decoded values."""

    def run(root: str, start: date, end: date, **task: Any) -> tuple[Any, list[Record], Iterator[Row]]:
        days = {"start": start.isoformat(), "end": end.isoformat()}
        body = {"backtest_id": backtest_id, "root": root, "expirations": "all", **days} | task
        receipt = checkpoints.completed(recorded_option_service.start_task(body))
        records = read(receipt.task_id)
        assert (receipt.records, receipt.days) == (len(records), days_of(records))
        assert receipt.hash == hash_of(records)
        assert receipt.last_offset == records[-1].offset
        return receipt, records, keyed(records, decoded(records, registry.url))

    return run


def keyed(records: list[Record], values: Iterable[Row]) -> Iterator[Row]:
    """The values, each compared with its record's key and time."""
    for record, value in zip(records, values, strict=True):
        assert record.key == value["symbol"].encode()
        assert record.time_ms == value["ts_event"].timestamp() * 1000
        yield value


def assert_same_bars(found: Iterator[Row], expected: list[Row]) -> None:
    rows = list(found)
    assert_same(without_vwap(rows), without_vwap(expected))
    assert [bar["vwap"] for bar in rows] == pytest.approx([bar["vwap"] for bar in expected], abs=0.0052)


def test_aapls_bars_before_and_after_the_split_are_the_files_bars(fill: Any, recordings: Path) -> None:
    days = (BEFORE_SPLIT, AFTER_SPLIT)
    receipt, _, values = fill("AAPL", *days)

    bars = list(values)
    expected = (vendor.bars(recordings, "AAPL", day, OPEN_MS, CLOSE_MS) for day in days)
    assert_same_bars(iter(bars), [bar for day in expected for bar in day])
    assert receipt.days == {BEFORE_SPLIT: 22_055, AFTER_SPLIT: 21_617}  # 12 bars start at 16:00 or later
    assert receipt.empty_bars == (1185 + 1138) * 391 - receipt.records
    strikes = [{bar["strike"] for bar in bars if bar["ts_event"].date() == day} for day in days]
    assert max(strikes[0]) > 640 > 150 == max(strikes[1])


def test_the_open_interest_after_the_split_has_the_old_strikes(fill: Any, recordings: Path) -> None:
    days = (BEFORE_SPLIT, AFTER_SPLIT)
    receipt, _, values = fill("AAPL", *days, schema="openinterest")

    rows = list(values)
    assert_same(rows, [row for day in days for row in vendor.open_interest(recordings, "AAPL", day)])
    assert receipt.days == {BEFORE_SPLIT: 2322, AFTER_SPLIT: 2337}
    assert sum(row["expiration"] == BEFORE_SPLIT for row in rows[2322:]) == 172, "expired on Friday, told on Monday"
    assert min(row["strike"] for row in rows) == 195


@pytest.mark.parametrize("expiration", [date(2014, 6, 13), date(2015, 1, 17)])
def test_the_bars_of_one_expiration_are_its_bars_of_the_file(fill: Any, recordings: Path, expiration: date) -> None:
    _, _, values = fill("AAPL", AFTER_SPLIT, AFTER_SPLIT, expirations=[expiration.isoformat()])

    every = vendor.bars(recordings, "AAPL", AFTER_SPLIT, OPEN_MS, CLOSE_MS)
    assert_same_bars(values, [bar for bar in every if bar["expiration"] == expiration])


def test_an_expiration_that_ended_before_the_day_has_no_more_bars(fill: Any) -> None:
    receipt, _, _ = fill("AAPL", BEFORE_SPLIT, AFTER_SPLIT, expirations=[BEFORE_SPLIT.isoformat()])

    assert set(receipt.days) == {BEFORE_SPLIT}
    assert set(receipt.empty_days) == {AFTER_SPLIT}


@pytest.fixture(scope="module")
def half_day(recordings: Path) -> list[Row]:
    """What the vendor has of GOOG's half day and the next expirations, empty rows among it."""
    every = vendor.quotes(recordings, "GOOG", HALF_DAY, HALF_DAY_MS)
    return [row for row in every if row["expiration"] <= NEXT_WEEKS]


def test_a_half_days_quotes_with_one_empty_side_are_kept(fill: Any, half_day: list[Row]) -> None:
    receipt, _, values = fill(
        "GOOG", HALF_DAY, HALF_DAY, schema="quote1m", expirations={"min": f"{HALF_DAY}", "max": f"{NEXT_WEEKS}"}
    )

    kept = [row for row in half_day if not is_empty(row)]
    assert_same(values, kept)
    assert sum(not (row["bid"] and row["ask"]) for row in kept) == 65_602
    assert receipt.empty_bars == sum(map(is_empty, half_day)) == 2172
    assert receipt.records + receipt.empty_bars == (176 + 194 + 164) * 211


def test_empty_rows_are_kept_where_that_is_asked_for(fill: Any, half_day: list[Row]) -> None:
    expiration = date(2015, 12, 31)
    receipt, _, values = fill(
        "GOOG", HALF_DAY, HALF_DAY, schema="quote1m", keep_empty_bars=True, expirations=[expiration.isoformat()]
    )

    expected = [row for row in half_day if row["expiration"] == expiration]
    assert_same(values, expected)
    assert receipt.empty_bars == 0
    assert any(map(is_empty, expected))


def test_an_indexs_options_trade_until_a_quarter_past_four(fill: Any, recordings: Path) -> None:
    receipt, _, values = fill("SPXW", UNTRIMMED, UNTRIMMED)

    assert_same_bars(values, vendor.bars(recordings, "SPXW", UNTRIMMED, OPEN_MS, LATE_MS))
    assert receipt.records == 2849
    assert receipt.empty_bars == 86 * 406 - 2849
    assert receipt.last_ts_event == moment(UNTRIMMED, LATE_MS - 60_000)


def test_the_untrimmed_chain_of_quotes_is_the_files(fill: Any, recordings: Path) -> None:
    receipt, _, values = fill("SPXW", UNTRIMMED, UNTRIMMED, schema="quote1m")

    every = vendor.quotes(recordings, "SPXW", UNTRIMMED, LATE_MS)
    assert_same(values, [row for row in every if not is_empty(row)])
    assert (receipt.records, receipt.empty_bars) == (43_848 - 109, 109)
    assert receipt.last_ts_event == moment(UNTRIMMED, LATE_MS)


def test_a_bar_behind_the_close_is_only_in_the_extended_session(fill: Any, recordings: Path) -> None:
    day = date(2021, 1, 5)
    receipt, _, values = fill("SPXW", day, day, session="extended")

    assert_same_bars(values, vendor.bars(recordings, "SPXW", day))
    assert receipt.last_ts_event > moment(day, LATE_MS)
    receipt, _, values = fill("SPXW", day, day, backtest_id="regular")
    assert_same_bars(values, vendor.bars(recordings, "SPXW", day, OPEN_MS, LATE_MS))


@pytest.mark.parametrize("day", [date(2021, 1, 4), date(2021, 1, 14)])
def test_spxs_bars_and_quotes_are_the_files(fill: Any, recordings: Path, day: date) -> None:
    _, _, values = fill("SPX", day, day)
    assert_same_bars(values, vendor.bars(recordings, "SPX", day, OPEN_MS, LATE_MS))

    _, _, values = fill("SPX", day, day, schema="quote1m")
    assert_same(values, [row for row in vendor.quotes(recordings, "SPX", day, LATE_MS) if not is_empty(row)])


def test_open_interest_comes_with_the_time_of_its_report(fill: Any, recordings: Path) -> None:
    day = date(2021, 1, 4)
    receipt, _, values = fill("SPXW", day, day, schema="openinterest")

    assert assert_same(values, vendor.open_interest(recordings, "SPXW", day)) == 12
    assert moment(day, 23_400_000) <= receipt.first_ts_event <= moment(day, 23_520_000)


@pytest.mark.parametrize(
    ("root", "start", "end", "count"),
    [
        ("AAPL", BEFORE_SPLIT, AFTER_SPLIT, 2322),
        ("TWX", *TWX_DAYS, 59),
        ("SPX", date(2021, 1, 4), date(2021, 1, 14), 8),
    ],
)
def test_reports_are_those_of_the_daily_files(
    fill: Any, recordings: Path, root: str, start: date, end: date, count: int
) -> None:
    _, _, values = fill(root, start, end, schema="eod")

    assert assert_same(values, vendor.reports(recordings, root, start, end)) == count


def test_a_contracts_reports_of_a_year_are_one_chunk(fill: Any, recordings: Path) -> None:
    start, end = date(2015, 1, 2), date(2015, 12, 31)
    expected = vendor.reports(recordings, "AAPL", start, end)
    receipt, _, values = fill("AAPL", start, end, schema="eod", expirations=None, contracts=[expected[0]["symbol"]])

    assert assert_same(values, expected) == 250
    assert receipt.chunks_done == 1


SELECTIONS: dict[str, tuple[dict[str, Any], Any]] = {
    "expirations by list": (
        {"expirations": ["2014-06-21", "2015-01-17"]},
        lambda row, _: row["expiration"] in (date(2014, 6, 21), date(2015, 1, 17)),
    ),
    "expirations by range": (
        {"expirations": {"min": "2014-07-01", "max": "2014-10-18"}},
        lambda row, _: date(2014, 7, 1) <= row["expiration"] <= date(2014, 10, 18),
    ),
    "expirations by days": (
        {"expirations": {"dte": {"min": 15, "max": 44}}},
        lambda row, day: 15 <= (row["expiration"] - day).days <= 44,
    ),
    "strikes by list": ({"strikes": [70, 42.5]}, lambda row, _: row["strike"] in (70, 42.5)),
    "strikes by range": ({"strikes": {"min": 42.5, "max": 52.4}}, lambda row, _: 42.5 <= row["strike"] <= 52.4),
    "calls": ({"right": "call"}, lambda row, _: row["right"] == "CALL"),
    "puts of one expiration and strike": (
        {"right": "put", "expirations": ["2014-07-19"], "strikes": [65]},
        lambda row, _: (row["right"], f"{row['expiration']}", row["strike"]) == ("PUT", "2014-07-19", 65),
    ),
    "contracts": (
        {"expirations": None, "contracts": ["TWX140621C00070000", "TWX   150117P00065000", "TWX150117C00065000"]},
        lambda row, _: row["symbol"] in ("TWX   140621C00070000", "TWX   150117P00065000", "TWX   150117C00065000"),
    ),
}  # fmt: skip


@pytest.fixture(scope="module")
def twx(recordings: Path) -> list[Row]:
    """TWX's quotes of each hour, empty rows among them."""
    return [row for day in TWX_DAYS for row in vendor.quotes(recordings, "TWX", day, step_ms=3_600_000)]


@pytest.mark.parametrize("name", ["all", *SELECTIONS])
@pytest.mark.parametrize("schema", ["quote1h", "openinterest"])
def test_a_selection_has_the_rows_of_the_whole_chain_that_it_names(
    fill: Any, recordings: Path, twx: list[Row], schema: str, name: str
) -> None:
    selection, holds = SELECTIONS.get(name, ({}, lambda *_: True))
    _, _, values = fill("TWX", *TWX_DAYS, schema=schema, **selection)

    whole = (
        twx if schema == "quote1h" else [r for day in TWX_DAYS for r in vendor.open_interest(recordings, "TWX", day)]
    )
    expected = [row for row in whole if holds(row, day_of(row["ts_event"]))]
    assert assert_same(values, [row for row in expected if schema != "quote1h" or not is_empty(row)]) > 0


def day_of(moment: datetime) -> date:
    """New York is behind UTC: by day the date is the same."""
    return moment.date()


def test_bars_of_a_selection_are_those_of_the_whole_chain(fill: Any, recordings: Path) -> None:
    """The vendor has no request for bars of all expirations at once."""
    day = TWX_DAYS[0]
    _, _, whole = fill("TWX", day, day)
    rows = list(whole)
    _, _, some = fill("TWX", day, day, backtest_id="some", strikes={"min": 60, "max": 70}, right="call")

    assert_same_bars(iter(rows), vendor.bars(recordings, "TWX", day, OPEN_MS, CLOSE_MS))
    assert_same(some, [row for row in rows if 60 <= row["strike"] <= 70 and row["right"] == "CALL"])


def test_days_that_no_file_holds_are_empty_with_their_reason(fill: Any) -> None:
    start = date(2014, 6, 4)
    receipt, _, values = fill("TWX", start, TWX_DAYS[-1], schema="quote1h")

    assert set(receipt.empty_days) == {start}
    assert receipt.empty_days[start]
    rows = list(values)
    assert rows == sorted(rows, key=in_order)


def test_the_same_request_twice_leaves_the_same_bytes(fill: Any) -> None:
    first, records, _ = fill("SPXW", UNTRIMMED, UNTRIMMED)
    second, again, _ = fill("SPXW", UNTRIMMED, UNTRIMMED, backtest_id="again")

    assert first.task_id != second.task_id
    assert first.hash == second.hash
    assert records == again
