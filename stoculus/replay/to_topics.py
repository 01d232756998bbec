"""Replays to topics: the records of history, their keys, values and times, as if they were live."""

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pyarrow as pa
from confluent_kafka import KafkaError, KafkaException, Producer

from stoculus.connections import Registry
from stoculus.errors import BrokerUnavailable, RegistryUnavailable, TopicLost
from stoculus.instruments import Stock
from stoculus.kafka import admin, registry
from stoculus.kafka.enqueue import enqueue_live
from stoculus.reading.feed import Feed, Int64s, times_us
from stoculus.records import codec, framing
from stoculus.records.catalog import RecordType
from stoculus.replay.outlet import Takes
from stoculus.replay.rows import Lane, Mark, Rows
from stoculus.replay.standing import Standing
from stoculus.settings import Connections
from stoculus.topics import option_replay, stock_replay

_ORIGIN: Final = b"replay"
_FULL_POLL_S: Final = 0.01
_ENOUGH_RECORDS: Final = 100_000
"""In the producer's queue: then those that are due wait."""
_STUCK_S: Final = 1.0
"""So long nothing is acknowledged before the clock waits, too."""
_SETTLE_S: Final = 10.0
_TRY_AGAIN_S: Final = 1.0
_REMEDY: Final = "Was it deleted, or does another replay write to it? Use another --id."
_CONFIG: Final[dict[str, object]] = {
    **admin.QUIET,
    "client.id": "stoculus-replay",
    "acks": "all",
    "enable.idempotence": True,
    "compression.type": "lz4",
    "linger.ms": 1,
    "batch.num.messages": 10_000,
    "queue.buffering.max.messages": 1_000_000,
    # A record is never given up: the clock waits for the broker.
    "message.timeout.ms": 0,
}


@dataclass(frozen=True, slots=True)
class _Encoded:
    lane: Lane
    header: bytes
    keys: Any
    bodies: pa.BinaryArray
    times_us: Int64s


@dataclass(frozen=True, slots=True)
class _Prepared:
    available_us: Int64s
    lanes: list[_Encoded]


