"""The events of a backtest with nothing but confluent-kafka: no line of Stoculus is used here.

What `stoculus.merge` does, in small: the records of two topics in the order in which a strategy could have known them.
It prints each bar of the first day with the quote that stood when the bar was known. The backtest is the notebook's:

    python examples/plain_client.py mean-reversion
"""

import heapq
import os
import sys
from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import takewhile
from typing import Any
from zoneinfo import ZoneInfo

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition
from confluent_kafka.schema_registry import SchemaRegistryClient
from confluent_kafka.schema_registry.avro import AvroDeserializer

KAFKA = os.environ.get("STOCULUS_KAFKA_BOOTSTRAP", "127.0.0.1:9092")
REGISTRY = os.environ.get("STOCULUS_REGISTRY_URL", "http://127.0.0.1:8081/apis/ccompat/v7")
NEW_YORK = ZoneInfo("America/New_York")


def records(topic: str, known_after: timedelta, decode: AvroDeserializer) -> Iterator[tuple[datetime, dict[str, Any]]]:
    """The committed records of a topic from its first to its end, each with the time at which it could be known."""
    consumer = Consumer(
        {
            "bootstrap.servers": KAFKA,
            "group.id": "unused",  # required, but nothing is committed
            "enable.auto.commit": False,
            "enable.partition.eof": True,  # tells where the topic ends; offsets do not: transaction markers take some
        }
    )
    consumer.assign([TopicPartition(topic, 0, 0)])  # one partition: the order holds
    try:
        while True:
            for message in consumer.consume(1000, 0.02):
                if error := message.error():
                    if error.code() == KafkaError._PARTITION_EOF:
                        return
                    raise KafkaException(error)
                record = decode(message.value())
                yield record["ts_event"] + known_after, record
    finally:
        consumer.close()


def main(backtest_id: str) -> None:
    """Print a line for each bar of the first day."""
    decode = AvroDeserializer(SchemaRegistryClient({"url": REGISTRY}))
    # A bar is known when it is over, a quote at its own time; of equal times the first topic comes first.
    events = heapq.merge(
        records(f"stock-aapl-ohlcv1m-historical-{backtest_id}", timedelta(minutes=1), decode),
        records(f"stock-aapl-quote1s-historical-{backtest_id}", timedelta(0), decode),
        key=lambda event: event[0],
    )
    quote: dict[str, Any] = {}
    first_day = next(events)[0].astimezone(NEW_YORK).date()
    for at, record in takewhile(lambda event: event[0].astimezone(NEW_YORK).date() == first_day, events):
        if "bid" in record:
            quote = record
        else:
            told = f"close {record['close']:.2f}, quote {quote['bid']:.2f} / {quote['ask']:.2f}"
            print(f"{at.astimezone(NEW_YORK):%Y-%m-%d %H:%M:%S} {record['symbol']} {told}")


if __name__ == "__main__":
    main(*(sys.argv[1:] or ["mean-reversion"]))
