"""The records of a chain's topic as panels: what a chain does as a whole, not contract by contract.

Quoted chains: the forward and the straddle at the money of the nearest expiration, and the chain by strike at one
moment: its smile, or its prices where there are no volatilities. Others: what was traded, or is open, by strike. All:
how many records and contracts there are at each time. Up to four contracts are drawn one by one instead.
"""

from typing import Final

import numpy as np
import pyarrow as pa
from matplotlib.axes import Axes

from stoculus.calendar import NEW_YORK
from stoculus.plot import strikes
from stoculus.plot.axis import Floats, MarketAxis
from stoculus.plot.buckets import COUNT, Buckets, middles, places
from stoculus.plot.canvas import BLUE, COLORS, INK, PURPLE, Panel, apart, band, empty, legend, line
from stoculus.plot.chain_state import ChainState
from stoculus.plot.strikes import Snapshot, Totals
from stoculus.reading.feed import Int64s, times_us
from stoculus.records.catalog import Kind, Schema
from stoculus.records.rows import datetimes

_QUOTED: Final[frozenset[Kind]] = frozenset({"quote", "eod", "greeksfirst", "greeksall", "iv", "greekseod"})
_SUMMED: Final[dict[Kind, str]] = {
    "trade": "size",
    "tradequote": "size",
    "tradegreeks": "size",
    "ohlcv": "volume",
    "openinterest": "open_interest",
}
_DAILY: Final[frozenset[Kind]] = frozenset({"eod", "greekseod", "openinterest"})
_PER_CENT: Final = 100
_PRICE_IN, _SMALL_IN, _STRIKES_IN = 2.4, 1.1, 2.6


