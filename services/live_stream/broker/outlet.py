"""The way to the broker: an idempotent producer that never waits, and what is known of each topic's offsets."""

import threading
from collections import deque
from dataclasses import dataclass, field, replace
from typing import Final

import numpy as np
import pyarrow as pa
from confluent_kafka import KafkaException, Producer
from numpy.typing import NDArray

from services.live_stream.broker.lag import Lag
from stoculus.connections import Kafka
from stoculus.kafka.admin import QUIET, broker_error
from stoculus.kafka.enqueue import enqueue_live

_LIVE: Final = b"live"

PRODUCER_CONFIG: Final[dict[str, object]] = {
    **QUIET,
    "acks": "all",
    "enable.idempotence": True,
    "compression.type": "lz4",
    # Rows come in turns, which is what a linger would wait for.
    "linger.ms": 0.3,
    "batch.num.messages": 10_000,
    "queue.buffering.max.messages": 300_000,
    "queue.buffering.max.kbytes": 262_144,
    # A record is never given up: the queue fills, the stream's buffer drops, and the gap is healed.
    "message.timeout.ms": 0,
}


@dataclass(slots=True)
class TopicLog:
    """What was handed over of one topic. The service alone writes to it, so its offsets can be counted."""

    topic: str
    end: int
    """The offset of the next record."""
    acked: int = 0
    """The broker has all records below it."""
    records: int = 0
    last_event_us: int | None = None
    _first: int = -1
    _latest_us: int = 0
    _spans: deque[tuple[int, int]] = field(default_factory=deque)

    def add(self, event_us: int, records: int = 1) -> None:
        """Count records; `event_us` is the latest of their times."""
        if self._first < 0:
            self._first, self._latest_us = self.end, event_us
        elif event_us > self._latest_us:
            self._latest_us = event_us
        if self.last_event_us is None or event_us > self.last_event_us:
            self.last_event_us = event_us
        self.end += records
        self.records += records

    def end_span(self) -> int:
        """Begin a new span of offsets; return where it begins."""
        if self._first >= 0:
            self._spans.append((self._first, self._latest_us))
            self._first = -1
        return self.end

    def offset_from(self, us: int) -> int:
        """An offset before which no record of `us` or later stands. Times that are asked for ascend."""
        while self._spans and self._spans[0][1] < us:
            self._spans.popleft()
        return self._spans[0][0] if self._spans else self.end if self._first < 0 else self._first


@dataclass(frozen=True, slots=True)
class Outgoing:
    """Encoded rows on their way: `topic_of` are numbers of topics, -1 for none."""

    header: bytes
    keys: pa.StringArray | pa.BinaryArray
    bodies: pa.BinaryArray
    times_us: NDArray[np.int64]
    topic_of: NDArray[np.int32]
    ingest_us: NDArray[np.int64]
    origin: bytes

    def rest(self, row: int) -> "Outgoing":
        """The rows from one on."""
        return replace(
            self,
            keys=self.keys[row:],
            bodies=self.bodies[row:],
            times_us=self.times_us[row:],
            topic_of=self.topic_of[row:],
            ingest_us=self.ingest_us[row:],
        )


