"""What a backtest asked for: of each topic the days, the hours, and the task that a service would run."""

from dataclasses import dataclass
from datetime import date, time, timedelta
from typing import Any, Final

from stoculus.calendar import (
    DAY_END,
    DAY_START,
    Session,
    option_session_hours,
    session_hours,
    to_utc_us,
    trading_days,
)
from stoculus.errors import Defect
from stoculus.instruments import OptionContract
from stoculus.reading.manifest import Manifest, TopicEntry
from stoculus.records.catalog import Kind, Schema
from stoculus.selection import ChainSelection
from stoculus.tasks import HistoricalTask, OptionTask, StockTask

_REPORTS: Final[frozenset[Kind]] = frozenset({"eod", "openinterest", "greekseod"})
_REPORT_DELAY: Final = timedelta(days=7)
"""A report has the vendor's time, which may be of a later day than what it reports on."""

_OF_ALL: Final = ("start", "end", "session", "keep_empty_bars")
"""What all topics of a request have in common."""


@dataclass(frozen=True, slots=True)
class Requested:
    """What one topic should hold. `days` are the trading days of the request."""

    schema: Schema
    symbol: str
    session: Session
    start: date
    end: date
    days: frozenset[date]

    @classmethod
    def of(cls, manifest: Manifest, entry: TopicEntry) -> "Requested":
        """By the manifest's request."""
        start, end = (date.fromisoformat(manifest.request[name]) for name in ("start", "end"))
        schema, session = entry.schema_of, manifest.request.get("session", "regular")
        return cls(schema, entry.symbol, session, start, end, frozenset(trading_days(start, end)))

    def bounds_us(self, day: date) -> tuple[int, int] | None:
        """First and last event time that a record of a New York day may have (UTC); None: it may have none."""
        if self.schema.kind in _REPORTS:
            reported = self.start <= day <= self.end + _REPORT_DELAY
            return _bounds_us(day, (DAY_START, DAY_END)) if reported else None
        if day not in self.days:
            return None
        if self.schema.asset == "option":
            return _bounds_us(day, option_session_hours(self.symbol, day, self.session))
        return _bounds_us(day, session_hours(day, self.session))


def _bounds_us(day: date, hours: tuple[time, time]) -> tuple[int, int]:
    return to_utc_us(day, hours[0]), to_utc_us(day, hours[1])


def task_of(manifest: Manifest, entry: TopicEntry) -> HistoricalTask:
    """The task that fills a topic."""
    request, schema = manifest.request, entry.schema_of
    told: dict[str, Any] = {name: request[name] for name in _OF_ALL if name in request}
    told |= {"backtest_id": manifest.backtest_id, "schema": schema.kind, "interval": schema.interval}
    if schema.asset == "stock":
        return StockTask.model_validate(told | {"ticker": entry.symbol})
    for selection in request["data"]:
        if chosen := _chosen(selection, schema, entry.symbol):
            return OptionTask.model_validate(told | {"root": entry.symbol} | chosen)
    raise Defect(f"No selection of the request fills {entry.topic}.", remedy="Please report it with the manifest.")


def _chosen(selection: dict[str, Any], schema: Schema, root: str) -> dict[str, Any] | None:
    """Which contracts of a root a selection of the request names; None where it is about something else.

    No two selections of a request are about the same root and schema.
    """
    if (selection["asset"], selection["schema"], selection.get("interval")) != ("option", schema.kind, schema.interval):
        return None
    chosen = {name: selection[name] for name in ChainSelection.model_fields if name in selection}
    if contracts := chosen.get("contracts"):
        chosen["contracts"] = [osi for osi in contracts if OptionContract.parse(osi).root == root]
        return chosen if chosen["contracts"] else None
    return chosen if selection.get("root") == root else None
