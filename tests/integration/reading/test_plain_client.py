"""Topics as any Kafka client with an Avro deserializer reads them: what docs/records.md says."""

from datetime import UTC, date, datetime
from typing import Any, Protocol

from confluent_kafka import DeserializingConsumer, TopicPartition
from confluent_kafka.schema_registry import SchemaRegistryClient
from confluent_kafka.schema_registry.avro import AvroDeserializer


class Registry(Protocol):
    @property
    def url(self) -> str: ...


def test_a_plain_client_reads_a_chain(chain_topic: Any, registry: Registry) -> None:
    with SchemaRegistryClient({"url": registry.url}) as client:
        value = AvroDeserializer(client)
        config = {**chain_topic.kafka.config, "group.id": "plain", "value.deserializer": value}
        consumer = DeserializingConsumer(config)
        consumer.assign([TopicPartition(chain_topic.name, 0, 0)])
        messages: list[Any] = [consumer.poll(10) for _ in range(400)]
        consumer.close()

    put = messages[1]
    assert put.key() == b"SPXW  240105P04700000"
    assert put.timestamp()[1] == 1_704_205_800_000
    told = {name: put.value()[name] for name in ("symbol", "ts_event", "root", "expiration", "strike", "right")}
    assert told == {
        "symbol": "SPXW  240105P04700000",
        "ts_event": datetime(2024, 1, 2, 14, 30, tzinfo=UTC),
        "root": "SPXW",
        "expiration": date(2024, 1, 5),
        "strike": 4700.0,
        "right": "PUT",
    }
    assert [message.value()["bid"] for message in messages] == chain_topic.committed["bid"].to_pylist()
