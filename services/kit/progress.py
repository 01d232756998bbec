"""How far a task has come: counts rows, hashes them, and turns into checkpoints."""

from datetime import UTC, date, datetime, timedelta
from itertools import pairwise

import numpy as np

from services.kit.new_york import days_of
from services.kit.prepare import Prepared
from stoculus.calendar import DAY_END, DAY_START, to_utc
from stoculus.checkpoints import Checkpoint, Chunk
from stoculus.records.digest import DayDigest
from theta_client.client import Window

_EPOCH_DAY = date(1970, 1, 1)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Progress:
    """The state of one task between two blocks. `checkpoint` is what is true once the current transaction commits."""

    def __init__(self, checkpoint: Checkpoint) -> None:
        self.checkpoint = checkpoint
        self._digest = DayDigest(previous=checkpoint.hash)
        self._chunk_days: dict[date, int] = {}

    def begin_chunk(self, window: Window) -> None:
        """Start with the chunk's first row."""
        self._digest = DayDigest(previous=self.checkpoint.hash)
        self._chunk_days = dict.fromkeys(window.days, 0)
        self._update(chunk=Chunk(start=window.start, end=window.end, digest=self._digest.digest()))

    def advance(self, rows: Prepared) -> None:
        """Count and hash rows of the open chunk."""
        chunk, now = self.checkpoint.chunk, self.checkpoint
        if chunk is None:
            raise RuntimeError("advance outside of a chunk")
        self._hash_days(rows)
        first, last = (rows.ts_event[0].as_py(), rows.ts_event[-1].as_py()) if len(rows) else (None, None)
        self._update(
            records=now.records + len(rows),
            empty_bars=now.empty_bars + rows.empty_rows,
            bad_rows=now.bad_rows + len(rows.bad_rows),
            first_ts_event=now.first_ts_event or first,
            last_ts_event=last or now.last_ts_event,
            complete_until=last or now.complete_until,
            chunk=Chunk(
                start=chunk.start,
                end=chunk.end,
                records=chunk.records + len(rows),
                empty_bars=chunk.empty_bars + rows.empty_rows,
                bad_rows=chunk.bad_rows + len(rows.bad_rows),
                digest=self._digest.digest(),
            ),
        )

    def end_chunk(self, window: Window, empty_reason: str) -> None:
        """Close the chunk: its days are complete, those without a record for the given reason."""
        now = self.checkpoint
        counted = {day: count for day, count in self._chunk_days.items() if count}
        empty = {day: empty_reason for day, count in self._chunk_days.items() if not count}
        self._update(
            chunk=None,
            chunks_done=now.chunks_done + 1,
            hash=self._digest.digest() if counted else now.hash,
            days=now.days | counted,
            empty_days=now.empty_days | empty,
            complete_until=to_utc(window.end + timedelta(days=1), DAY_START),
        )

    def rows_expected(self, window: Window) -> int:
        """Records to expect in all, from the share of trading days that is done."""
        now = self.checkpoint
        share_of_chunk = 0.0
        if now.chunk is not None and now.last_ts_event is not None:
            low = to_utc(window.start, window.start_time or DAY_START)
            high = to_utc(window.end, window.end_time or DAY_END)
            share_of_chunk = min(1.0, max(0.0, (now.last_ts_event - low) / (high - low)))
        share = (now.chunks_done + share_of_chunk) / max(now.chunks_total, 1)
        return max(now.records, round(now.records / share)) if share > 0 else 0

    def _hash_days(self, rows: Prepared) -> None:
        days = days_of(rows.ts_event)
        edges = [0, *(np.flatnonzero(np.diff(days)) + 1).tolist(), len(days)]
        for start, stop in pairwise(edges):
            if start == stop:
                continue
            day = _EPOCH_DAY + timedelta(days=int(days[start]))
            if day != self._digest.day and self._digest.day is not None:
                self._digest = DayDigest(day, self._digest.digest())
            self._digest.day = day
            keys = rows.keys if isinstance(rows.keys, bytes) else rows.keys[start:stop]
            self._digest.add(keys, rows.ts_event[start:stop], rows.bodies[start:stop])
            self._chunk_days[day] = self._chunk_days.get(day, 0) + stop - start

    def _update(self, **changes: object) -> None:
        self.checkpoint = self.checkpoint.model_copy(update=changes)


def rewind(checkpoint: Checkpoint) -> Checkpoint:
    """The checkpoint as it was before its open chunk began."""
    if checkpoint.chunk is None:
        return checkpoint
    chunk = checkpoint.chunk
    return checkpoint.model_copy(
        update={
            "records": checkpoint.records - chunk.records,
            "empty_bars": checkpoint.empty_bars - chunk.empty_bars,
            "bad_rows": checkpoint.bad_rows - chunk.bad_rows,
            "chunk": None,
        }
    )
