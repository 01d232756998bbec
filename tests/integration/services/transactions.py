"""Open transactions, seen and made."""

from collections.abc import Iterator
from contextlib import contextmanager
from uuid import uuid4

from confluent_kafka import Consumer, Producer, TopicPartition

from stoculus.topics import CHECKPOINTS
from tests.conftest import Broker


def ends(broker: Broker, topic: str) -> tuple[int, int]:
    """The end of all records, and the end of those before the first open transaction."""
    found = []
    for isolation in ("read_uncommitted", "read_committed"):
        consumer = Consumer({"bootstrap.servers": broker.bootstrap, "group.id": "tests", "isolation.level": isolation})
        found.append(consumer.get_watermark_offsets(TopicPartition(topic, 0), 10)[1])
        consumer.close()
    return found[0], found[1]


@contextmanager
def hanging_transaction(broker: Broker, partition: int) -> Iterator[None]:
    """Another task's transaction, open on a partition of the checkpoint topic."""
    producer = Producer(
        {"bootstrap.servers": broker.bootstrap, "transactional.id": uuid4().hex, "transaction.timeout.ms": 60_000}
    )
    producer.init_transactions(30)
    producer.begin_transaction()
    producer.produce(CHECKPOINTS, b"{}", b"another", partition)
    producer.flush()
    try:
        yield
    finally:
        producer.abort_transaction(30)
        producer.close()
