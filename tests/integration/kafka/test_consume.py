"""Both ways to consume in bulk: they must give the same."""

import subprocess
import sys
from collections.abc import Iterator
from itertools import groupby
from typing import Any

import pytest
from confluent_kafka import Consumer, KafkaError, Producer, TopicPartition

from stoculus.kafka.consume import HAS_EXTENSION, Consumed, Values, consume
from stoculus.reading.partition import consumer_config
from tests.conftest import Broker
from tests.integration.kafka.conftest import Transactional

WAYS = [
    pytest.param(False, id="Python"),
    pytest.param(True, id="C", marks=pytest.mark.skipif(not HAS_EXTENSION, reason="the extension is not built")),
]
VALUES: list[bytes | None] = [
    b"\0\0\0\0\1one", b"\0\0\0\0\1", b"\0\0\0\0\2two", b"\0\0\0\0\1" + bytes(range(256)), b"\0\0", b"", None, b"hello"
]  # fmt: skip
KEYS: list[bytes | None] = [b"AAPL", b"", None, b"\0\xff", b"a", b"b", b"c", b"d"]


def test_the_extension_is_built_where_these_tests_run() -> None:
    """Without a compiler it may be missing; then everything below runs on the Python way alone, and this says so."""
    if not HAS_EXTENSION:
        pytest.skip("NOT TESTED: the C way; no extension was built")


@pytest.fixture
def consumer(broker: Broker) -> Iterator[Consumer]:
    made = Consumer(consumer_config(broker.kafka))
    yield made
    made.close()


def consumed(
    consumer: Consumer, topic: str, until: int, *, use_extension: bool, start: int = 0
) -> list[Consumed[Values]]:
    """Until the position is reached."""
    consumer.assign([TopicPartition(topic, 0, start)])
    found: list[Consumed[Values]] = []
    while not found or (found[-1].position or 0) < until:
        one = consume(consumer, 1000, 0.05, use_extension=use_extension)
        if one.position is not None:
            found.append(one)
    return found


def as_messages(values: Values) -> list[tuple[bytes, bytes, int]]:
    headers = [header for header, count in values.headers for _ in range(count)]
    framed = [header + body for header, body in zip(headers, values.bodies, strict=True)]
    return list(zip(values.keys, framed, values.offsets.tolist(), strict=True))


@pytest.mark.parametrize("use_extension", WAYS)
def test_keys_values_and_offsets_come_as_they_are(
    broker: Broker, consumer: Consumer, topic: str, use_extension: bool
) -> None:
    producer = Producer({"bootstrap.servers": broker.bootstrap})
    for key, value in zip(KEYS, VALUES, strict=True):
        producer.produce(topic, value, key, partition=0)
    producer.close()

    parts = consumed(consumer, topic, len(VALUES), use_extension=use_extension)

    assert [part.error for part in parts] == [None] * len(parts)
    found = [message for part in parts for message in as_messages(part.records)]
    assert found == [(KEYS[n] or b"", VALUES[n] or b"", n) for n in range(len(VALUES))]
    headers = [header for part in parts for header, _ in part.records.headers]
    assert {len(header) for header in headers} == {0, 2, 5}
    assert [header for header, _ in groupby(headers)] == headers


@pytest.mark.parametrize("use_extension", WAYS)
def test_timestamps_and_which_records_have_headers_come_too(
    broker: Broker, consumer: Consumer, topic: str, use_extension: bool
) -> None:
    producer = Producer({"bootstrap.servers": broker.bootstrap})
    for n in range(6):
        headers: Any = {"origin": "live"} if n in (2, 5) else None
        producer.produce(topic, b"\0\0\0\0\1", partition=0, timestamp=1_000_000 + n, headers=headers)
    producer.close()

    parts = consumed(consumer, topic, 6, use_extension=use_extension)

    assert [time for part in parts for time in part.records.times_ms.tolist()] == list(range(1_000_000, 1_000_006))
    assert [offset for part in parts for offset in part.records.with_headers] == [2, 5]
    before = [part.records.before(5) for part in parts]
    assert [offset for part in before for offset in part.with_headers] == [2]
    assert sum(len(part.times_ms) for part in before) == 5


@pytest.mark.parametrize("use_extension", WAYS)
def test_markers_and_aborted_records_are_passed_over(
    consumer: Consumer, topic: str, transactional: Transactional, use_extension: bool
) -> None:
    producer = transactional()
    for is_kept in (True, False, True, False):
        producer.begin_transaction()
        for n in range(3):
            producer.produce(topic, b"\0\0\0\0\1%d" % n, partition=0)
        producer.flush()
        producer.commit_transaction() if is_kept else producer.abort_transaction()

    parts = consumed(consumer, topic, 16, use_extension=use_extension)

    assert parts[-1].position == 16
    assert [offset for part in parts for offset in part.records.offsets.tolist()] == [0, 1, 2, 8, 9, 10]


@pytest.mark.parametrize("use_extension", WAYS)
def test_an_error_is_told_with_what_came_before_it(consumer: Consumer, topic: str, use_extension: bool) -> None:
    consumer.assign([TopicPartition(topic, 0, 7)])  # behind the end
    errors = [consume(consumer, 10, 0.2, use_extension=use_extension).error for _ in range(20)]

    [error] = [error for error in errors if error is not None]
    assert error.code() in {KafkaError._AUTO_OFFSET_RESET, KafkaError.OFFSET_OUT_OF_RANGE}
    assert error.str()


@pytest.mark.parametrize("use_extension", WAYS)
def test_nothing_comes_of_an_empty_topic_but_its_end(consumer: Consumer, topic: str, use_extension: bool) -> None:
    [one] = consumed(consumer, topic, 0, use_extension=use_extension)

    assert (len(one.records), one.position, one.error) == (0, 0, None)
    again = consume(consumer, 10, 0.01, use_extension=use_extension)
    assert (len(again.records), again.position, again.error) == (0, None, None)


LOST = """
import time
from confluent_kafka import Consumer, TopicPartition
from stoculus.kafka.consume import consume

told = []
consumer = Consumer({"bootstrap.servers": "127.0.0.1:1", "group.id": "unused", "log_level": 0, "error_cb": told.append})
consumer.assign([TopicPartition("none", 0, 0)])
deadline = time.monotonic() + 30
while not told and time.monotonic() < deadline:
    consume(consumer, 10, 0.02)
print(told[0].str())
"""


def test_callbacks_of_a_client_whose_broker_is_away_are_called() -> None:
    """In a process of its own: it would be aborted."""
    run = subprocess.run([sys.executable, "-c", LOST], capture_output=True, text=True, check=False)

    assert (run.returncode, "refused" in run.stdout) == (0, True), run.stderr


@pytest.mark.skipif(not HAS_EXTENSION, reason="the extension is not built")
class TestTheExtension:
    def test_refuses_what_is_no_open_consumer(self, broker: Broker) -> None:
        import stoculus.kafka._consume as extension

        closed = Consumer(consumer_config(broker.kafka))
        closed.close()
        others: list[Any] = [None, object(), Producer({"bootstrap.servers": broker.bootstrap}), closed]
        for other in others:
            with pytest.raises(TypeError):
                extension.consume(other, 1, 0)

    @pytest.mark.parametrize("most", [0, -1])
    def test_refuses_to_take_no_message(self, consumer: Consumer, most: int) -> None:
        import stoculus.kafka._consume as extension

        with pytest.raises(ValueError, match="messages"):
            extension.consume(consumer, most, 0)
