"""The records of one topic of a backtest between two market times, also while it is written."""

import time
from typing import Final

import pyarrow as pa

from stoculus.connections import Kafka
from stoculus.errors import BrokerUnavailable, NotFound, TopicLost
from stoculus.kafka.admin import REQUEST_TIMEOUT_S
from stoculus.reading.backtest import BacktestLog, Reached
from stoculus.reading.decoding import Decoder
from stoculus.reading.feed import FOREVER_US, times_us
from stoculus.reading.manifest import TopicEntry
from stoculus.reading.partition import BATCH_MESSAGES, POLL_S, PartitionReader
from stoculus.reading.seek import offset_at
from stoculus.records.catalog import Schema

_SILENT_POLLS: Final = int(REQUEST_TIMEOUT_S / POLL_S)


class TopicFeed:
    """A `Feed` of a backtest's topic. It ends behind the last record that the receipt counts.

    `partial`: it ends where the topic ends when it is opened, whatever becomes of the backtest. `prefetch_messages`:
    how many the client may hold of what comes next.
    """

    def __init__(
        self,
        kafka: Kafka,
        decoder: Decoder,
        log: BacktestLog,
        entry: TopicEntry,
        span_us: tuple[int | None, int | None],
        *,
        partial: bool,
        prefetch_messages: int,
    ) -> None:
        self._kafka = kafka
        self._decoder = decoder
        self._log = log
        self._entry = entry
        self._schema = entry.schema_of
        self._start_us, self._end_us = span_us
        self._partial = partial
        self._prefetch_messages = prefetch_messages
        self._reader: PartitionReader | None = None
        self._end: int | None = None
        self._reached = Reached(0, 0)
        self._seen_us = self._start_us or 0
        self._silent_polls = 0
        self._is_done = False
        if not partial:
            log.check(entry.topic)

    @property
    def topic(self) -> str:
        return self._entry.topic

    @property
    def symbol(self) -> str:
        return self._entry.symbol

    @property
    def schema(self) -> Schema:
        return self._schema

    @property
    def is_done(self) -> bool:
        return self._is_done

    @property
    def complete_until_us(self) -> int:
        """See `Feed`: the last record's time, or what the checkpoint says when all that it counts has been polled."""
        if self._is_done:
            return FOREVER_US
        if self._reader is not None and self._reader.position >= self._reached.end:
            return max(self._seen_us, self._reached.complete_until_us)
        return self._seen_us

    def poll(self) -> pa.RecordBatch | None:
        """See `Feed`. Raise BacktestIncomplete, NotFound, TopicLost, BrokerUnavailable, SchemaNotRegistered."""
        reader = self._opened()
        if reader is None or self._is_done:
            return None
        if self._end is None:
            self._look(reader)
        position = reader.position
        left = BATCH_MESSAGES if self._end is None else min(self._end - position, BATCH_MESSAGES)
        values = reader.poll_values(max(left, 1)) if left > 0 else None
        self._listen(reader, moved=reader.position > position)
        if self._end is not None:
            values = values.before(self._end) if values else None
            self._is_done = reader.position >= self._end
        batch = self._decoder.decode_values(values, self._schema.record, topic=self.topic) if values else None
        batch = self._inside(batch) if batch is not None else None
        if self._end_us is not None and self.complete_until_us >= self._end_us:
            self._is_done = True
        return batch if batch is not None and batch.num_rows else None

    def close(self) -> None:
        if self._reader is not None:
            self._reader.__exit__()
            self._reader = None

    def _opened(self) -> PartitionReader | None:
        """None while the topic of a backtest that was just submitted is not there yet."""
        if self._reader is None and not self._is_done:
            checkpoint = self._log.checkpoints.get(self.topic)
            if checkpoint and checkpoint.state == "completed" and not checkpoint.records:
                self._is_done = True
                return None
            try:
                self._reader = PartitionReader(self._kafka, self.topic, prefetch_messages=self._prefetch_messages)
            except NotFound:
                if checkpoint or self._partial:
                    raise
                time.sleep(POLL_S)
                self._log.refresh()
                self._log.check(self.topic)
                return None
            self._seek(self._reader)
        return self._reader

    def _seek(self, reader: PartitionReader) -> None:
        start = self._start_us
        offset = reader.first if start is None else offset_at(self._kafka, self.topic, start)
        if offset == reader.first > 0:
            raise TopicLost(
                f"{self.topic} has lost its first records: it begins at offset {offset}.",
                remedy="Was its retention changed? Submit a new backtest.",
            )
        reader.seek(offset)
        self._end = reader.end if self._partial else None

    def _look(self, reader: PartitionReader) -> None:
        """Learn where the topic ends, if it does, and up to where it is complete."""
        if reader.position >= self._reached.end and not self._log.is_complete(self.topic):
            self._log.refresh()
            self._log.check(self.topic)
        self._reached = self._log.reached.get(self.topic, self._reached)
        if self._log.is_complete(self.topic):
            last = self._log.checkpoints[self.topic].last_offset
            self._end = 0 if last is None else last + 1

    def _listen(self, reader: PartitionReader, *, moved: bool) -> None:
        self._silent_polls = 0 if moved else self._silent_polls + 1
        if self._silent_polls <= _SILENT_POLLS:
            return
        self._silent_polls = 0
        if self._end is None:  # nothing is written now, or nobody answers
            reader.check()
        else:
            raise BrokerUnavailable(
                f"Kafka sent nothing of {self.topic} for {REQUEST_TIMEOUT_S} s.",
                remedy="Start the broker, then read again.",
            )

    def _inside(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """The records of the batch between the two times; what is behind ends the feed."""
        times = times_us(batch)
        first = 0 if self._start_us is None else int(times.searchsorted(self._start_us))
        stop = len(times) if self._end_us is None else int(times.searchsorted(self._end_us))
        self._seen_us = max(self._seen_us, int(times[-1]))
        return batch.slice(first, max(stop - first, 0))