class Outlet:
    """Takes rows in order. What the producer's queue has no room for waits here, and everything behind it."""

    def __init__(self, kafka: Kafka, lag: Lag | None = None) -> None:
        self.requests = 0
        """About so many have been made of the broker: rows that are put together are one a topic."""
        self._lag = lag
        self._logs: list[TopicLog] = []
        self._uncounted: deque[tuple[NDArray[np.int32], NDArray[np.int64]]] = deque()
        self._counting = threading.Lock()
        self._numbers: dict[str, int] = {}
        self._waiting: deque[Outgoing] = deque()
        self._events: deque[tuple[str, str, bytes]] = deque()
        self._producer = Producer({**PRODUCER_CONFIG, **kafka.config, "client.id": "live-stream"})

    def open(self, topic: str, end: int) -> int:
        """Make a topic known, whose next record gets the offset `end` unless it is known; return its number."""
        if topic not in self._numbers:
            self._numbers[topic] = len(self._logs)
            self._logs.append(TopicLog(topic, end, acked=end))
        return self._numbers[topic]

    @property
    def logs(self) -> list[TopicLog]:
        """What was handed over of each topic, by its number. The rows are counted when it is asked for."""
        with self._counting:
            if self._uncounted:
                self._count()
        return self._logs

    def log_of(self, topic: str) -> TopicLog:
        """What was handed over of a topic that is known."""
        return self.logs[self._numbers[topic]]

    @property
    def is_free(self) -> bool:
        """Whether nothing waits for room."""
        return not self._waiting

    @property
    def queued(self) -> int:
        """Records that were handed over and are not acknowledged."""
        return len(self._producer)

    def put(self, rows: Outgoing) -> None:
        """Hand rows over; never waits."""
        rest = rows if self._waiting else self._take(rows)
        if rest is not None:
            self._waiting.append(rest)

    def pump(self, timeout_s: float = 0.0) -> bool:
        """Serve the producer, and hand over what waits. Whether nothing waits any more."""
        self._producer.poll(timeout_s)
        if self._lag is not None:
            self._lag.held(self.queued)
        while self._events and self.write(*self._events[0]):
            self._events.popleft()
        while self._waiting:
            rest = self._take(self._waiting[0])
            if rest is not None:
                self._waiting[0] = rest
                return False
            self._waiting.popleft()
        return True

    def put_event(self, topic: str, key: str, value: bytes) -> None:
        """Hand a control record over; never waits."""
        self._events.append((topic, key, value))

    def write(self, topic: str, key: str, value: bytes) -> bool:
        """Write a control record; False where there is no room for it now."""
        try:
            self._producer.produce(topic, value, key, partition=0)
        except BufferError:
            return False
        except KafkaException as error:
            raise broker_error(error, f"writing to {topic}") from error
        if self._lag is not None:
            self._lag.handed(1)
        return True

    def flush(self, timeout_s: float) -> bool:
        """Wait until all is acknowledged; whether it is."""
        return self.pump() and not self._events and not self._producer.flush(timeout_s)

    def close(self) -> None:
        """Leave. What is not acknowledged is dropped: a successor heals it."""
        self._producer.purge(in_queue=True, in_flight=True)
        # Its own close() would wait for a broker that is away.
        del self._producer

    def _take(self, rows: Outgoing) -> Outgoing | None:
        """Enqueue as many rows as fit; return the rest."""
        try:
            taken, topics = enqueue_live(
                self._producer,
                tuple(self._numbers),
                rows.topic_of,
                rows.header,
                rows.keys,
                rows.bodies,
                rows.times_us,
                origin=rows.origin,
                ingest_us=rows.ingest_us,
            )
        except KafkaException as error:
            raise broker_error(error, "writing live records") from error
        self.requests += topics
        if self._lag is not None and taken:
            received_us = int(rows.ingest_us[0]) if rows.origin == _LIVE else None
            self._lag.handed(int(np.count_nonzero(rows.topic_of[:taken] >= 0)), received_us)
        self._uncounted.append((rows.topic_of[:taken], rows.times_us[:taken]))
        return None if taken == len(rows.bodies) else rows.rest(taken)

    def _count(self) -> None:
        # Together: a batch has some tens of rows, and others look some times a second.
        parts = [self._uncounted.popleft() for _ in range(len(self._uncounted))]
        numbers = np.concatenate([topic_of for topic_of, _ in parts])
        times = np.concatenate([times_us for _, times_us in parts])
        kept = numbers >= 0
        numbers, times = numbers[kept], times[kept]
        counts = np.bincount(numbers, minlength=len(self._logs))
        latest = np.full(len(self._logs), times.min(initial=0))
        np.maximum.at(latest, numbers, times)
        for number in np.flatnonzero(counts).tolist():
            self._logs[number].add(int(latest[number]), int(counts[number]))
