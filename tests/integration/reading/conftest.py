"""Topics of a stock or a chain, written as the suite does: framed Avro in transactions, the event time as Kafka's."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date
from itertools import product
from typing import Final, Protocol
from uuid import uuid4

import pyarrow as pa
import pytest
from confluent_kafka import Consumer, Producer, TopicPartition

from stoculus import connections
from stoculus.instruments import OptionContract, Right
from stoculus.kafka import admin
from stoculus.kafka.registry import connect, lookup_id
from stoculus.reading.decoding import Decoder
from stoculus.records import codec, framing
from stoculus.records.catalog import RecordType, record_type
from stoculus.settings import Connections
from tests.integration.written import Selection, Written

QUOTE = record_type("StockQuote")
CHAIN_QUOTE = record_type("OptionQuote")
RIGHTS: Final[tuple[Right, ...]] = ("call", "put")
Make = Callable[..., Written]
OPEN_US = 1_704_205_800_000_000  # 2024-01-02 09:30 in New York


class Broker(Protocol):
    """The fixture `broker`."""

    @property
    def bootstrap(self) -> str: ...

    @property
    def kafka(self) -> connections.Kafka: ...


class Registry(Protocol):
    """The fixture `registry`."""

    @property
    def url(self) -> str: ...

    @property
    def connection(self) -> connections.Registry: ...


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


def chain_rows(record: RecordType, times_us: list[int]) -> pa.RecordBatch:
    """A row of each contract of a small chain at each time. Numbers count the rows; puts have nulls where they may."""
    chain = [
        OptionContract("SPXW", date(2024, 1, 5), strike, right) for strike in (4_700_000, 4_700_500) for right in RIGHTS
    ]
    rows = []
    for n, (time_us, contract) in enumerate(product(times_us, chain)):
        told = {
            "symbol": contract.osi,
            "ts_event": time_us,
            "root": contract.root,
            "expiration": contract.expiration,
            "strike": contract.strike,
            "right": contract.right.upper(),
        }
        number = {field.name: None if field.nullable and contract.right == "put" else n for field in record.arrow}
        rows.append(number | told)
    return pa.RecordBatch.from_pylist(rows, schema=record.arrow)


@dataclass
class Topic:
    """A topic and what was committed to it."""

    name: str
    kafka: connections.Kafka
    header: bytes
    record: RecordType = QUOTE
    partitions: int = 1
    batches: list[pa.RecordBatch] = field(default_factory=list)

    def __post_init__(self) -> None:
        admin.create_topics(admin.connect(self.kafka), [self.name], admin.DATA_CONFIG, self.partitions)
        self._producer = self._transactional()
        self._is_held = False

    @property
    def committed(self) -> pa.Table:
        return pa.Table.from_batches(self.batches, schema=self.record.arrow)

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
        config = {**self.kafka.config, "group.id": "unused", "isolation.level": isolation}
        with Consumer(config) as consumer:
            return consumer.get_watermark_offsets(TopicPartition(self.name, 0), timeout=30)[1]

    def _transactional(self) -> Producer:
        producer = Producer({**self.kafka.config, "transactional.id": uuid4().hex, "linger.ms": 5})
        producer.init_transactions()
        return producer

    def _begin(self, producer: Producer, batch: pa.RecordBatch) -> None:
        producer.begin_transaction()
        rows = zip(codec.encode(batch, self.record).to_pylist(), batch["symbol"], batch["ts_event"], strict=True)
        for body, symbol, moment in rows:
            time_ms = moment.cast(pa.int64()).as_py() // 1000
            producer.produce(self.name, self.header + (body or b""), symbol.as_py(), timestamp=time_ms, partition=0)
        producer.flush()


@pytest.fixture(scope="package")
def header_of(registry: Registry) -> Callable[[RecordType], bytes]:
    """What stands before the bodies of a record type."""

    def header(record: RecordType) -> bytes:
        with connect(registry.connection) as client:
            return framing.header(lookup_id(client, record, registry.url))

    return header


@pytest.fixture(scope="package")
def quote_header(header_of: Callable[[RecordType], bytes]) -> bytes:
    return header_of(QUOTE)


@pytest.fixture(scope="package")
def decoder(registry: Registry) -> Decoder:
    return Decoder(registry.connection)


@pytest.fixture(scope="package")
def new_topic(broker: Broker, quote_header: bytes) -> Callable[[], Topic]:
    """Makes empty topics."""
    return lambda: Topic(f"quotes-{uuid4().hex}", broker.kafka, quote_header)


@pytest.fixture(scope="package")
def chain_topic(broker: Broker, header_of: Callable[[RecordType], bytes]) -> Topic:
    """400 quotes of a chain, four at each time, in two transactions."""
    topic = Topic(f"chain-{uuid4().hex}", broker.kafka, header_of(CHAIN_QUOTE), CHAIN_QUOTE)
    times = [OPEN_US + n * 60_000_000 for n in range(100)]
    return topic.write(chain_rows(CHAIN_QUOTE, times[:30])).write(chain_rows(CHAIN_QUOTE, times[30:]))


@pytest.fixture(scope="package")
def holed(new_topic: Callable[[], Topic]) -> Topic:
    """300 quotes in blocks, with aborted records and markers between and behind them."""
    blocks = [every_7_ms(count, start) for start, count in ((0, 100), (100, 1), (101, 99), (200, 100))]
    topic = new_topic().write(blocks[0], blocks[1]).abort(every_7_ms(50, 150)).write(blocks[2])
    return topic.write(blocks[3]).abort(every_7_ms(20, 300))


@pytest.fixture(scope="package")
def where(broker: Broker, registry: Registry) -> Connections:
    return Connections(kafka_bootstrap=broker.bootstrap, registry_url=registry.url)


@pytest.fixture(scope="package")
def make(where: Connections) -> Iterator[Make]:
    """Makes a backtest of AAPL: topics of these schemas, nothing on them yet."""
    all_made: list[Written] = []

    def made(*schemas: str) -> Written:
        selections = [Selection("AAPL", schema) for schema in schemas]
        all_made.append(Written(where.kafka, where.registry, selections).say("queued"))
        return all_made[-1]

    yield made
    for task in (task for backtest in all_made for task in backtest.tasks):
        task.close()
