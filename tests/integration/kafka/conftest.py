"""Topics of a test's own on the run's broker, and plain clients to look at them."""

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import NamedTuple
from uuid import uuid4

import pytest
from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, Message, Producer, TopicPartition
from confluent_kafka.admin import AdminClient

from stoculus.connections import Kafka
from stoculus.kafka import admin as kafka_admin
from tests.conftest import Broker


class Record(NamedTuple):
    """A committed record as a plain consumer sees it."""

    offset: int
    key: bytes | None
    value: bytes | None
    time_ms: int


@pytest.fixture(scope="package")
def admin(broker: Broker) -> AdminClient:
    client = kafka_admin.connect(broker.kafka)
    kafka_admin.create_control_topics(client)
    return client


@pytest.fixture
def topic(admin: AdminClient) -> str:
    """A topic of one partition."""
    name = f"test-{uuid4().hex}"
    kafka_admin.create_topics(admin, [name], kafka_admin.DATA_CONFIG)
    return name


Transactional = Callable[[], Producer]


@pytest.fixture
def transactional(broker: Broker) -> Iterator[Transactional]:
    """Transactional producers, each of an id of its own, ready to begin."""
    with ExitStack() as stack:

        def producer() -> Producer:
            made = Producer(
                {
                    "bootstrap.servers": broker.bootstrap,
                    "transactional.id": uuid4().hex,
                    "transaction.timeout.ms": 60_000,
                }
            )
            stack.callback(made.close)
            made.init_transactions(30)
            return made

        yield producer


def eventually(holds: Callable[[], object]) -> None:
    """Wait until it holds: what the controller has decided, the broker tells a moment later."""
    deadline = time.monotonic() + 30
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def read_all(kafka: Kafka, topic: str, partition: int = 0) -> list[Record]:
    """Every committed record of a partition, by a plain consumer."""
    records: list[Record] = []
    for message in messages_of(kafka, topic, partition):
        offset, (_, time_ms) = message.offset(), message.timestamp()
        assert offset is not None
        records.append(Record(offset, message.key(), message.value(), time_ms))
    return records


def messages_of(kafka: Kafka, topic: str, partition: int = 0) -> Iterator[Message]:
    """Every committed message of a partition, by a plain consumer that waits for nothing longer than it must."""
    consumer = Consumer(
        {
            **kafka.config,
            "group.id": "tests",
            "enable.auto.commit": False,
            "enable.partition.eof": True,
            "isolation.level": "read_committed",
            "fetch.wait.max.ms": 10,
            "fetch.queue.backoff.ms": 5,
        }
    )
    try:
        consumer.get_watermark_offsets(TopicPartition(topic, partition), 30)
        consumer.assign([TopicPartition(topic, partition, OFFSET_BEGINNING)])
        while True:
            for message in consumer.consume(10_000, 0.02):
                error = message.error()
                if error is not None:
                    assert error.code() == KafkaError._PARTITION_EOF, error
                    return
                yield message
    finally:
        consumer.close()
