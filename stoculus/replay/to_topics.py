"""Replays to topics: the records of history, their keys, values and times, as if they were live."""

import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pyarrow as pa
from confluent_kafka import KafkaError, KafkaException, Producer, TopicPartition
from confluent_kafka.admin import OffsetSpec  # type: ignore[attr-defined]

from stoculus.errors import BrokerUnavailable, TopicLost
from stoculus.instruments import Stock
from stoculus.kafka import admin, registry
from stoculus.kafka.enqueue import enqueue_live
from stoculus.reading.decoding import Decoder
from stoculus.reading.feed import Feed, Int64s, times_us
from stoculus.records import codec, framing
from stoculus.records.catalog import RecordType
from stoculus.replay.marks import mark_of
from stoculus.replay.outlet import Takes
from stoculus.replay.rows import Lane, Rows
from stoculus.settings import Connections
from stoculus.topics import option_replay, stock_replay

_ORIGIN: Final = b"replay"
_LATEST: Final[Any] = OffsetSpec.latest()  # type: ignore[no-untyped-call]
_FULL_POLL_S: Final = 0.01
_ENOUGH_RECORDS: Final = 100_000
"""In the producer's queue: then those that are due wait."""
_STUCK_S: Final = 1.0
"""So long nothing is acknowledged before the clock waits, too."""
_SETTLE_S: Final = 10.0
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
    of live topics. What an earlier run has written stays, and `marks` say how far it came, by the numbers of the feeds.
    Raise BrokerUnavailable, BrokerRefused, RegistryUnavailable, SchemaNotRegistered.
    """

    waits_for = "Kafka"

    def __init__(self, settings: Connections, feeds: Sequence[Feed], replay_id: str) -> None:
        self.names = [replay_topic(feed, replay_id) for feed in feeds]
        self._headers = _headers({feed.schema.record.name: feed.schema.record for feed in feeds}, settings.registry_url)
        self._admin = admin.connect(settings.kafka_bootstrap)
        there = admin.partition_counts(self._admin)
        decoder = Decoder(settings.registry_url)
        marks = {
            number: mark_of(settings.kafka_bootstrap, decoder, name, feed.schema)
            for number, (name, feed) in enumerate(zip(self.names, feeds, strict=True))
            if name in there
        }
        self.marks = {number: mark for number, mark in marks.items() if mark is not None}
        self._ends = Counter(self._read_ends(list(marks)))
        self._handed: Counter[int] = Counter()
        self._acked = 0
        self._moved_s = 0.0
        self._failure: KafkaError | None = None
        self._producer = Producer({**_CONFIG, "bootstrap.servers": settings.kafka_bootstrap, "error_cb": self._note})

    @property
    def is_clear(self) -> bool:
        """See `Outlet`."""
        return not len(self._producer)

    def open(self) -> None:
        """Make the topics that are not there."""
        admin.create_topics(self._admin, self.names, admin.DATA_CONFIG)

    def prepare(self, rows: Rows) -> _Prepared:
        """See `Outlet`."""
        return _Prepared(rows.available_us, [self._encoded(lane) for lane in rows.lanes])

    def takes(self, now_s: float) -> Takes:
        """See `Outlet`."""
        self._producer.poll(0)
        if self._failure is not None:
            raise admin.broker_error(KafkaException(self._failure), "writing replayed records")
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

    def settle(self) -> None:
        """See `Outlet`. Raise TopicLost where a topic has not as many records more as were sent."""
        if left := self._producer.flush(_SETTLE_S):
            raise BrokerUnavailable(
                f"Kafka has not taken the last {left:,} records.",
                remedy="Start the broker. --start with a time before those goes on behind what has arrived.",
            )
        for number, end in self._read_ends(range(len(self.names))).items():
            missing = self._ends[number] + self._handed[number] - end
            if missing:
                raise TopicLost(
                    f"{self.names[number]} has {abs(missing):,} {'less' if missing > 0 else 'more'} records than were "
                    "sent.",
                    remedy="Was it deleted, or does another replay write to it? Use another --id.",
                )

    def close(self) -> None:
        """See `Outlet`."""
        # What has not arrived by now is given up: to leave would else wait for a broker that is away.
        self._producer.purge(in_queue=True, in_flight=True)
        del self._producer

    def _read_ends(self, numbers: Sequence[int]) -> dict[int, int]:
        if not numbers:
            return {}
        wanted = {TopicPartition(self.names[number], 0): _LATEST for number in numbers}
        try:
            found = self._admin.list_offsets(wanted, request_timeout=admin.REQUEST_TIMEOUT_S)
            return {self.names.index(place.topic): future.result().offset for place, future in found.items()}
        except KafkaException as error:
            if error.args[0].code() in admin.NO_TOPIC:
                raise TopicLost("A topic that is replayed to is gone.", remedy="Was it deleted?") from error
            raise admin.broker_error(error, "reading the ends of replayed topics") from error

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

    def _note(self, error: KafkaError) -> None:
        if error.fatal():
            self._failure = error


def _headers(records: dict[str, RecordType], url: str) -> dict[str, bytes]:
    with registry.connect(url) as client:
        return {name: framing.header(registry.lookup_id(client, record, url)) for name, record in records.items()}


def replay_topic(feed: Feed, replay_id: str) -> str:
    """The topic that a topic of history is played to."""
    if feed.schema.asset == "option":
        return option_replay(feed.symbol, feed.schema.name, replay_id)
    return stock_replay(Stock(feed.symbol), feed.schema.name, replay_id)
