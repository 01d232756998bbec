"""From a topic to columns: ours, and what everyone writes."""

import time

from confluent_kafka import Consumer, TopicPartition
from confluent_kafka.schema_registry import SchemaRegistryClient
from confluent_kafka.schema_registry.avro import AvroDeserializer
from confluent_kafka.serialization import MessageField, SerializationContext

from stoculus.reading.decoding import Decoder
from stoculus.reading.partition import PartitionReader
from tests.bench.stack import Bench

_POLL_S = 1.0


def read_columns(bench: Bench, topic: str, records: int, *, c_loop: bool) -> float:
    """Records a second from opening the topic to the last record batch."""
    started, decoder, read = time.perf_counter(), Decoder(bench.registry), 0
    with PartitionReader(bench.kafka, topic, use_extension=c_loop) as reader:
        for values in reader.read_values(reader.first):
            read += decoder.decode_values(values).num_rows
    return _rate(topic, read, records, started)


def read_naive(bench: Bench, topic: str, records: int) -> float:
    """Records a second from opening the topic to the last dict."""
    started, read = time.perf_counter(), 0
    registry = SchemaRegistryClient({"url": bench.registry_url})
    deserialize, context = AvroDeserializer(registry), SerializationContext(topic, MessageField.VALUE)
    consumer = Consumer(
        {
            "bootstrap.servers": bench.bootstrap,
            "group.id": "bench",
            "enable.auto.commit": False,
            "isolation.level": "read_committed",
        }
    )
    consumer.assign([TopicPartition(topic, 0, 0)])
    while read < records and (message := consumer.poll(_POLL_S)) is not None:
        if message.error():
            raise RuntimeError(message.error())
        read += deserialize(message.value(), context) is not None
    consumer.close()
    return _rate(topic, read, records, started)


def _rate(topic: str, read: int, records: int, started: float) -> float:
    if read != records:
        raise RuntimeError(f"{topic}: {records} records, {read} read")
    return read / (time.perf_counter() - started)
