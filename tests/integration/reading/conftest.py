"""Topics of quotes, written as the suite writes: framed Avro in transactions, the event time as Kafka's."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Protocol
from uuid import uuid4

import pyarrow as pa
import pytest
from confluent_kafka import Consumer, Producer, TopicPartition

from stoculus.kafka import admin
from stoculus.kafka.registry import connect, lookup_id
from stoculus.reading.decoding import Decoder
from stoculus.records import codec, framing
from stoculus.records.catalog import record_type

QUOTE = record_type("StockQuote")
OPEN_US = 1_704_205_800_000_000  # 2024-01-02 09:30 in New York


class Broker(Protocol):
    """The fixture `broker`."""

    @property
    def bootstrap(self) -> str: ...


class Registry(Protocol):
    """The fixture `registry`."""

    @property
    def url(self) -> str: ...


def quotes(times_us: list[int], symbol: str = "AAPL") -> pa.RecordBatch:
    """A quote at each time; its bid counts the quotes."""
    count = len(times_us)
    columns = [
        pa.array([symbol] * count)
        if column.name == "symbol"
        else pa.array(times_us, pa.int64()).cast(column.type)
        if column.name == "ts_event"
        else pa.array(range(count)).cast(column.type)
        for column in QUOTE.arrow
    ]
    return pa.RecordBatch.from_arrays(columns, schema=QUOTE.arrow)


def every_7_ms(count: int, start: int = 0) -> pa.RecordBatch:
    return quotes([OPEN_US + n * 7000 for n in range(start, start + count)])


@dataclass
class Topic:
    """A topic and what was committed to it."""

    name: str
    bootstrap: str
    header: bytes
    partitions: int = 1
    batches: list[pa.RecordBatch] = field(default_factory=list)

    def __post_init__(self) -> None:
        admin.create_topics(admin.connect(self.bootstrap), [self.name], admin.HISTORICAL_CONFIG, self.partitions)
        self._producer = self._transactional()
        self._is_held = False

    @property
    def committed(self) -> pa.Table:
        return pa.Table.from_batches(self.batches, schema=QUOTE.arrow)

    def write(self, *batches: pa.RecordBatch) -> "Topic":
        """Commit each batch in a transaction of its own."""
        for batch in batches:
            self._begin(self._producer, batch)
            self._producer.commit_transaction()
            self.batches.append(batch)
        self._settle()
        return self

    def abort(self, batch: pa.RecordBatch) -> "Topic":
        self._begin(self._producer, batch)
        self._producer.abort_transaction()
        self._settle()
        return self

    @contextmanager
    def open_transaction(self, batch: pa.RecordBatch) -> Iterator[None]:
        """Somebody else's rows, neither committed nor aborted."""
        other = self._transactional()
        self._begin(other, batch)
        self._is_held = True
        try:
            yield
        finally:
            self._is_held = False
            other.abort_transaction()
            self._settle()

    def _settle(self) -> None:
        """Wait for the markers: the broker writes them after it has answered the commit."""
        while not self._is_held and self._end("read_committed") < self._end("read_uncommitted"):
            time.sleep(0.01)

    def _end(self, isolation: str) -> int:
        config = {"bootstrap.servers": self.bootstrap, "group.id": "unused", "isolation.level": isolation}
        with Consumer(config) as consumer:
            return consumer.get_watermark_offsets(TopicPartition(self.name, 0), timeout=30)[1]

    def _transactional(self) -> Producer:
        producer = Producer({"bootstrap.servers": self.bootstrap, "transactional.id": uuid4().hex, "linger.ms": 5})
        producer.init_transactions()
        return producer

    def _begin(self, producer: Producer, batch: pa.RecordBatch) -> None:
        producer.begin_transaction()
        rows = zip(codec.encode(batch, QUOTE).to_pylist(), batch["symbol"], batch["ts_event"], strict=True)
        for body, symbol, moment in rows:
            time_ms = moment.cast(pa.int64()).as_py() // 1000
            producer.produce(self.name, self.header + (body or b""), symbol.as_py(), timestamp=time_ms, partition=0)
        producer.flush()


@pytest.fixture(scope="session")
def quote_header(registry: Registry) -> bytes:
    with connect(registry.url) as client:
        return framing.header(lookup_id(client, QUOTE, registry.url))


@pytest.fixture(scope="session")
def decoder(registry: Registry) -> Decoder:
    return Decoder(registry.url)


@pytest.fixture(scope="session")
def new_topic(broker: Broker, quote_header: bytes) -> Callable[[], Topic]:
    """Makes empty topics."""
    return lambda: Topic(f"quotes-{uuid4().hex}", broker.bootstrap, quote_header)


@pytest.fixture(scope="session")
def holed(new_topic: Callable[[], Topic]) -> Topic:
    """300 quotes in blocks, with aborted records and markers between and behind them."""
    blocks = [every_7_ms(count, start) for start, count in ((0, 100), (100, 1), (101, 99), (200, 100))]
    topic = new_topic().write(blocks[0], blocks[1]).abort(every_7_ms(50, 150)).write(blocks[2])
    return topic.write(blocks[3]).abort(every_7_ms(20, 300))
