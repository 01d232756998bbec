"""The broker of the local stack, as every test gets it."""

from uuid import uuid4

import pytest
from confluent_kafka import Consumer, Producer
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from tests.conftest import Broker


def make_topic(broker: Broker) -> str:
    name = f"probe-{uuid4().hex[:8]}"
    admin = AdminClient({"bootstrap.servers": broker.bootstrap})
    admin.create_topics([NewTopic(name, 1, 1)])[name].result(10)
    return name


def write_transaction(broker: Broker, topic: str, values: list[bytes]) -> None:
    producer = Producer({"bootstrap.servers": broker.bootstrap, "transactional.id": topic})
    producer.init_transactions(20)
    producer.begin_transaction()
    for value in values:
        producer.produce(topic, value)
    producer.commit_transaction(20)


def read_committed(broker: Broker, topic: str, count: int) -> list[bytes | None]:
    consumer = Consumer(
        {"bootstrap.servers": broker.bootstrap, "group.id": uuid4().hex, "auto.offset.reset": "earliest"}
    )
    consumer.subscribe([topic])
    try:
        return [message.value() for message in consumer.consume(count, timeout=30)]
    finally:
        consumer.close()


@pytest.mark.chaos
def test_committed_transactions_outlive_kill_9(broker: Broker) -> None:
    topic = make_topic(broker)
    write_transaction(broker, topic, [b"1", b"2"])
    broker.kill9()
    broker.start()
    write_transaction(broker, topic, [b"3"])
    assert read_committed(broker, topic, 3) == [b"1", b"2", b"3"]
