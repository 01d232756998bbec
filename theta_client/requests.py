"""Requests for stock history as the vendor spells them (rest.md 4 and 5)."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date, time

from theta_client.windows import Kind, Window, halves


@dataclass(frozen=True, slots=True)
class HistoryRequest:
    """One GET of `/v3/stock/history/<kind>`. `interval` in the vendor's spelling (`1m`, `tick`), for ohlc and quote."""

    kind: Kind
    symbol: str
    window: Window
    interval: str | None = None

    @property
    def path(self) -> str:
        """The endpoint below `/v3/`."""
        return f"stock/history/{self.kind}"

    @property
    def params(self) -> dict[str, str]:
        """The query as sent. Parameters with a default are always there: the vendor's defaults have changed before."""
        window = self.window
        query = {"symbol": self.symbol, "start_date": _day(window.start), "end_date": _day(window.end)}
        if self.interval is not None:
            query["interval"] = self.interval
        if window.start_time is not None and window.end_time is not None:
            query |= {"start_time": _time(window.start_time), "end_time": _time(window.end_time), "venue": "utp_cta"}
        if self.kind == "trade_quote":
            query["exclusive"] = "false"  # the quote at or before the trade
        return query | {"format": "csv"}

    def parts(self) -> Iterator["HistoryRequest"]:
        """Two smaller requests that together ask for the same, in order; none where it cannot be made smaller.

        Bars of one day stay whole, because their vwap runs from the start of the request; so do quotes on a grid.
        """
        ticks = self.kind in ("trade", "trade_quote") or self.interval == "tick"
        for window in halves(self.window, by_time=ticks) or ():
            yield replace(self, window=window)

    def __str__(self) -> str:
        window = self.window
        days = f"{window.start}" if window.start == window.end else f"{window.start}..{window.end}"
        return " ".join(filter(None, (self.path, self.symbol, self.interval, days)))


def _day(day: date) -> str:
    return f"{day:%Y%m%d}"


def _time(at: time) -> str:
    return at.isoformat(timespec="milliseconds")
