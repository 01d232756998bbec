"""A live topic of bars: trades go to the builder, bars come out when their time is over."""

import threading
from typing import cast

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from services.live_stream.bars.builder import BarBuilder
from services.live_stream.bars.grid import BarGrid, Hours, day_at, is_inside, midnight_us
from services.live_stream.channels.gap import Gap, Stage
from services.live_stream.channels.mending import MendingChannel
from services.live_stream.channels.tools import Tools
from services.live_stream.healing.finding import Ask, Found, find_trades, records_of
from services.live_stream.rows import Live
from services.live_stream.topic import LiveTopic
from stoculus.records.catalog import INTERVAL_US
from stoculus.streams import Origin


class BarChannel(MendingChannel):
    """Bars of an interval. In a gap live trades wait for those that history has: bars are late then, and whole.

    `grid_hours`: the session that the bars' grid starts at.
    """

    def __init__(self, topic: LiveTopic, number: int, hours: Hours | None, grid_hours: Hours, tools: Tools) -> None:
        super().__init__(topic, number, hours, tools)
        self._grid_hours = grid_hours
        self._grid = BarGrid(INTERVAL_US[cast(str, topic.schema.interval)], grid_hours)
        self._builder: BarBuilder | None = None
        self._trades: list[pa.RecordBatch] = []
        self._there: frozenset[tuple[int, str]] = frozenset()
        self._is_beginning = False

    def shut(self) -> None:
        super().shut()
        if self.gap is None and self._is_over:
            self._close_bars()

    def stop_sign(self) -> None:
        """The vendor says that the session is over. In the middle of it that is not believed."""
        if self.gap is None and self.hours is not None and self._is_over:
            self._close_bars()

    @property
    def _is_over(self) -> bool:
        """Whether the session is. Before that the last bar may get more trades: it is left to history."""
        now_us = self._tools.clock.now_us
        return now_us is not None and not is_inside(self.hours or self._grid_hours, now_us, now_us)

    def _close_bars(self) -> None:
        now_us = self._tools.clock.now_us
        if self._builder is not None and now_us is not None:
            self._put_bars(self._builder.close(now_us), "live")
            self.complete_us = self._builder.watermark_us

    def _holds(self) -> bool:
        self._builder = None
        return True

    @property
    def _is_first(self) -> bool:
        return self._is_beginning

    def _trades_from(self, gap: Gap) -> int | None:
        return midnight_us(day_at(gap.from_us)) if self._builder is None else None

    def _take(self, rows: Live, times: NDArray[np.int64]) -> None:  # noqa: ARG002 - the builder looks itself
        if self.gap is not None or self._builder is None:
            if self.gap is not None and self.gap.keeps:
                self._keep(rows)
            return
        self._add(rows.records)

    def _add(self, trades: pa.RecordBatch) -> None:
        assert self._builder is not None  # noqa: S101 - made before trades are added
        for late in self._builder.add(trades):
            self.late += late.trades
            self._tell(
                "late", from_us=late.bar_us, records=late.trades, reason=f"a bar of {late.symbol} was sent before"
            )

    def _advance(self, until_us: int) -> None:
        if self._builder is not None:
            self._put_bars(self._builder.advance(until_us), "live")
            self.complete_us = max(self.complete_us or 0, self._builder.watermark_us)

    def _begin(self, gap: Gap, start_us: int) -> bool:
        self.complete_us = gap.from_us = self._grid.open_of(start_us)
        self._is_beginning = True
        return True

    def _find(self, ask: Ask, aborted: threading.Event) -> Found:
        return find_trades(ask, self._tools.history, self._tools.kafka, aborted)

    def _skipped(self) -> None:
        self._builder = None

    def _found(self, gap: Gap, found: Found) -> None:
        self._trades, self._there = list(found.trades), found.bars
        if self._builder is None:
            self._builder = self._new_builder(gap.from_us)

    def _new_builder(self, since_us: int) -> BarBuilder:
        return BarBuilder(self.topic.schema, self._grid_hours, grace_us=0, since_us=since_us)

    def _write(self, gap: Gap) -> bool:
        assert self._builder is not None  # noqa: S101 - made when something was found
        if self._trades:
            self._builder.resume(self._trades.pop(0))
            return False
        bars = self._builder.advance(gap.slice_end_us)
        gap.first_offset = self.log.end if gap.first_offset is None else gap.first_offset
        gap.records += self._put_bars(bars, gap.origin)
        return not bars.num_rows

    def _end_slice(self, gap: Gap) -> None:
        super()._end_slice(gap)
        if self._builder is not None and gap.stage is not Stage.WRITING:
            self.complete_us = self._builder.watermark_us

    def _unseal(self, gap: Gap) -> None:
        """Trades wait for the whole gap."""
        if not gap.holds and gap.stage is Stage.CONFIRMING:
            self._drop_kept()

    def _release(self, gap: Gap) -> None:
        self._is_beginning, self._there = False, frozenset()
        if self._builder is None:
            self._builder = self._new_builder(gap.from_us)
        self.complete_us = self._builder.watermark_us
        for rows in self._kept_from(gap.until_us or 0):
            self._add(rows.records)
        if not self.is_open and self._is_over:
            self._close_bars()

    def _put_bars(self, bars: pa.RecordBatch, origin: Origin) -> int:
        """Hand over those that the topic has not; return how many."""
        if self._there and bars.num_rows:
            times = bars["ts_event"].cast(pa.int64()).to_pylist()
            keys = zip(times, bars["symbol"].to_pylist(), strict=True)
            bars = bars.filter(pa.array([key not in self._there for key in keys]))
        if bars.num_rows:
            self._put_encoded(records_of([bars], self.topic.schema.record), origin)
        return bars.num_rows
