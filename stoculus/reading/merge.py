"""The records of several topics in the order in which a strategy could have known them.

A topic is read only where the others need it to go on: the one of which least is known. Where it is quiet, the
backtest's checkpoints say up to when it is complete, so none is waited for in vain, also while the backtest runs.
"""

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa

from stoculus.calendar import DAY_START, to_utc_us
from stoculus.reading.feed import FOREVER_US, Feed, Int64s, times_us
from stoculus.reading.reader import Reader
from stoculus.reading.source import Request, open_feeds
from stoculus.reading.times import EPOCH_DAY, joined, new_york_days
from stoculus.records.catalog import Schema
from stoculus.records.rows import datetimes, rows
from stoculus.settings import Connections


class Event(NamedTuple):
    """A record when it could be known. `record`: a named tuple of its type, see `stoculus.records.rows`."""

    available_at: datetime
    topic: str
    record: Any


@dataclass(frozen=True, slots=True)
class Merged:
    """Records of several topics in one order, as columns.

    `parts`: a batch of each topic, in that topic's order; its length may be 0. Row n of the merge is row `row[n]` of
    `parts[feed[n]]`, and could be known at `available_us[n]`, microseconds since the epoch.
    """

    topics: list[str]
    parts: list[pa.RecordBatch]
    feed: Int64s
    row: Int64s
    available_us: Int64s

    def __len__(self) -> int:
        return len(self.feed)


class Merge(Reader):
    """An iterator of events by `available_at`; ties in the order of the request, within a topic in its order.

    Raise as `Reading` does.
    """

    def __init__(self, request: Request, settings: Connections) -> None:
        super().__init__()
        self._feeds = self._held.enter_context(open_feeds(request, settings))
        self._merged = self._tracked(merged(self._feeds))
        self._events = self._one_by_one()

    @property
    def topics(self) -> list[str]:
        return [feed.topic for feed in self._feeds]

    def batches(self) -> Iterator[Merged]:
        """The same as columns, many times as fast. Either this or the events, not both."""
        return self._merged

    def __iter__(self) -> Iterator[Event]:
        return self._events

    def __next__(self) -> Event:
        return next(self._events)

    def _one_by_one(self) -> Iterator[Event]:
        types = [feed.schema.record for feed in self._feeds]
        for merged in self._merged:
            parts = [iter(rows(part, record)) for part, record in zip(merged.parts, types, strict=True)]
            for number, at in zip(merged.feed.tolist(), datetimes(merged.available_us), strict=True):
                yield Event(at, merged.topics[number], next(parts[number]))


class _Queue:
    """What was polled of a feed and waits for the others, in the order of `available_us`."""

    def __init__(self, feed: Feed) -> None:
        self.feed = feed
        self._pieces: deque[tuple[pa.RecordBatch, Int64s]] = deque()
        self._none = pa.RecordBatch.from_pylist([], feed.schema.record.arrow)

    @property
    def known_until_us(self) -> int:
        """What the feed will still give could not be known before."""
        return FOREVER_US if self.feed.is_done else self.feed.complete_until_us + self.feed.schema.delay_us

    def poll(self) -> None:
        batch = self.feed.poll()
        if batch is None:
            return
        times = available_us(batch, self.feed.schema)
        if self.feed.schema.available_column != "ts_event":
            # Reports of a day stand by their quotes' times, not by their own.
            batch = joined([*(piece for piece, _ in self._pieces), batch])
            times = np.concatenate([*(piece_times for _, piece_times in self._pieces), times])
            order = times.argsort(kind="stable")
            batch, times = batch.take(pa.array(order, pa.int64())), times[order]
            self._pieces.clear()
        self._pieces.append((batch, times))

    def take(self, before_us: int) -> tuple[pa.RecordBatch, Int64s]:
        """The records that could be known before a time."""
        taken: list[tuple[pa.RecordBatch, Int64s]] = []
        while self._pieces:
            batch, times = self._pieces[0]
            count = int(times.searchsorted(before_us))
            if count:
                taken.append((batch.slice(0, count), times[:count]))
            if count < len(times):
                self._pieces[0] = batch.slice(count), times[count:]
                break
            self._pieces.popleft()
        if not taken:
            return self._none, np.empty(0, np.int64)
        return joined([batch for batch, _ in taken]), np.concatenate([times for _, times in taken])


def merged(feeds: Sequence[Feed]) -> Iterator[Merged]:
    """The records of the feeds in one order, a stretch at a time."""
    queues = [_Queue(feed) for feed in feeds]
    topics = [queue.feed.topic for queue in queues]
    while queues:
        known_until = [queue.known_until_us for queue in queues]
        before_us = min(known_until)
        parts, times = zip(*[queue.take(before_us) for queue in queues], strict=True)
        counts = [len(each) for each in times]
        if any(counts):
            known_us = np.concatenate(times)
            order = known_us.argsort(kind="stable")
            feed = np.repeat(np.arange(len(queues)), counts)
            row = np.concatenate([np.arange(count) for count in counts])
            yield Merged(topics, list(parts), feed[order], row[order], known_us[order])
        if before_us == FOREVER_US:
            return
        queues[known_until.index(before_us)].poll()


def available_us(batch: pa.RecordBatch, schema: Schema) -> Int64s:
    """When each record could be known, in microseconds since the epoch."""
    if schema.available_column == "ts_event":
        return times_us(batch) + schema.delay_us
    return _reported_us(batch, schema.available_column)


def _reported_us(batch: pa.RecordBatch, column: str) -> Int64s:
    """When reports were made. A report that does not say it counts as made when its New York day was over."""
    made = batch[column].cast(pa.int64())
    known_us: Int64s = made.fill_null(0).to_numpy(zero_copy_only=False)
    if not made.null_count:
        return known_us
    over = [to_utc_us(EPOCH_DAY + timedelta(days=int(day) + 1), DAY_START) for day in new_york_days(batch["ts_event"])]
    return np.where(made.is_null(), np.array(over), known_us)
