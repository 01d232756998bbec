"""Both produce loops against a real broker: they must leave the same records."""

from collections.abc import Callable, Iterator
from typing import Any, cast
from uuid import uuid4

import numpy as np
import pyarrow as pa
import pytest
from confluent_kafka import Consumer, KafkaError, KafkaException, Producer
from confluent_kafka.admin import AdminClient

from stoculus.kafka import admin as kafka_admin
from stoculus.kafka.enqueue import HAS_EXTENSION, describe, enqueue, enqueue_live
from stoculus.kafka.librdkafka import is_bound
from tests.conftest import Broker
from tests.integration.kafka.conftest import Record, messages_of, read_all

HEADER = b"\0\0\0\1\2"
ROWS = 1000
BODIES = pa.array([b"body %d" % row * (row % 7) for row in range(ROWS)], pa.binary())
# Microseconds that are no whole milliseconds: they are cut, not rounded.
TIMES_US = [1_700_000_000_000_000 + row * 999 for row in range(ROWS)]
TIMES = cast(pa.TimestampArray, pa.array(TIMES_US, pa.timestamp("us", "UTC")))
KEYS: dict[str, Any] = {
    "one key": b"AAPL",
    "an empty key": b"",
    "a key a row": pa.array([b"key %d" % (row % 13) for row in range(ROWS)], pa.binary()),
    "a text key a row": pa.array([f"schlüssel {row % 13}" for row in range(ROWS)]),
}
LOOPS = [
    pytest.param(False, id="Python"),
    pytest.param(True, id="C", marks=pytest.mark.skipif(not HAS_EXTENSION, reason="the extension is not built")),
]


@pytest.fixture
def producer(broker: Broker) -> Iterator[Producer]:
    # Idempotent: a topic that was just made may have no leader yet, and what is sent again must stay in order.
    made = Producer({"bootstrap.servers": broker.bootstrap, "linger.ms": 5, "enable.idempotence": True})
    yield made
    made.close()


def key_of(keys: Any, row: int) -> bytes:
    if isinstance(keys, bytes):
        return keys
    key = keys[row].as_py()
    return key.encode() if isinstance(key, str) else cast(bytes, key)


