"""The produce loop: the rows of a batch to a producer's queue, by C where the extension is built, else by Python."""

from collections.abc import Iterator, Sequence
from importlib import metadata
from typing import Any, Final

import numpy as np
import pyarrow as pa
from confluent_kafka import KafkaError, KafkaException, Producer
from numpy.typing import NDArray

from stoculus.kafka.librdkafka import is_bound

_QUEUE_FULL_POLL_S: Final = 0.01


HAS_EXTENSION: Final = is_bound("stoculus.kafka._enqueue")


def enqueue(
    producer: Producer,
    topic: str,
    header: bytes,
    keys: bytes | pa.BinaryArray | pa.StringArray,
    bodies: pa.BinaryArray,
    ts_event: pa.TimestampArray,
    *,
    use_extension: bool = HAS_EXTENSION,
) -> None:
    """Queue one record a row on partition 0: key, `header` + body, event time in microseconds as Kafka time.

    Wait where the queue is full. Raise KafkaException as `Producer.produce` does.
    """
    if use_extension:
        _enqueue_c(producer, topic, header, keys, bodies, ts_event)
    else:
        _enqueue_python(producer, topic, header, keys, bodies, ts_event)


def enqueue_live(
    producer: Producer,
    topics: Sequence[str],
    topic_of: NDArray[np.int32],
    header: bytes,
    keys: pa.StringArray | pa.BinaryArray,
    bodies: pa.BinaryArray,
    times_us: NDArray[np.int64],
    *,
    origin: bytes,
    ingest_us: NDArray[np.int64],
    use_extension: bool = HAS_EXTENSION,
) -> tuple[int, int]:
    """Queue one record a row as `enqueue` does, on `topics[topic_of[row]]`; a row whose place is -1 is passed over.

    The records have the headers `ingest_us` (the row's value in decimal digits) and `origin`. Return without waiting
    how many leading rows are done, fewer than there are where the queue is full, and on how many topics they are. Raise
    KafkaException as `Producer.produce` does, and ValueError where a row has no topic or an array has not as many rows
    as `bodies`.
    """
    columns = (topic_of, keys, bodies, times_us, ingest_us)
    if len({len(column) for column in columns}) > 1:
        raise ValueError(f"the columns have {[len(column) for column in columns]} rows")
    run = _enqueue_live_c if use_extension else _enqueue_live_python
    return run(producer, tuple(topics), topic_of, header, keys, bodies, times_us, origin, ingest_us)


def _enqueue_c(
    producer: Producer,
    topic: str,
    header: bytes,
    keys: bytes | pa.BinaryArray | pa.StringArray,
    bodies: pa.BinaryArray,
    ts_event: pa.TimestampArray,
) -> None:
    import stoculus.kafka._enqueue as extension

    key = keys if isinstance(keys, bytes) else None
    key_buffers: tuple[Any, Any] = (None, None) if isinstance(keys, bytes) else _offsets_and_data(keys)
    buffers = (*key_buffers, *_offsets_and_data(bodies), _unsliced(ts_event).buffers()[1])
    row, stop = 0, len(bodies)
    while row < stop:
        row, code = extension.enqueue(producer, topic, 0, header, key, *buffers, row, stop)
        if code == KafkaError._QUEUE_FULL:
            producer.poll(_QUEUE_FULL_POLL_S)
        elif code:
            raise KafkaException(KafkaError(code))


def _enqueue_live_c(
    producer: Producer,
    topics: tuple[str, ...],
    topic_of: NDArray[np.int32],
    header: bytes,
    keys: pa.StringArray | pa.BinaryArray,
    bodies: pa.BinaryArray,
    times_us: NDArray[np.int64],
    origin: bytes,
    ingest_us: NDArray[np.int64],
) -> tuple[int, int]:
    import stoculus.kafka._enqueue as extension

    if not len(bodies):
        return 0, 0
    buffers = (*_offsets_and_data(keys), *_offsets_and_data(bodies), np.ascontiguousarray(times_us, np.int64))
    places, at_us = np.ascontiguousarray(topic_of, np.int32), np.ascontiguousarray(ingest_us, np.int64)
    row, used, code = extension.enqueue_live(producer, topics, places, header, *buffers, at_us, origin, len(bodies))
    if code not in (0, KafkaError._QUEUE_FULL):
        raise KafkaException(KafkaError(code))
    return row, used


def _enqueue_python(
    producer: Producer,
    topic: str,
    header: bytes,
    keys: bytes | pa.BinaryArray | pa.StringArray,
    bodies: pa.BinaryArray,
    ts_event: pa.TimestampArray,
) -> None:
    for key, value, time_ms in _rows(header, keys, bodies, np.asarray(ts_event.cast(pa.int64()))):
        while not _took(producer, topic, value, key, time_ms):
            producer.poll(_QUEUE_FULL_POLL_S)


def _enqueue_live_python(
    producer: Producer,
    topics: tuple[str, ...],
    topic_of: NDArray[np.int32],
    header: bytes,
    keys: pa.StringArray | pa.BinaryArray,
    bodies: pa.BinaryArray,
    times_us: NDArray[np.int64],
    origin: bytes,
    ingest_us: NDArray[np.int64],
) -> tuple[int, int]:
    places = topic_of.tolist()
    if places and not -1 <= min(places) <= max(places) < len(topics):
        raise ValueError(f"there is no topic {max(places)} or {min(places)}")
    rows = zip(places, ingest_us.tolist(), _rows(header, keys, bodies, times_us), strict=True)
    for row, (place, at_us, (key, value, time_ms)) in enumerate(rows):
        headers = [("ingest_us", b"%d" % at_us), ("origin", origin)]
        if place != -1 and not _took(producer, topics[place], value, key, time_ms, headers):
            return row, len({*places[:row]} - {-1})
    return len(places), len({*places} - {-1})


def _rows(
    header: bytes, keys: bytes | pa.BinaryArray | pa.StringArray, bodies: pa.BinaryArray, times_us: NDArray[np.int64]
) -> Iterator[tuple[bytes, bytes, int]]:
    """Key, value and milliseconds of each row."""
    times_ms = (times_us // 1000).tolist()
    row_keys = [keys] * len(bodies) if isinstance(keys, bytes) else [_bytes(key) for key in keys.to_pylist()]
    return zip(row_keys, [header + (body or b"") for body in bodies.to_pylist()], times_ms, strict=True)


def _took(
    producer: Producer,
    topic: str,
    value: bytes,
    key: bytes,
    time_ms: int,
    headers: list[tuple[str, Any]] | None = None,
) -> bool:
    """False where the queue is full."""
    try:
        producer.produce(topic, value, key, partition=0, timestamp=time_ms, headers=headers)
    except BufferError:
        return False
    return True


def _bytes(key: bytes | str | None) -> bytes:
    return key.encode() if isinstance(key, str) else key or b""


def _offsets_and_data(array: Any) -> tuple[Any, Any]:
    _, offsets, data = _unsliced(array).buffers()
    return offsets, data


def _unsliced(array: Any) -> Any:
    # The loops count from the start of the buffers.
    return array if array.offset == 0 else pa.concat_arrays([array])


def describe() -> str:
    """Which loop runs, for logs and benches."""
    loop = "C" if HAS_EXTENSION else "Python"
    return f"{loop} produce loop, confluent-kafka {metadata.version('confluent-kafka')}"
