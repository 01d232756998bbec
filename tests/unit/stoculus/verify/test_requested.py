from datetime import UTC, date, datetime
from typing import Any

import pytest

from coordinator.backtests.manifest import manifest
from coordinator.backtests.models import Submission
from coordinator.backtests.states import Observed
from coordinator.backtests.store import Backtest
from coordinator.progress import Progress
from stoculus.calendar import NEW_YORK
from stoculus.reading.manifest import Manifest
from stoculus.verify.requested import Requested, task_of

NOW = datetime(2024, 2, 1, tzinfo=UTC)
OPTION: dict[str, Any] = {"asset": "option", "root": "spxw", "expirations": ["2023-11-24"]}
STOCK: dict[str, Any] = {"asset": "stock", "symbols": ["AAPL"]}
HALF_DAY, HOLIDAY, SATURDAY = date(2023, 11, 24), date(2023, 11, 23), date(2023, 11, 25)


def written(data: list[dict[str, Any]], **more: Any) -> tuple[Backtest, Manifest]:
    """A backtest, and its manifest as readers get it."""
    submission = Submission.model_validate({"start": "2023-11-22", "end": "2023-11-27", "data": data, **more})
    backtest = Backtest("42", NOW, submission)
    return backtest, Manifest.model_validate_json(manifest(backtest, Observed.COMPLETED, Progress(), NOW))


def requested(selection: dict[str, Any], **more: Any) -> Requested:
    _, told = written([selection], **more)
    return Requested.of(told, told.topics[0])


def hours(of: Requested, day: date) -> tuple[str, str] | None:
    bounds = of.bounds_us(day)
    return bounds and tuple(f"{datetime.fromtimestamp(us / 1e6, NEW_YORK):%H:%M}" for us in bounds)  # type: ignore[return-value]


@pytest.mark.parametrize(
    "data",
    [
        [{**STOCK, "symbols": ["aapl", "BRK/B"], "schema": "ohlcv"}, {**STOCK, "schema": "quote"}],
        [{**STOCK, "schema": "quote", "interval": "1h"}, {**STOCK, "schema": "quote"}, {**STOCK, "schema": "eod"}],
        [{**OPTION, "schema": "quote"}, {**OPTION, "schema": "quote", "interval": "1m"}, {**STOCK, "schema": "trade"}],
        [{**OPTION, "schema": "greeksfirst", "strikes": {"min": 4500, "max": 4600}, "right": "call"}],
        [
            {**OPTION, "schema": "ohlcv", "expirations": {"dte": {"min": 0, "max": 7}}, "strikes": {"around_spot": 3}},
            {**OPTION, "root": "SPX", "schema": "ohlcv", "expirations": "all", "strikes": [4500, 4550.5]},
        ],
        [
            {
                "asset": "option",
                "schema": "trade",
                "contracts": ["SPXW231124C04550000", "AAPL  231124P00190000", "SPXW  231124P04550000"],
            },
            {"asset": "option", "root": "AAPL", "schema": "eod", "contracts": ["AAPL  231124P00190000"]},
        ],
    ],
)
@pytest.mark.parametrize("more", [{}, {"session": "extended", "keep_empty_bars": True}], ids=["plain", "with options"])
def test_the_task_of_a_topic_is_the_one_that_the_coordinator_plans(
    data: list[dict[str, Any]], more: dict[str, Any]
) -> None:
    backtest, told = written(data, **more)

    assert [task_of(told, entry) for entry in told.topics] == [planned.task for planned in backtest.planned]


def test_times_lie_inside_the_session_of_a_trading_day() -> None:
    bars = requested({**STOCK, "schema": "ohlcv"})

    assert bars.days == {date(2023, 11, 22), HALF_DAY, date(2023, 11, 27)}
    assert hours(bars, date(2023, 11, 22)) == ("09:30", "16:00")
    assert hours(bars, HALF_DAY) == ("09:30", "13:00")
    assert [hours(bars, day) for day in (HOLIDAY, SATURDAY, date(2023, 11, 21), date(2023, 11, 28))] == [None] * 4


def test_an_extended_session_is_the_whole_day() -> None:
    assert hours(requested({**STOCK, "schema": "trade"}, session="extended"), HALF_DAY) == ("00:00", "23:59")


def test_options_of_an_index_end_later() -> None:
    assert hours(requested({**OPTION, "schema": "quote"}), HALF_DAY) == ("09:30", "13:15")
    assert hours(requested({**OPTION, "root": "AAPL", "schema": "quote"}), HALF_DAY) == ("09:30", "13:00")


@pytest.mark.parametrize("selection", [{**STOCK, "schema": "eod"}, {**OPTION, "schema": "openinterest"}])
def test_a_report_has_a_time_of_the_vendor_s_own(selection: dict[str, Any]) -> None:
    reports = requested(selection)

    assert hours(reports, HALF_DAY) == hours(reports, date(2023, 11, 28)) == ("00:00", "23:59")
    assert hours(reports, date(2023, 11, 21)) is None
