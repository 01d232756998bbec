"""The messages of several topics for a tape: what stands on them, then what comes, in rounds."""

import heapq
import time
from collections import deque
from collections.abc import Generator, Iterator, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass
from itertools import chain, islice
from typing import Any, Final

from confluent_kafka import Consumer, KafkaError, Message, TopicPartition

from stoculus.connections import Kafka
from stoculus.errors import NotFound
from stoculus.reading.decoding import Decoder
from stoculus.reading.partition import (
    BATCH_MESSAGES,
    POLL_S,
    PartitionReader,
    consumer_config,
    offset_of,
    reading_error,
)
from stoculus.reading.seek import offset_at
from stoculus.records.catalog import RecordType

_ROUND: Final = 500
_FETCH_WAIT_MS: Final = 500
_MADE_S: Final = 3
_LOOK_AGAIN_S: Final = 0.1


@dataclass(frozen=True, slots=True)
class Event:
    """A record and what its message tells. Historical ones have no `origin` and no `ingest_us` (microseconds, UTC)."""

    topic: str
    offset: int
    record: RecordType
    row: dict[str, Any]
    origin: str | None
    ingest_us: int | None


class Tape:
    """Topics of one partition, read without a group: nothing is committed. Close it by `with`.

    It starts behind the last record of each topic, at a market time (`start_us`), or so that `last` records of all
    together are there to begin with.
    """

    def __init__(
        self, kafka: Kafka, topics: Sequence[str], *, last: int | None = None, start_us: int | None = None
    ) -> None:
        self._kafka = kafka
        self._last = last
        self._topics = topics
        with ExitStack() as stack:
            self._readers = [stack.enter_context(_reader(kafka, topic)) for topic in topics]
            starts = [None if start_us is None else offset_at(kafka, topic, start_us) for topic in topics]
            self._stack = stack.pop_all()
        self._starts = [
            reader.end if start is None else start for reader, start in zip(self._readers, starts, strict=True)
        ]

    def __enter__(self) -> "Tape":
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def standing(self) -> Iterator[list[Message]]:
        """What is asked for of what stood on the topics when they were opened, by event time."""
        ways = [
            self._newest(reader, self._last) if self._last else chain.from_iterable(reader.read(start))
            for reader, start in zip(self._readers, self._starts, strict=True)
        ]
        merged: Iterator[Message] = heapq.merge(*ways, key=lambda message: message.timestamp()[1])
        if self._last:
            merged = iter(deque(merged, maxlen=self._last))
        while messages := list(islice(merged, _ROUND)):
            yield messages

    def coming(self) -> Generator[list[Message]]:
        """What is written after the topics were opened, as it comes; an empty round now and then. Without end."""
        places = [
            TopicPartition(topic, 0, reader.end) for topic, reader in zip(self._topics, self._readers, strict=True)
        ]
        self._stack.close()
        config = consumer_config(self._kafka) | {"fetch.wait.max.ms": _FETCH_WAIT_MS}
        with closing(Consumer(config)) as consumer:
            consumer.assign(places)
            while True:
                events = consumer.consume(BATCH_MESSAGES, POLL_S)
                for event in events:
                    error = event.error()
                    if error is not None and error.code() != KafkaError._PARTITION_EOF and not error.retriable():
                        raise reading_error(error, event.topic() or "the topics")
                yield [event for event in events if event.error() is None]

    def _newest(self, reader: PartitionReader, count: int) -> list[Message]:
        """The last records of a topic; offsets have holes, so how far back they stand is found by looking."""
        span = count
        while True:
            start = max(reader.first, reader.end - span)
            found = deque(chain.from_iterable(reader.read(start)), maxlen=count)
            if len(found) == count or start == reader.first:
                return list(found)
            span *= 2


def _reader(kafka: Kafka, topic: str) -> PartitionReader:
    """Opens a topic, also one that is just being made: a stream that was started has its topics a moment later."""
    deadline = time.monotonic() + _MADE_S
    while True:
        try:
            return PartitionReader(kafka, topic)
        except NotFound:
            if time.monotonic() > deadline:
                raise
            time.sleep(_LOOK_AGAIN_S)


def events(decoder: Decoder, messages: Sequence[Message]) -> list[Event]:
    """The messages decoded, in their order."""
    by_topic: dict[str, list[int]] = {}
    for n, message in enumerate(messages):
        by_topic.setdefault(message.topic() or "", []).append(n)
    found: list[tuple[int, Event]] = []
    for topic, places in by_topic.items():
        values = [messages[n].value() for n in places]
        record = decoder.record_type(values[0] or b"")
        for n, row in zip(places, decoder.decode(values, record).to_pylist(), strict=True):
            headers = dict(messages[n].headers() or ())
            origin, ingest = headers.get("origin"), headers.get("ingest_us")
            event = Event(
                topic,
                offset_of(messages[n]),
                record,
                row,
                origin.decode() if isinstance(origin, bytes) else None,
                int(ingest) if ingest else None,
            )
            found.append((n, event))
    return [event for _, event in sorted(found, key=lambda each: each[0])]