class ToTopics:
    """An `Outlet`: a topic `…-replay-<id>` for each topic of the history, made as historical topics are.

    Values are those of history, framed with the ids that the registry has for this version's schemas; headers are those
    of live topics. What an earlier run has written stays.

    The producer is idempotent, which is not enough where a broker starts anew: it forgets producers whose records are
    older than a day, as those of history are, and takes what is sent a second time for new. So nothing is: what had not
    arrived is found by the ends of the topics, and asked for again.
    Raise BrokerUnavailable, BrokerRefused, RegistryUnavailable, SchemaNotRegistered.
    """

    waits_for = "Kafka"

    def __init__(self, settings: Connections, feeds: Sequence[Feed], replay_id: str) -> None:
        self.names = [replay_topic(feed, replay_id) for feed in feeds]
        self._headers = _headers({feed.schema.record.name: feed.schema.record for feed in feeds}, settings.registry)
        self._standing = Standing(settings, self.names, [feed.schema for feed in feeds])
        there = self._standing.those_there()
        self.marks = self._standing.marks(there)
        self.missing = 0
        self._ends = Counter(self._standing.ends(there))
        self._handed: Counter[int] = Counter()
        self._acked = 0
        self._moved_s = 0.0
        self._try_s: float | None = None
        self._is_lost = False
        self._failure: KafkaError | None = None
        self._config = {**_CONFIG, **settings.kafka.config, "error_cb": self._note}
        self._producer = Producer(self._config)

    @property
    def is_clear(self) -> bool:
        """See `Outlet`."""
        return not self._is_lost and not len(self._producer)

    def open(self) -> None:
        """See `Outlet`."""
        self._standing.make()

    def prepare(self, rows: Rows) -> _Prepared:
        """See `Outlet`."""
        return _Prepared(rows.available_us, [self._encoded(lane) for lane in rows.lanes])

    def takes(self, now_s: float) -> Takes:
        """See `Outlet`. Raise TopicLost where others write to the topics."""
        self._producer.poll(0)
        if self._failure is not None:
            raise admin.broker_error(KafkaException(self._failure), "writing replayed records")
        if self._is_lost:
            return Takes.AGAIN if self._regained(now_s) else Takes.NOTHING
        queued = len(self._producer)
        acked = self._handed.total() - queued
        if acked > self._acked or not queued:
            self._acked, self._moved_s = acked, now_s
        if now_s - self._moved_s > _STUCK_S:
            return Takes.NOTHING
        return Takes.ROWS if queued < _ENOUGH_RECORDS else Takes.LATER

    def send(self, rows: _Prepared, first: int, end: int) -> None:
        """See `Outlet`."""
        now_us = time.time_ns() // 1000
        for encoded in rows.lanes:
            span = encoded.lane.span(first, end)
            if span.start < span.stop:
                self._enqueue(encoded, span, now_us)

    def start_over(self) -> None:
        """See `Outlet`."""
        self._ends.update(self._handed)
        self._handed.clear()
        self._acked = 0
        self.marks = {}

    def settle(self) -> None:
        """See `Outlet`. Raise TopicLost where topics do not have what was sent, or more."""
        left = self._producer.flush(_SETTLE_S)
        if left or self._is_lost:
            raise BrokerUnavailable(
                "Kafka has not taken the last records.",
                remedy="Start it. --start with a time before those goes on behind what has arrived.",
            )
        for number, missing in self._missing(self._standing.ends(range(len(self.names)))).items():
            if missing:
                raise TopicLost(f"{self.names[number]} lacks {missing:,} records that were sent.", remedy=_REMEDY)

    def close(self) -> None:
        """See `Outlet`."""
        # What has not arrived by now is given up: to leave would else wait for a broker that is away.
        self._producer.purge(in_queue=True, in_flight=True)
        del self._producer

    def _note(self, error: KafkaError) -> None:
        if error.fatal():
            self._failure = error
        elif error.code() == KafkaError._ALL_BROKERS_DOWN and len(self._producer):
            self._is_lost, self._try_s = True, None
            self._producer.purge(in_queue=True, in_flight=True)

    def _regained(self, now_s: float) -> bool:
        """Look whether Kafka is back; then take stock, and begin with another producer."""
        if self._try_s is None or now_s < self._try_s:
            self._try_s = self._try_s or now_s + _TRY_AGAIN_S
            return False
        self._try_s = now_s + _TRY_AGAIN_S
        try:
            if len(there := self._standing.those_there()) < len(self.names):
                return False
            ends = self._standing.ends(there)
            missing = self._missing(ends)
            arrived = {number: end - self._ends[number] for number, end in ends.items() if end > self._ends[number]}
            tails = self._standing.marks(list(arrived))
        except (BrokerUnavailable, RegistryUnavailable):
            return False
        self.marks |= {number: _own(tail, arrived[number], self.marks.get(number)) for number, tail in tails.items()}
        self.missing = sum(missing.values())
        self._ends = Counter(ends)
        self._handed.clear()
        self._acked, self._moved_s, self._is_lost = 0, now_s, False
        self._producer = Producer(self._config)
        return True

    def _missing(self, ends: Mapping[int, int]) -> dict[int, int]:
        """How many of the records that were handed over each topic lacks; raise TopicLost where it has more."""
        missing = {number: self._ends[number] + self._handed[number] - end for number, end in ends.items()}
        for number, records in missing.items():
            if records < 0:
                raise TopicLost(f"{self.names[number]} has {-records:,} records that were not sent.", remedy=_REMEDY)
        return missing

    def _encoded(self, lane: Lane) -> _Encoded:
        records = lane.records
        bodies = codec.encode(records, lane.record)
        return _Encoded(lane, self._headers[lane.record.name], records["symbol"], bodies, times_us(records))

    def _enqueue(self, encoded: _Encoded, span: slice, now_us: int) -> None:
        topic_of = encoded.lane.topic_of[span]
        keys, bodies, times = encoded.keys[span], encoded.bodies[span], encoded.times_us[span]
        ingest_us = np.full(len(bodies), now_us)
        row = 0
        while row < len(bodies):
            try:
                taken, _ = enqueue_live(
                    self._producer,
                    self.names,
                    topic_of[row:],
                    encoded.header,
                    keys[row:],
                    bodies[row:],
                    times[row:],
                    origin=_ORIGIN,
                    ingest_us=ingest_us[row:],
                )
            except KafkaException as error:
                raise admin.broker_error(error, "writing replayed records") from error
            row += taken
            if row < len(bodies):
                self._producer.poll(_FULL_POLL_S)
        numbers, counts = np.unique(topic_of, return_counts=True)
        self._handed.update(dict(zip(numbers.tolist(), counts.tolist(), strict=True)))


def _own(tail: Mark, arrived: int, before: Mark | None) -> Mark:
    """The end of a topic by so many more records. Those of before a seek may have the same time: they do not count."""
    own = arrived + (before.records if before and before.us == tail.us else 0)
    return Mark(tail.us, min(tail.records, own))


def _headers(records: dict[str, RecordType], where: Registry) -> dict[str, bytes]:
    with registry.connect(where) as client:
        return {name: framing.header(registry.lookup_id(client, record, where.url)) for name, record in records.items()}


def replay_topic(feed: Feed, replay_id: str) -> str:
    """The topic that a topic of history is played to."""
    if feed.schema.asset == "option":
        return option_replay(feed.symbol, feed.schema.name, replay_id)
    return stock_replay(Stock(feed.symbol), feed.schema.name, replay_id)
