"""Bars from live trades, by the vendor's rules (rest.md 10.2, 11.3): the same bytes as its history.

A bar is sent once, when its time and a grace are over on the tape's clock, and is never revised.
"""

from dataclasses import dataclass
from typing import Any, Final, cast

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from services.kit.new_york import days_of
from services.live_stream.bars.columns import (
    BarColumns,
    SessionTotals,
    bars_of_trades,
    first_key_at,
    keys_of,
    merged,
    numbers_of,
    opens_us_of,
)
from services.live_stream.bars.conditions import SETS_ANYTHING, table_codes
from services.live_stream.bars.grid import OUTSIDE, BarGrid, Hours, day_at
from services.live_stream.bars.instruments import Instruments
from stoculus.records.catalog import INTERVAL_US, Schema

_UTC_US: Final = pa.timestamp("us", "UTC")
_MOST_PARTS: Final = 64


@dataclass(frozen=True, slots=True)
class LateTrades:
    """Trades that came after their bar was sent, and that it therefore lacks."""

    symbol: str
    bar_us: int
    trades: int


class BarBuilder:
    """The bars of one schema (an interval of a second or longer) of any number of instruments with the same session.

    Times are microseconds since the epoch, UTC. `since_us`: the bar that holds it is the first to be sent; the bars
    before are taken as sent. A topic's bars so far end at its watermark, so that is what a restart gives.
    """

    def __init__(self, schema: Schema, hours: Hours, *, grace_us: int, since_us: int) -> None:
        self._record = schema.record
        self._no_records = pa.RecordBatch.from_pylist([], self._record.arrow)
        self._grid = BarGrid(INTERVAL_US[cast(str, schema.interval)], hours)
        self._grace_us = grace_us
        self._watermark_us = self._grid.open_of(since_us)
        self._instruments = Instruments()
        self._totals = SessionTotals()
        self._parts: list[BarColumns] = []

    @property
    def watermark_us(self) -> int:
        """All bars that open before it are sent, and no other bar is."""
        return self._watermark_us

    def resume(self, trades: pa.RecordBatch) -> None:
        """Take history from the session's open on, before any live trade: what was sent counts for vwap only."""
        self._take(trades)

    def add(self, trades: pa.RecordBatch) -> list[LateTrades]:
        """Take live trades: columns of StockTrade or OptionTrade, in tape order for each instrument.

        Give those that came too late for their bar. They count for the vwap of later bars, as in history. Trades
        outside of the session, and those whose condition updates nothing, are in no bar and never late.
        """
        keys = self._take(trades)
        late_keys = keys[keys < first_key_at(self._watermark_us)]
        if not len(late_keys):
            return []
        late, counts = np.unique(late_keys, return_counts=True)
        symbols = self._instruments.columns(numbers_of(late))["symbol"].to_pylist()
        rows = zip(symbols, opens_us_of(late).tolist(), counts.tolist(), strict=True)
        return [LateTrades(symbol, bar_us, count) for symbol, bar_us, count in rows]

    def advance(self, now_us: int) -> pa.RecordBatch:
        """The bars that are over at a time of the tape's clock: by open, then in the order of a chain.

        A bar in which no trade counted is none. A clock that goes back changes nothing.
        """
        return self._send_until(self._grid.open_of(now_us - self._grace_us))

    def close(self, now_us: int) -> pa.RecordBatch:
        """All bars that are left, those of this moment too, without grace: at the session's end or a STOP."""
        latest_us = max([now_us, *(int(part.opens_us[-1]) for part in self._parts)])
        return self._send_until(self._grid.end_of(latest_us))

    def _take(self, trades: pa.RecordBatch) -> NDArray[np.int64]:
        """Add trades to their bars; give the bars' keys, one a trade that updates anything."""
        if not trades.num_rows:
            return np.zeros(0, np.int64)
        opens_us = self._grid.opens(cast(pa.TimestampArray, trades["ts_event"]))
        condition = table_codes(trades["condition"].to_numpy())
        used = np.flatnonzero((opens_us != OUTSIDE) & SETS_ANYTHING[condition])
        keys = keys_of(opens_us, self._instruments.numbers_of(trades))[used]
        size, price = trades["size"].to_numpy()[used], trades["price"].to_numpy()[used]
        bars = merged([bars_of_trades(keys, condition[used], size, price)])
        sent = int(np.searchsorted(bars.key, first_key_at(self._watermark_us)))
        if sent:
            self._vwap(bars.rows(slice(sent)))
            bars = bars.rows(slice(sent, None))
        self._keep(bars)
        return keys

    def _keep(self, bars: BarColumns) -> None:
        if len(bars):
            self._parts.append(bars)
        if len(self._parts) > _MOST_PARTS:
            self._parts = [merged(self._parts)]

    def _send_until(self, us: int) -> pa.RecordBatch:
        if us > self._watermark_us:
            if not self._parts and day_at(us) != day_at(self._watermark_us):
                self._instruments.forget()
                self._totals = SessionTotals()
            self._watermark_us = us
        limit = first_key_at(self._watermark_us)
        if not any(part.key[0] < limit for part in self._parts):
            return self._no_records
        bars = merged(self._parts)
        due = int(np.searchsorted(bars.key, limit))
        self._parts = []
        self._keep(bars.rows(slice(due, None)))
        return self._records(bars.rows(slice(due)))

    def _records(self, bars: BarColumns) -> pa.RecordBatch:
        vwap = self._vwap(bars)
        order = np.lexsort((self._instruments.places_of(bars.numbers), bars.opens_us))
        order = order[bars.count[order] > 0]
        bars = bars.rows(order)
        columns: dict[str, Any] = {
            **self._instruments.columns(bars.numbers),
            "ts_event": pa.array(bars.opens_us).cast(_UTC_US),
            "vwap": pa.array(vwap[order]),
        }
        for name in ("open", "high", "low", "close"):
            price = getattr(bars, name)
            columns[name] = pa.array(np.where(np.isnan(price), 0.0, price))
        for name in ("volume", "count"):
            columns[name] = pa.array(getattr(bars, name))
        arrow = self._record.arrow
        return pa.RecordBatch.from_arrays([columns[name] for name in arrow.names], schema=arrow)

    def _vwap(self, bars: BarColumns) -> NDArray[np.float64]:
        """The vwap after each of the bars, which are in time order; they are sent with this."""
        vwap = np.zeros(len(bars))
        days = days_of(cast(pa.TimestampArray, pa.array(bars.opens_us).cast(_UTC_US)))
        for day in np.unique(days).tolist():
            if not self._totals.is_over(day):
                rows = np.flatnonzero(days == day)
                vwap[rows] = self._totals.add(day, bars.rows(rows))
        return vwap
