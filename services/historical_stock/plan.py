"""From a stock task to vendor requests, and what they will cost."""

from collections.abc import Callable, Sequence
from datetime import date, datetime
from typing import Final

from services.kit.names import NameList
from services.kit.planning import check_days, check_tier, plan_each, seconds_of
from services.kit.records.stock import MAPPINGS
from stoculus.calendar import trading_days
from stoculus.records.catalog import INTERVAL_US, Kind, Schema
from stoculus.tasks import StockTask, TaskPlan
from theta_client.client import HistoryRequest, ThetaClient, Tier, Window, plan_windows

_BYTES_A_ROW: Final = 80
_SESSION_US: Final = {"regular": 23_400_000_000, "extended": 57_600_000_000}

FIRST_TIER: Final[dict[Kind, Tier]] = {"eod": Tier.FREE, "ohlcv": Tier.VALUE, "quote": Tier.VALUE}
_FIRST_DAY: Final = {
    Tier.FREE: date(2023, 6, 1),
    Tier.VALUE: date(2021, 1, 1),
    Tier.STANDARD: date(2016, 1, 1),
    Tier.PRO: date(2012, 6, 1),
}
"""How far the vendor's stock history goes back by tier (rest.md 10.11)."""


def windows_of(task: StockTask) -> list[Window]:
    """The chunks of a task."""
    schema = task.record_schema
    return plan_windows(MAPPINGS[schema.kind].endpoint, vendor_interval(schema), task.start, task.end, task.session)


def vendor_interval(schema: Schema) -> str | None:
    """The interval as the vendor spells it; None where the endpoint has none."""
    return schema.interval or ("tick" if schema.kind == "quote" else None)


def request_of(task: StockTask, vendor_symbol: str, window: Window) -> HistoryRequest:
    """The vendor request of one chunk."""
    schema = task.record_schema
    return HistoryRequest(MAPPINGS[schema.kind].endpoint, vendor_symbol, window, vendor_interval(schema))


class StockPlanner:
    """Checks stock tasks before they run."""

    def __init__(self, client: ThetaClient, symbols: NameList, now: Callable[[], datetime]) -> None:
        self._client = client
        self._symbols = symbols
        self._now = now

    def check_days(self, task: StockTask) -> None:
        """See Planner."""
        check_days(task, self._now())

    def plan(self, tasks: Sequence[StockTask]) -> list[TaskPlan]:
        """See Planner."""
        return plan_each(tasks, self._client, self._now, self._plan)

    def _plan(self, task: StockTask) -> TaskPlan:
        self._symbols.vendor_name(task.symbol, field="ticker")
        check_tier(task, self._client.tier, FIRST_TIER, _FIRST_DAY, "stock")
        windows, rows = windows_of(task), rows_of(task)
        return TaskPlan(
            task_id=task.task_id,
            requests=len(windows),
            rows=rows,
            bytes=rows * _BYTES_A_ROW,
            seconds=seconds_of(len(windows), rows, self._client.tier),
            warnings=[] if task.record_schema.kind == "ohlcv" else ["The number of rows is a guess."],
        )


def rows_of(task: StockTask) -> int:
    """Rows to expect: exact at the most for a grid, a guess for ticks."""
    days, schema = len(trading_days(task.start, task.end)), task.record_schema
    if schema.interval:
        return days * (_SESSION_US[task.session] // INTERVAL_US[schema.interval] + 1)
    return days * MAPPINGS[schema.kind].typical_rows_a_day