class ChainSeries:
    """Takes the batches of a topic; holds one value a contract and COUNT a line, however many records there are."""

    def __init__(self, schema: Schema, axis: MarketAxis) -> None:
        self._kind = schema.kind
        self._interval = schema.interval
        self._axis = axis
        self._columns = _columns(schema)
        self._state = ChainState(self._columns)
        self._totals = Totals(of_last_day=self._kind == "openinterest")
        self._forward, self._spread = Buckets(), Buckets()
        self._bid, self._ask, self._middle = Buckets(), Buckets(), Buckets()
        self._records = np.zeros(COUNT, np.int64)
        self._contracts = np.zeros(COUNT, np.int64)
        self._seen = np.zeros(0, np.int64)
        self._few: list[Buckets] | None = None if self._kind == "openinterest" else []
        self._bucket: int | None = None
        self._day: int | None = None
        self._time_us = 0
        self._snapshot: Snapshot | None = None
        middle_day = len(axis.days) // 2
        noon = np.array([(axis.starts[middle_day] + axis.starts[middle_day + 1]) / 2])
        self._snapshot_bucket = int(places(axis, noon)[0])

    def add(self, batch: pa.RecordBatch) -> None:
        """Take records in, in order of time."""
        times = times_us(batch)
        where, days = places(self._axis, self._axis.positions(times)), self._axis.day_numbers(times)
        numbers = self._state.numbers(batch)
        if self._kind in _SUMMED:
            self._totals.add(self._state, numbers, _floats(batch, _SUMMED[self._kind]), days)
        self._add_few(batch, numbers, where)
        values = np.array([_floats(batch, column) for column in self._columns])
        edges = np.flatnonzero(np.diff(where) | np.diff(days)) + 1
        for part in np.split(np.arange(len(where)), edges):
            self._enter(int(where[part[0]]), int(days[part[0]]))
            self._time_us = int(times[part[-1]])
            self._count(numbers[part])
            if self._columns:
                self._state.update(numbers[part], values[:, part])

    @property
    def span(self) -> tuple[float, float] | None:
        """The lowest and the highest forward, or price of few contracts, USD."""
        self._leave()
        spans = [span for span in (buckets.span for buckets in self._few or [self._forward]) if span]
        return (min(low for low, _ in spans), max(high for _, high in spans)) if spans else None

    @property
    def mean_spread_bps(self) -> None:
        return None

    @property
    def contracts(self) -> int:
        return len(self._state)

    def panels(self) -> list[Panel]:
        """The panels of the topic."""
        self._leave()
        if self._few:
            return [Panel(self._draw_lines, _PRICE_IN, self._axis)]
        panels = []
        if self._forward.count.any():
            panels.append(Panel(self._draw_forward, _PRICE_IN, self._axis))
            panels.append(Panel(self._draw_straddle, _SMALL_IN, self._axis))
            panels.append(Panel(self._draw_spread, _SMALL_IN, self._axis))
        if self._kind not in _DAILY and self.contracts:
            if self._interval is None:
                panels.append(Panel(self._draw_records, _SMALL_IN, self._axis))
            panels.append(Panel(self._draw_contracts, _SMALL_IN, self._axis))
        if self._snapshot:
            panels.append(strikes.snapshot_panel(self._snapshot, _STRIKES_IN))
        elif self._totals.strikes:
            panels.append(strikes.totals_panel(self._totals, _STRIKES_IN))
        return panels or [Panel(empty("no records"), _SMALL_IN, self._axis)]

    def _enter(self, bucket: int, day: int) -> None:
        if bucket == self._bucket and day == self._day:
            return
        self._leave()
        if day != self._day:
            self._state.forget()
        self._bucket, self._day = bucket, day

    def _leave(self) -> None:
        """What stands at the end of a bucket is what is drawn of it."""
        if self._bucket is None or self._day is None or not self._columns:
            return
        day, bucket = self._axis.days[self._day], self._bucket
        if money := self._state.at_the_money(day):
            where = np.array([bucket])
            middle = (money.bid + money.ask) / 2
            self._forward.add(where, np.array([money.forward]))
            self._bid.add(where, np.array([money.bid]))
            self._ask.add(where, np.array([money.ask]))
            self._middle.add(where, np.array([middle]))
            self._spread.add(where, np.array([(money.ask - money.bid) / middle * _PER_CENT]))
        if bucket <= self._snapshot_bucket or self._snapshot is None:
            [at] = datetimes(np.array([self._time_us]))
            self._snapshot = Snapshot.of(self._state, self._columns, at.astimezone(NEW_YORK), money) or self._snapshot
        self._bucket = None

    def _count(self, numbers: Int64s) -> None:
        bucket = self._bucket or 0
        self._records[bucket] += len(numbers)
        if len(self._seen) < len(self._state):
            self._seen = np.concatenate([self._seen, np.full(len(self._state) - len(self._seen), -1, np.int64)])
        new = np.unique(numbers)
        new = new[self._seen[new] != bucket]
        self._seen[new] = bucket
        self._contracts[bucket] += len(new)

    def _add_few(self, batch: pa.RecordBatch, numbers: Int64s, where: Int64s) -> None:
        if self._few is None:
            return
        if len(self._state) > len(COLORS):
            self._few = None
            return
        self._few += [Buckets() for _ in range(len(self._state) - len(self._few))]
        prices = _price(batch)
        for number, buckets in enumerate(self._few):
            buckets.add(where[numbers == number], prices[numbers == number])

    def _draw_lines(self, axes: Axes) -> None:
        axes.set_ylabel("USD")
        for buckets, symbol, color in zip(self._few or [], self._state.symbols, COLORS, strict=False):
            band(axes, self._axis, buckets, buckets, color, "")
            line(axes, self._axis, buckets, color, symbol)
        legend(axes)

    def _draw_forward(self, axes: Axes) -> None:
        axes.set_ylabel("USD")
        line(axes, self._axis, self._forward, BLUE, "forward by put-call parity, nearest expiration")
        legend(axes)

    def _draw_straddle(self, axes: Axes) -> None:
        axes.set_ylabel("USD")
        band(axes, self._axis, self._bid, self._ask, INK, "bid to ask")
        line(axes, self._axis, self._middle, INK, "straddle at the money, middle")
        legend(axes)

    def _draw_spread(self, axes: Axes) -> None:
        axes.set_ylabel("%")
        line(axes, self._axis, self._spread, PURPLE, "its spread, of the middle")
        axes.set_ylim(bottom=0)
        legend(axes)

    def _draw_records(self, axes: Axes) -> None:
        minutes = self._axis.length / COUNT / 60
        self._draw_steps(axes, self._records / minutes, "records a minute")

    def _draw_contracts(self, axes: Axes) -> None:
        self._draw_steps(axes, self._contracts.astype(np.float64), "contracts with a record")

    def _draw_steps(self, axes: Axes, heights: Floats, label: str) -> None:
        numbers = np.flatnonzero(heights)
        x, y = apart(self._axis, middles(self._axis, numbers), heights[numbers])
        axes.fill_between(x, 0, y, color=BLUE, alpha=0.35, linewidth=0, label=label)
        axes.set_ylim(bottom=0)
        legend(axes)


def _columns(schema: Schema) -> tuple[str, ...]:
    """What is held of each contract: bid, ask, and the volatility where the records have one."""
    if schema.kind not in _QUOTED:
        return ()
    names = schema.record.arrow.names
    return ("bid", "ask", *(name for name in ("implied_vol", "iv_error") if name in names))


def _floats(batch: pa.RecordBatch, column: str) -> Floats:
    values: Floats = batch[column].to_numpy(zero_copy_only=False).astype(np.float64)
    return values


def _price(batch: pa.RecordBatch) -> Floats:
    """The close of a bar, the price of a trade, or the middle of a quote; NaN where there is none."""
    names = batch.schema.names
    column = next((name for name in ("price", "close") if name in names), None)
    prices = _floats(batch, column) if column else (_floats(batch, "bid") + _floats(batch, "ask")) / 2
    return np.where(prices > 0, prices, np.nan)
