"""A live topic of ticks: rows go to it as they come; what a gap has taken is put behind them."""

import threading
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from services.live_stream.channels.gap import Gap, Stage
from services.live_stream.channels.mending import MendingChannel
from services.live_stream.healing.difference import Records, missing
from services.live_stream.healing.finding import Ask, Found, find_ticks, records_of
from services.live_stream.rows import Live

ROWS_A_TURN: Final = 2_000
"""Rows of history that are handed over at once; live rows of other topics wait behind them."""


class TickChannel(MendingChannel):
    """Quotes or trades. While a warm-up runs, live rows wait; else only those of the very end of a gap do."""

    _rows: Records | None = None
    _written = 0

    def _take(self, rows: Live, times: NDArray[np.int64]) -> None:
        gap = self.gap
        if gap is None:
            self._put(rows)
        elif gap.keeps:
            self._keep(rows)
        elif gap.origin == "warmup":
            return  # history will have them
        elif gap.sealed_us is None:
            self._put(rows)
        else:
            early = times < gap.sealed_us
            if early.any():
                self._keep(rows.where(early))
            self._put(rows.where(~early))

    def _advance(self, until_us: int) -> None:
        self.complete_us = max(self.complete_us or 0, until_us)

    def _begin(self, gap: Gap, start_us: int) -> bool:
        self.complete_us = gap.from_us = start_us
        return False

    def _find(self, ask: Ask, aborted: threading.Event) -> Found:
        return find_ticks(ask, self._tools.history, self._tools.kafka, aborted)

    def _found(self, gap: Gap, found: Found) -> None:  # noqa: ARG002
        self._rows, self._written = found.rows, 0

    def _write(self, gap: Gap) -> bool:
        rows = self._rows
        if rows is None or self._written == len(rows):
            return True
        some: Any = slice(self._written, self._written + ROWS_A_TURN)
        part = Records(rows.keys[some], rows.ts_event[some], rows.bodies[some])
        gap.first_offset = self.log.end if gap.first_offset is None else gap.first_offset
        self._put_encoded(part, gap.origin)
        self._written += len(part)
        gap.records += len(part)
        return False

    def _unseal(self, gap: Gap) -> None:
        if gap.origin == "heal":
            self._put_late()
        elif not gap.holds and gap.stage is Stage.CONFIRMING:
            self._drop_kept()

    def _release(self, gap: Gap) -> None:
        if not gap.holds:
            self._put_late()
            return
        for rows in self._kept_from(gap.until_us or 0):
            self._put(rows)
        self._rows = None

    def _put_late(self) -> None:
        """Rows that came while history was compared with the topic: those that it had are there already."""
        kept, self._kept = self._kept, []
        self._drop_kept()
        for rows in kept:
            if self._rows is not None:
                late = records_of([rows.records], self.topic.schema.record)
                is_new = np.zeros(len(late), np.bool_)
                is_new[missing(late, self._rows)] = True
                left = np.zeros(len(self._rows), np.bool_)
                left[missing(self._rows, late)] = True
                self._rows = self._rows.where(left)
                rows = rows.where(is_new)
            self._put(rows)
        self._rows = None
