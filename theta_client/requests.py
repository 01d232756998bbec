"""Requests for history as the vendor spells them (rest.md 4 and 5): what all share, and those for stocks."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date, time
from typing import Protocol

from theta_client.windows import Kind, Window, halves


class Request(Protocol):
    """One GET of history that gives a table. `str()` names it in messages."""

    @property
    def path(self) -> str:
        """The endpoint below `/v3/`."""

    @property
    def params(self) -> dict[str, str]:
        """The query as sent. Parameters with a default are always there: the vendor's defaults have changed before."""

    def parts(self) -> Iterator["Request"]:
        """Two smaller requests that together ask for the same, in order; none where it cannot be made smaller."""


@dataclass(frozen=True, slots=True)
class HistoryRequest:
    """One GET of `/v3/stock/history/<kind>`. `interval` in the vendor's spelling (`1m`, `tick`), for ohlc and quote."""

    kind: Kind
    symbol: str
    window: Window
    interval: str | None = None

    @property
    def path(self) -> str:
        """See Request."""
        return f"stock/history/{self.kind}"

    @property
    def params(self) -> dict[str, str]:
        """See Request."""
        query = {"symbol": self.symbol} | day_params(self.window)
        if self.interval is not None:
            query["interval"] = self.interval
        if times := time_params(self.window):
            query |= times | {"venue": "utp_cta"}
        if self.kind == "trade_quote":
            query["exclusive"] = "false"  # the quote at or before the trade
        return query | {"format": "csv"}

    def parts(self) -> Iterator["HistoryRequest"]:
        """See Request.

        Bars of one day stay whole, because their vwap runs from the start of the request; so do quotes on a grid.
        """
        ticks = self.kind in ("trade", "trade_quote") or self.interval == "tick"
        for window in halves(self.window, by_time=ticks) or ():
            yield replace(self, window=window)

    def __str__(self) -> str:
        return " ".join(filter(None, (self.path, self.symbol, self.interval, days_text(self.window))))


def day_params(window: Window) -> dict[str, str]:
    """The days of a window as parameters."""
    return {"start_date": day_text(window.start), "end_date": day_text(window.end)}


def time_params(window: Window) -> dict[str, str]:
    """The hours of a window as parameters; nothing where it has none."""
    if window.start_time is None or window.end_time is None:
        return {}
    return {"start_time": _time_text(window.start_time), "end_time": _time_text(window.end_time)}


def days_text(window: Window) -> str:
    """The days of a window for messages."""
    return f"{window.start}" if window.start == window.end else f"{window.start}..{window.end}"


def day_text(day: date) -> str:
    """A day as parameters spell it."""
    return f"{day:%Y%m%d}"


def _time_text(at: time) -> str:
    return at.isoformat(timespec="milliseconds")
