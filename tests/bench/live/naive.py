"""What everyone writes for a stream: message by message, `json.loads`, `AvroSerializer`, `produce` with a callback."""

import json
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

from confluent_kafka import KafkaError, Message, Producer
from confluent_kafka.schema_registry import SchemaRegistryClient, record_subject_name_strategy
from confluent_kafka.schema_registry.avro import AvroSerializer
from confluent_kafka.serialization import MessageField, SerializationContext

from stoculus.records.catalog import record_type

_NEW_YORK: Final = ZoneInfo("America/New_York")
_RECORDS: Final = {"QUOTE": "StockQuote", "TRADE": "StockTrade"}


class NaiveStream:
    """Writes the quotes and trades among messages to the topic of each, idempotent, keyed, event time set."""

    def __init__(self, bootstrap: str, registry_url: str) -> None:
        self.records = 0
        self._failures: list[KafkaError] = []
        registry = SchemaRegistryClient({"url": registry_url})
        conf = {"auto.register.schemas": False, "subject.name.strategy": record_subject_name_strategy}
        self._serializers = {
            kind: AvroSerializer(registry, record_type(name).avro, conf=conf) for kind, name in _RECORDS.items()
        }
        self._contexts: dict[str, SerializationContext] = {}
        self._producer = Producer(
            {
                "bootstrap.servers": bootstrap,
                "enable.idempotence": True,
                "compression.type": "lz4",
                "linger.ms": 1,
                "queue.buffering.max.messages": 1_000_000,
            }
        )

    def take(self, frames: Iterable[bytes], received_us: int) -> None:
        """Messages that were received together."""
        for frame in frames:
            message = json.loads(frame)
            kind = message["header"]["type"]
            if kind in _RECORDS:
                self._write(kind, message["contract"]["root"], message[kind.lower()], received_us)
        self._producer.poll(0)

    def _write(self, kind: str, symbol: str, body: dict[str, Any], received_us: int) -> None:
        day, ms_of_day = body.pop("date"), body.pop("ms_of_day")
        midnight = datetime(day // 10000, day // 100 % 100, day % 100, tzinfo=_NEW_YORK)
        event_time = midnight + timedelta(milliseconds=ms_of_day)
        topic = f"stock-{symbol.lower()}-{kind.lower()}-live"
        context = self._contexts.get(topic)
        if context is None:
            context = self._contexts[topic] = SerializationContext(topic, MessageField.VALUE)
        value = self._serializers[kind]({"symbol": symbol, "ts_event": event_time, **body}, context)
        headers: Any = [("ingest_us", str(received_us).encode()), ("origin", b"live")]
        self._producer.produce(
            topic,
            value,
            symbol,
            timestamp=int(event_time.timestamp() * 1000),
            headers=headers,
            on_delivery=self._on_delivery,
        )

    def flush(self) -> None:
        """Wait for the last delivery report."""
        self._producer.flush()
        if self._failures:
            raise RuntimeError(f"not delivered: {self._failures[0]}")

    def _on_delivery(self, error: KafkaError | None, _: Message) -> None:
        if error is None:
            self.records += 1
        else:
            self._failures.append(error)
