"""What everyone writes, as a good engineer would in an afternoon: row by row, idempotent, keyed, event time set."""

import csv
import io
import time
import urllib.request
from collections.abc import Iterable
from datetime import datetime
from http.client import HTTPResponse
from itertools import islice
from typing import Final
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from confluent_kafka import KafkaError, Message, Producer
from confluent_kafka.schema_registry import SchemaRegistryClient, record_subject_name_strategy
from confluent_kafka.schema_registry.avro import AvroSerializer
from confluent_kafka.serialization import MessageField, SerializationContext

from stoculus.records.catalog import record_type
from tests.bench.source import DAYS, TICKER
from tests.bench.stack import Bench

_NEW_YORK: Final = ZoneInfo("America/New_York")
_POLL_EVERY: Final = 1000


def naive_pipeline(bench: Bench, body: bytes, rows: int, topic: str) -> float:
    """Records a second from the first row of CSV in memory to the last delivery report; start-up is not counted."""
    with bench.topic(topic):
        publisher = Publisher(bench.bootstrap, bench.registry_url, topic)
        publisher.publish(islice(_text(body), 2))
        started = time.perf_counter()
        records = publisher.publish(islice(_text(body), rows + 1))
        return records / (time.perf_counter() - started)


def naive_whole_way(bench: Bench, topic: str) -> float:
    """Records a second from nothing to the last delivery report: download a part of a day and publish it."""
    with bench.topic(topic):
        started = time.perf_counter()
        publisher = Publisher(bench.bootstrap, bench.registry_url, topic)
        with part_of_a_day(bench) as answer:
            records = publisher.publish(io.TextIOWrapper(answer, newline=""))
        return records / (time.perf_counter() - started)


def part_of_a_day(bench: Bench) -> HTTPResponse:
    """The simulator's answer for the day's first 70 minutes: a quarter million rows and more."""
    query = {
        "symbol": TICKER,
        "interval": "tick",
        "start_date": f"{DAYS[0]:%Y%m%d}",
        "end_date": f"{DAYS[0]:%Y%m%d}",
        "start_time": "09:30:00.000",
        "end_time": "10:40:00.000",
        "format": "csv",
    }
    answer = urllib.request.urlopen(f"{bench.simulator_url}/v3/stock/history/quote?{urlencode(query)}")  # noqa: S310
    assert isinstance(answer, HTTPResponse)
    return answer


class Publisher:
    """Publishes CSV lines of quotes to a topic."""

    def __init__(self, bootstrap: str, registry_url: str, topic: str) -> None:
        self._topic = topic
        self._delivered = 0
        self._failures: list[KafkaError] = []
        self._context = SerializationContext(topic, MessageField.VALUE)
        self._serialize = AvroSerializer(
            SchemaRegistryClient({"url": registry_url}),
            record_type("StockQuote").avro,
            conf={"auto.register.schemas": False, "subject.name.strategy": record_subject_name_strategy},
        )
        self._producer = Producer(
            {
                "bootstrap.servers": bootstrap,
                "enable.idempotence": True,
                "compression.type": "lz4",
                "linger.ms": 50,
            }
        )

    def publish(self, lines: Iterable[str]) -> int:
        """Publish all rows, the header first; return how many were delivered."""
        before, count = self._delivered, 0
        for count, row in enumerate(csv.DictReader(lines), 1):
            self._publish_row(row)
            if count % _POLL_EVERY == 0:
                self._producer.poll(0)
        self._producer.flush()
        if self._failures or self._delivered - before != count:
            raise RuntimeError(f"{count} rows, {self._delivered - before} delivered, {self._failures[:1]}")
        return count

    def _publish_row(self, row: dict[str, str]) -> None:
        event_time = datetime.fromisoformat(row["timestamp"]).replace(tzinfo=_NEW_YORK)
        value = self._serialize(
            {
                "symbol": TICKER,
                "ts_event": event_time,
                "bid_size": int(row["bid_size"]),
                "bid_exchange": int(row["bid_exchange"]),
                "bid": float(row["bid"]),
                "bid_condition": int(row["bid_condition"]),
                "ask_size": int(row["ask_size"]),
                "ask_exchange": int(row["ask_exchange"]),
                "ask": float(row["ask"]),
                "ask_condition": int(row["ask_condition"]),
            },
            self._context,
        )
        timestamp_ms = int(event_time.timestamp() * 1000)
        while True:
            try:
                self._producer.produce(
                    self._topic, key=TICKER, value=value, timestamp=timestamp_ms, on_delivery=self._on_delivery
                )
                return
            except BufferError:
                self._producer.poll(0.1)

    def _on_delivery(self, error: KafkaError | None, _: Message) -> None:
        if error is None:
            self._delivered += 1
        else:
            self._failures.append(error)


def _text(body: bytes) -> Iterable[str]:
    return io.TextIOWrapper(io.BytesIO(body), encoding="ascii", newline="")