def expected(keys: Any, rows: range) -> list[tuple[bytes | None, bytes | None, int]]:
    return [(key_of(keys, row), HEADER + (BODIES[row].as_py() or b""), TIMES_US[row] // 1000) for row in rows]


def written(records: list[Record]) -> list[tuple[bytes | None, bytes | None, int]]:
    return [(record.key, record.value, record.time_ms) for record in records]


def test_the_extension_is_built_where_these_tests_run() -> None:
    """Without a compiler it may be missing; then everything below runs on the Python loop alone, and this says so."""
    if not HAS_EXTENSION:
        pytest.skip("NOT TESTED: the C loop; no extension was built")
    assert describe().startswith("C produce loop")


@pytest.mark.parametrize("keys", KEYS.values(), ids=KEYS)
@pytest.mark.parametrize("use_extension", LOOPS)
def test_key_value_and_time_arrive_row_by_row(
    broker: Broker, producer: Producer, topic: str, use_extension: bool, keys: Any
) -> None:
    enqueue(producer, topic, HEADER, keys, BODIES, TIMES, use_extension=use_extension)
    producer.flush()

    assert written(read_all(broker.kafka, topic)) == expected(keys, range(ROWS))


@pytest.mark.parametrize("keys", [KEYS["one key"], KEYS["a key a row"]], ids=["one key", "a key a row"])
@pytest.mark.parametrize("use_extension", LOOPS)
def test_slices_of_arrays_arrive_as_their_rows_alone(
    broker: Broker, producer: Producer, topic: str, use_extension: bool, keys: Any
) -> None:
    part = slice(17, 400)
    some, none = (keys, keys) if isinstance(keys, bytes) else (keys[part], keys[:0])
    enqueue(producer, topic, HEADER, some, BODIES[part], TIMES[part], use_extension=use_extension)
    enqueue(producer, topic, HEADER, none, BODIES[:0], TIMES[:0], use_extension=use_extension)
    producer.flush()

    assert written(read_all(broker.kafka, topic)) == expected(keys, range(17, 400))


@pytest.mark.parametrize("use_extension", LOOPS)
def test_a_full_queue_is_waited_for_and_no_row_is_lost_or_doubled(
    broker: Broker, topic: str, use_extension: bool
) -> None:
    small = Producer(
        {"bootstrap.servers": broker.bootstrap, "queue.buffering.max.messages": 10, "linger.ms": 0, "acks": "all"}
    )
    enqueue(small, topic, HEADER, b"k", BODIES, TIMES, use_extension=use_extension)
    small.close()

    assert written(read_all(broker.kafka, topic)) == expected(b"k", range(ROWS))


@pytest.mark.parametrize("use_extension", LOOPS)
def test_a_row_that_is_too_large_is_refused_by_its_code(broker: Broker, topic: str, use_extension: bool) -> None:
    small = Producer({"bootstrap.servers": broker.bootstrap, "message.max.bytes": 1000})
    bodies = pa.array([b"x" * 10_000], pa.binary())
    with pytest.raises(KafkaException) as caught:
        enqueue(small, topic, HEADER, b"k", bodies, TIMES[:1], use_extension=use_extension)
    small.close()

    assert caught.value.args[0].code() == KafkaError.MSG_SIZE_TOO_LARGE


ORIGIN = b"live"
INGEST_US = np.arange(ROWS) * 1_800_000_000_001
PLACES = np.array([row * row % 5 - 1 for row in range(ROWS)], np.int32)  # of two topics; some of none, two unused


@pytest.fixture
def topics(admin: AdminClient) -> list[str]:
    names = [f"test-{uuid4().hex}" for _ in range(4)]
    kafka_admin.create_topics(admin, names, kafka_admin.DATA_CONFIG)
    return names


def live(producer: Producer, topics: list[str], rows: slice = slice(None), **changes: Any) -> tuple[int, int]:
    given: dict[str, Any] = {
        "topic_of": PLACES,
        "keys": KEYS["a key a row"],
        "bodies": BODIES,
        "times_us": np.array(TIMES_US),
    }
    given |= {"ingest_us": INGEST_US} | changes
    sliced = {name: column[rows] for name, column in given.items() if name != "use_extension"}
    return enqueue_live(producer, topics, header=HEADER, origin=ORIGIN, **sliced, use_extension=given["use_extension"])


LiveRecord = tuple[bytes | None, bytes | None, int, list[tuple[str, bytes]] | None]


def live_expected(place: int, rows: range = range(ROWS), keys: Any = KEYS["a key a row"]) -> list[LiveRecord]:
    mine = [row for row in rows if PLACES[row] == place]
    plain = [record for row in mine for record in expected(keys, range(row, row + 1))]
    headers = [[("ingest_us", str(INGEST_US[row]).encode()), ("origin", ORIGIN)] for row in mine]
    return [(*record, its) for record, its in zip(plain, headers, strict=True)]


def live_written(broker: Broker, topic: str) -> list[LiveRecord]:
    return [
        (message.key(), message.value(), message.timestamp()[1], cast(Any, message.headers()))
        for message in messages_of(broker.kafka, topic)
    ]


@pytest.mark.parametrize("keys", [KEYS["a key a row"], KEYS["a text key a row"]], ids=["bytes", "text"])
@pytest.mark.parametrize("use_extension", LOOPS)
def test_each_row_goes_to_its_topic_in_order_with_its_headers_or_is_passed_over(
    broker: Broker, producer: Producer, topics: list[str], use_extension: bool, keys: Any
) -> None:
    assert live(producer, topics, keys=keys, use_extension=use_extension) == (ROWS, 2)
    producer.flush()

    assert {int(place) for place in PLACES} == {-1, 0, 3}
    for place, topic in enumerate(topics):
        assert live_written(broker, topic) == live_expected(place, keys=keys)


@pytest.mark.parametrize("use_extension", LOOPS)
def test_slices_go_to_their_topics_as_their_rows_alone(
    broker: Broker, producer: Producer, topics: list[str], use_extension: bool
) -> None:
    assert live(producer, topics, slice(17, 400), use_extension=use_extension) == (383, 2)
    assert live(producer, topics, slice(400, 400), use_extension=use_extension) == (0, 0)
    every_second, _ = live(producer, topics, ingest_us=np.repeat(INGEST_US, 2)[::2], use_extension=use_extension)
    producer.flush()

    assert every_second == ROWS
    assert live_written(broker, topics[3]) == live_expected(3, range(17, 400)) + live_expected(3)


@pytest.mark.parametrize("use_extension", LOOPS)
def test_a_full_queue_is_not_waited_for_and_the_rest_follows_from_there(
    broker: Broker, topics: list[str], use_extension: bool
) -> None:
    small = Producer({"bootstrap.servers": broker.bootstrap, "queue.buffering.max.messages": 10, "linger.ms": 1000})
    done, _ = live(small, topics, use_extension=use_extension)
    assert (PLACES[:done] != -1).sum() == 10
    assert PLACES[done] != -1
    assert live(small, topics, slice(done, None), use_extension=use_extension) == (0, 0)
    while done < ROWS:
        small.flush()
        done += live(small, topics, slice(done, None), use_extension=use_extension)[0]
    small.close()

    for place, topic in enumerate(topics):
        assert live_written(broker, topic) == live_expected(place)


@pytest.mark.parametrize("use_extension", LOOPS)
def test_rows_of_no_topic_at_all_need_no_room(broker: Broker, use_extension: bool) -> None:
    small = Producer({"bootstrap.servers": broker.bootstrap, "queue.buffering.max.messages": 1})
    assert live(small, [], topic_of=np.full(ROWS, -1, np.int32), use_extension=use_extension) == (ROWS, 0)
    assert len(small) == 0
    small.close()


@pytest.mark.parametrize("use_extension", LOOPS)
def test_a_live_row_that_cannot_be_taken_is_refused_by_its_code(
    broker: Broker, topics: list[str], use_extension: bool
) -> None:
    small = Producer({"bootstrap.servers": broker.bootstrap, "message.max.bytes": 1000})
    bodies = pa.array([b"x" * 10_000] * ROWS, pa.binary())
    for rows, names, code in (
        (bodies, topics, KafkaError.MSG_SIZE_TOO_LARGE),
        (BODIES, ["x" * 600] * 4, KafkaError._INVALID_ARG),
    ):
        with pytest.raises(KafkaException) as caught:
            live(small, names, bodies=rows, use_extension=use_extension)
        assert caught.value.args[0].code() == code
    assert len(small) == 0
    small.close()


@pytest.mark.parametrize(
    "changes",
    [
        {"topic_of": np.full(ROWS, 4, np.int32)},
        {"topic_of": np.full(ROWS, -2, np.int32)},
        {"topic_of": PLACES[1:]},
        {"ingest_us": INGEST_US[1:]},
        {"keys": KEYS["a key a row"][1:]},
        {"times_us": np.array(TIMES_US[1:])},
        {"bodies": BODIES[1:]},
        {"bodies": BODIES[:0]},
    ],
)
@pytest.mark.parametrize("use_extension", LOOPS)
def test_columns_that_do_not_fit_each_other_are_refused(
    producer: Producer, use_extension: bool, changes: dict[str, Any]
) -> None:
    with pytest.raises(ValueError, match=r"rows|no topic"):
        live(producer, ["a", "b", "c", "d"], **changes, use_extension=use_extension)
    assert len(producer) == 0


@pytest.mark.skipif(not HAS_EXTENSION, reason="the extension is not built")
class TestTheCLoop:
    def call(self, producer: Any, stop: int, **changes: Any) -> tuple[int, int]:
        import stoculus.kafka._enqueue as extension

        _, offsets, data = BODIES.buffers()
        given: dict[str, Any] = {
            "key": b"k",
            "key_offsets": None,
            "key_data": None,
            "offsets": offsets,
            "data": data,
            "timestamps": TIMES.buffers()[1],
            "start": 0,
        } | changes
        run: Callable[..., tuple[int, int]] = extension.enqueue
        return run(producer, "nowhere", 0, HEADER, *given.values(), stop)

    def test_refuses_what_is_no_producer(self, broker: Broker) -> None:
        consumer = Consumer({"bootstrap.servers": broker.bootstrap, "group.id": "tests"})
        for other in (object(), None, 1, "producer", [1] * 100, consumer):
            with pytest.raises(TypeError, match="not a confluent-kafka producer"):
                self.call(other, 1)
        consumer.close()

    def test_refuses_a_producer_that_is_closed(self, broker: Broker) -> None:
        closed = Producer({"bootstrap.servers": broker.bootstrap})
        closed.close()
        with pytest.raises(TypeError, match="not a confluent-kafka producer"):
            self.call(closed, 1)

    @pytest.mark.parametrize(
        "changes",
        [
            {"offsets": b"\0" * (4 * ROWS)},
            {"timestamps": b"\0" * (8 * ROWS - 1)},
            {"data": b"short"},
            {"data": b""},
            {"start": -1},
            {"start": ROWS + 1},
            {"key": None},
            {"key": None, "key_offsets": b"\0" * (4 * ROWS), "key_data": b""},
            {"key": None, "key_offsets": b"\1" * (4 * ROWS + 4), "key_data": b"k"},
        ],
    )
    def test_refuses_buffers_that_are_shorter_than_the_rows(self, producer: Producer, changes: dict[str, Any]) -> None:
        with pytest.raises(ValueError, match="shorter than 1000 rows"):
            self.call(producer, ROWS, **changes)

    def test_stops_at_a_full_queue_and_tells_the_first_row_not_taken(self, broker: Broker) -> None:
        small = Producer({"bootstrap.servers": broker.bootstrap, "queue.buffering.max.messages": 10})
        assert self.call(small, ROWS) == (10, KafkaError._QUEUE_FULL)
        small.purge()
        small.close()

    def test_binds_to_the_loaded_librdkafka_only(self, tmp_path: Any) -> None:
        import stoculus.kafka._enqueue as extension

        with pytest.raises(ImportError, match="no loaded librdkafka"):
            extension.load(str(tmp_path / "librdkafka.so"))
        assert is_bound("stoculus.kafka._enqueue")

    @pytest.mark.parametrize(
        "changes",
        [
            {"topic_of": b"\0" * (4 * ROWS - 1)},
            {"offsets": b"\0" * (4 * ROWS)},
            {"data": b"short"},
            {"timestamps": b"\0" * (8 * ROWS - 1)},
            {"ingest_us": b"\0" * (8 * ROWS - 1)},
            {"key_offsets": b""},
            {"key_offsets": b"\1" * (4 * ROWS + 4)},
            {"stop": -1},
        ],
    )
    def test_refuses_live_buffers_that_are_shorter_than_the_rows(
        self, producer: Producer, changes: dict[str, Any]
    ) -> None:
        with pytest.raises(ValueError, match="shorter than"):
            self.call_live(producer, **changes)

    def test_refuses_live_rows_for_what_is_no_producer_and_topics_that_are_no_names(self, producer: Producer) -> None:
        with pytest.raises(TypeError, match="not a confluent-kafka producer"):
            self.call_live(object())
        with pytest.raises(TypeError, match="bad argument"):
            self.call_live(producer, topics=(b"bytes",))
        with pytest.raises(TypeError, match="tuple"):
            self.call_live(producer, topics=["a list"])

    def call_live(self, producer: Any, **changes: Any) -> tuple[int, int, int]:
        import stoculus.kafka._enqueue as extension

        _, offsets, data = BODIES.buffers()
        _, key_offsets, key_data = KEYS["a key a row"].buffers()
        given: dict[str, Any] = {
            "topics": ("nowhere",),
            "topic_of": np.zeros(ROWS, np.int32),
            "header": HEADER,
            "key_offsets": key_offsets,
            "key_data": key_data,
            "offsets": offsets,
            "data": data,
            "timestamps": TIMES.buffers()[1],
            "ingest_us": INGEST_US,
            "origin": ORIGIN,
            "stop": ROWS,
        } | changes
        run: Callable[..., tuple[int, int, int]] = extension.enqueue_live
        return run(producer, *given.values())
