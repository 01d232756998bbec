"""Planning on a real client whose terminal is the simulator."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import date, datetime, time, timedelta
from typing import Any

import httpx2
import pytest

from services.historical_stock.plan import FIRST_TIER, StockPlanner, request_of, rows_of, windows_of
from services.kit.names import FRESH_FOR, NameList
from services.kit.planning import first_tier
from simulator.testing import running_simulator
from stoculus.calendar import NEW_YORK, trading_days
from stoculus.errors import InvalidRequest, TierTooLow, VendorUnreachable
from stoculus.instruments import Stock
from stoculus.records.catalog import parse_schema
from stoculus.tasks import StockTask
from theta_client.client import ThetaClient, Tier

NOW = datetime(2024, 6, 3, 12, tzinfo=NEW_YORK)


def task(**changes: Any) -> StockTask:
    body = {"backtest_id": "1", "ticker": "AAPL", "start": "2024-01-02", "end": "2024-01-31"}
    return StockTask.model_validate(body | changes)


@pytest.fixture(scope="module")
def simulator_url() -> Iterator[str]:
    with running_simulator() as url:
        yield url


class Clock:
    """A clock that tests move."""

    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


PlannerOf = Callable[[Tier], StockPlanner]


@pytest.fixture
def planner_of(simulator_url: str, clock: Clock) -> Iterator[PlannerOf]:
    with ExitStack() as clients:

        def planner(tier: Tier) -> StockPlanner:
            client = clients.enter_context(ThetaClient(simulator_url, tier))
            return StockPlanner(client, NameList("stock", client.symbols, clock), clock)

        yield planner


@pytest.fixture
def pro(planner_of: PlannerOf) -> StockPlanner:
    return planner_of(Tier.PRO)


def test_bars_are_asked_for_by_four_weeks_and_reports_by_a_year() -> None:
    year = {"start": "2023-01-03", "end": "2024-01-31"}

    assert len(windows_of(task(**year, schema="eod"))) == 2
    for window in windows_of(task(**year, session="extended")):
        assert (window.end - window.start).days < 28
    assert len(windows_of(task(**year, session="extended"))) == 15


@pytest.mark.parametrize("schema", ["trade", "quote", "tradequote", "ohlcv1s", "ohlcv30s", "quote1s", "quote10ms"])
def test_anything_finer_than_a_minute_is_asked_for_by_the_day(schema: str) -> None:
    windows = windows_of(task(schema=schema))

    assert [window.days for window in windows] == [(day,) for day in trading_days(date(2024, 1, 2), date(2024, 1, 31))]


def test_a_half_day_is_a_chunk_of_its_own_in_the_regular_session() -> None:
    windows = windows_of(task(start="2015-12-23", end="2015-12-28"))

    assert [(window.start, window.end_time) for window in windows] == [
        (date(2015, 12, 23), time(16)),
        (date(2015, 12, 24), time(13)),
        (date(2015, 12, 28), time(16)),
    ]
    assert len(windows_of(task(start="2015-12-23", end="2015-12-28", session="extended"))) == 1


def test_chunks_are_the_same_each_time_they_are_planned() -> None:
    assert windows_of(task(schema="trade")) == windows_of(task(schema="trade"))


def test_a_request_names_all_that_the_vendor_would_assume() -> None:
    request = request_of(task(schema="quote"), "AAPL", windows_of(task(schema="quote"))[0])

    assert request.path == "stock/history/quote"
    assert request.params == {
        "symbol": "AAPL",
        "start_date": "20240102",
        "end_date": "20240102",
        "interval": "tick",
        "start_time": "09:30:00.000",
        "end_time": "16:00:00.000",
        "venue": "utp_cta",
        "format": "csv",
    }


@pytest.mark.parametrize(
    ("schema", "rows"),
    [("ohlcv1m", 391), ("ohlcv1h", 7), ("quote1s", 23_401), ("eod", 1), ("trade", 100_000)],
)
def test_rows_of_a_grid_are_counted_and_of_ticks_guessed(schema: str, rows: int) -> None:
    assert rows_of(task(schema=schema)) == 21 * rows
    assert rows_of(task(schema=schema, start="2024-01-02", end="2024-01-02")) == rows


@pytest.mark.parametrize(
    ("schema", "tier"),
    [
        ("eod", Tier.FREE),
        ("ohlcv1m", Tier.VALUE),
        ("quote1h", Tier.VALUE),
        ("ohlcv30s", Tier.STANDARD),
        ("quote", Tier.STANDARD),
        ("trade", Tier.STANDARD),
        ("tradequote", Tier.STANDARD),
    ],
)
def test_each_schema_has_the_tier_that_first_sees_it(schema: str, tier: Tier) -> None:
    assert first_tier(parse_schema(schema), FIRST_TIER) is tier


def test_a_plan_tells_requests_rows_bytes_and_time_in_the_order_asked(pro: StockPlanner) -> None:
    bars, trades = pro.plan([task(), task(schema="trade")])

    assert (bars.task_id, bars.requests, bars.rows) == ("stock-aapl-ohlcv1m-historical-1", 2, 21 * 391)
    assert (trades.requests, trades.rows) == (21, 2_100_000)
    assert trades.bytes > bars.bytes > 0
    assert trades.seconds > bars.seconds > 0
    assert bars.warnings == []
    assert trades.warnings


def test_an_unknown_symbol_is_refused_with_the_nearest_ones(pro: StockPlanner) -> None:
    with pytest.raises(InvalidRequest, match="AAPLE") as caught:
        pro.plan([task(), task(ticker="AAPLE")])

    assert caught.value.field == "tasks[1].ticker"
    assert "AAPL" in caught.value.remedy


@pytest.mark.parametrize("tier", [Tier.FREE, Tier.VALUE])
def test_a_tier_that_is_too_low_is_refused_with_both_named(planner_of: PlannerOf, tier: Tier) -> None:
    with pytest.raises(TierTooLow, match=f"STANDARD.*{tier.name}") as caught:
        planner_of(tier).plan([task(schema="trade")])

    assert caught.value.field == "tasks[0].schema"


def test_history_before_the_tiers_first_day_is_refused(planner_of: PlannerOf) -> None:
    deep = task(start="2019-01-02", end="2019-01-31")

    with pytest.raises(TierTooLow) as caught:
        planner_of(Tier.VALUE).plan([deep])

    assert caught.value.field == "tasks[0].start"
    assert planner_of(Tier.STANDARD).plan([deep])


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"start": "2024-02-01"}, "start"),
        ({"start": "1990-01-02"}, "start"),
        ({"end": "2031-01-02"}, "end"),
        ({"end": "2024-06-03"}, "end"),
        ({"start": "2024-01-06", "end": "2024-01-07"}, "start"),
        ({"start": "2024-01-15", "end": "2024-01-15"}, "start"),
    ],
)
def test_days_that_cannot_be_served_are_refused(pro: StockPlanner, wrong: dict[str, str], field: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        pro.check_days(task(**wrong))
    assert (caught.value.field, bool(caught.value.remedy)) == (field, True)

    with pytest.raises(InvalidRequest) as caught:
        pro.plan([task(), task(**wrong)])
    assert caught.value.field == f"tasks[1].{field}"


def test_closed_days_are_refused_with_the_nearest_open_ones(pro: StockPlanner) -> None:
    with pytest.raises(InvalidRequest) as caught:
        pro.check_days(task(start="2012-10-29", end="2012-10-30"))

    assert "2012-10-26" in caught.value.remedy
    assert "2012-10-31" in caught.value.remedy


def test_yesterday_is_served_from_a_quarter_to_two_on(pro: StockPlanner, clock: Clock) -> None:
    clock.now = datetime(2024, 6, 4, 1, 44, 59, tzinfo=NEW_YORK)
    with pytest.raises(InvalidRequest):
        pro.check_days(task(end="2024-06-03"))
    clock.now += timedelta(seconds=1)
    pro.check_days(task(end="2024-06-03"))


def test_the_list_of_symbols_is_asked_for_once_an_hour(simulator_url: str, clock: Clock) -> None:
    def asked() -> int:
        shown = httpx2.get(f"{simulator_url}/__requests", trust_env=False).json()
        return int(shown["by_path"].get("stock/list/symbols", 0))

    before = asked()
    with ThetaClient(simulator_url, "pro") as client:
        symbols = NameList("stock", client.symbols, clock)
        for ticker in ("AAPL", "BRK.B", "AAPL"):
            assert symbols.vendor_name(Stock(ticker).ticker, field="ticker") == ticker
        assert asked() == before + 1
        clock.now += FRESH_FOR
        symbols.vendor_name("AAPL", field="ticker")
        assert asked() == before + 2


def test_without_a_terminal_nothing_is_planned_however_well_its_symbols_are_known(clock: Clock) -> None:
    with ExitStack() as terminal:
        url = terminal.enter_context(running_simulator())
        with ThetaClient(url, Tier.PRO) as client:
            planner = StockPlanner(client, NameList("stock", client.symbols, clock), clock)
            assert len(planner.plan([task()])) == 1
            terminal.close()
            with pytest.raises(VendorUnreachable):
                planner.plan([task()])
