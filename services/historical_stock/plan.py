"""From a task to vendor requests, and what they will cost."""

import difflib
import logging
import threading
from collections.abc import Callable, Sequence
from datetime import date, datetime, timedelta
from typing import Final

from services.historical_stock.records import MAPPINGS
from stoculus.calendar import check_known, is_settled, nearest_trading_days, settled_from, trading_days
from stoculus.errors import (
    InvalidRequest,
    StoculusError,
    TierTooLow,
    VendorBodyCut,
    VendorSilent,
    VendorUnreachable,
)
from stoculus.instruments import Stock
from stoculus.records.catalog import INTERVAL_US, Schema
from stoculus.tasks import StockTask, TaskPlan
from theta_client.client import HistoryRequest, ThetaClient, Tier, Window, plan_windows

log = logging.getLogger(__name__)

SYMBOLS_FRESH_FOR: Final = timedelta(hours=1)
_BYTES_A_ROW: Final = 80
_ROWS_A_SECOND: Final = 150_000
_SECONDS_A_REQUEST: Final = 0.5
_SESSION_US: Final = {"regular": 23_400_000_000, "extended": 57_600_000_000}

_FIRST_TIER: Final = {"eod": Tier.FREE, "ohlcv": Tier.VALUE, "quote": Tier.VALUE}
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


class SymbolList:
    """The vendor's symbols by canonical ticker, asked for once an hour. Thread-safe."""

    def __init__(self, client: ThetaClient, now: Callable[[], datetime]) -> None:
        self._client = client
        self._now = now
        self._lock = threading.Lock()
        self._symbols: dict[str, str] = {}
        self._until: datetime | None = None

    def vendor_symbol(self, stock: Stock, *, field: str) -> str:
        """The ticker as the vendor spells it; raise InvalidRequest, with the nearest ones, where it has none."""
        symbols = self._known()
        if stock.ticker not in symbols:
            near = difflib.get_close_matches(stock.ticker, symbols, n=3)
            remedy = f"Did you mean {' or '.join(near)}?" if near else "See the vendor's list of symbols."
            raise InvalidRequest(f"The vendor knows no stock {stock.ticker}.", remedy=remedy, field=field)
        return symbols[stock.ticker]

    def _known(self) -> dict[str, str]:
        with self._lock:
            if self._until is None or self._now() >= self._until:
                self._symbols = {symbol.upper().replace("/", "."): symbol for symbol in self._client.symbols()}
                self._until = self._now() + SYMBOLS_FRESH_FOR
            return self._symbols


class StockPlanner:
    """Checks stock tasks before they run."""

    def __init__(self, client: ThetaClient, symbols: SymbolList, now: Callable[[], datetime]) -> None:
        self._client = client
        self._symbols = symbols
        self._now = now

    def check_days(self, task: StockTask) -> None:
        """Raise InvalidRequest where the days are in the wrong order, all closed, or not settled yet."""
        check_known(task.start, field="start")
        check_known(task.end, field="end")
        if task.start > task.end:
            raise InvalidRequest(f"start {task.start} is after end {task.end}.", remedy="Swap them.", field="start")
        if not is_settled(task.end, self._now()):
            raise InvalidRequest(
                f"The vendor's history of {task.end} is complete from {settled_from(task.end).isoformat()} on.",
                remedy="End on an earlier day, or ask again then.",
                field="end",
            )
        if not trading_days(task.start, task.end):
            before, after = nearest_trading_days(task.start)
            raise InvalidRequest(
                f"The market was closed from {task.start} to {task.end}.",
                remedy=f"The nearest trading days are {before} and {after}.",
                field="start",
            )

    def plan(self, tasks: Sequence[StockTask]) -> list[TaskPlan]:
        """See Planner."""
        self._require_vendor()
        return [self._plan(task, f"tasks[{i}]") for i, task in enumerate(tasks)]

    def _require_vendor(self) -> None:
        """Raise where no terminal answers. The list of symbols may be an hour old and says nothing of now."""
        try:
            self._client.status()
        except (VendorUnreachable, VendorSilent, VendorBodyCut):
            raise
        except StoculusError as error:  # an answer, whatever it says: what ails the vendor is for the tasks to wait out
            log.info("The terminal has no status: %s", error)

    def _plan(self, task: StockTask, path: str) -> TaskPlan:
        try:
            self.check_days(task)
        except InvalidRequest as error:
            error.field = f"{path}.{error.field}"
            raise
        self._symbols.vendor_symbol(task.stock, field=f"{path}.ticker")
        self._check_tier(task, path)
        windows = windows_of(task)
        rows = rows_of(task)
        seconds = (len(windows) * _SECONDS_A_REQUEST + rows / _ROWS_A_SECOND) / self._client.tier.concurrency
        return TaskPlan(
            task_id=task.task_id,
            requests=len(windows),
            rows=rows,
            bytes=rows * _BYTES_A_ROW,
            seconds=round(seconds, 1),
            warnings=[] if task.record_schema.kind == "ohlcv" else ["The number of rows is a guess."],
        )

    def _check_tier(self, task: StockTask, path: str) -> None:
        own, needed = self._client.tier, first_tier(task.record_schema)
        if _rank(own) < _rank(needed):
            raise _tier_error(f"{task.record_schema.name} of stocks", own, needed, f"{path}.schema")
        if task.start < _FIRST_DAY[own]:
            deeper = [tier for tier in Tier if task.start >= _FIRST_DAY[tier]]
            if deeper and _rank(own) < _rank(deeper[0]):
                raise _tier_error(f"Stock history before {_FIRST_DAY[own]}", own, deeper[0], f"{path}.start")


def first_tier(schema: Schema) -> Tier:
    """The least tier that may see a schema; intervals below a minute count as ticks (rest.md 5, 10.11)."""
    if schema.kind in ("ohlcv", "quote") and INTERVAL_US.get(schema.interval or "", 0) < INTERVAL_US["1m"]:
        return Tier.STANDARD
    return _FIRST_TIER.get(schema.kind, Tier.STANDARD)


def rows_of(task: StockTask) -> int:
    """Rows to expect: exact at the most for a grid, a guess for ticks."""
    days, schema = len(trading_days(task.start, task.end)), task.record_schema
    if schema.interval:
        return days * (_SESSION_US[task.session] // INTERVAL_US[schema.interval] + 1)
    return days * MAPPINGS[schema.kind].typical_rows_a_day


def _rank(tier: Tier) -> int:
    return list(Tier).index(tier)


def _tier_error(what: str, own: Tier, needed: Tier, field: str) -> StoculusError:
    return TierTooLow(
        f"{what} needs the vendor's tier {needed.name}; this account has {own.name}.",
        remedy="Ask for less, or set STOCULUS_THETA_TIER if the account has more.",
        field=field,
    )
