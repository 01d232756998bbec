"""The produce loop: the rows of a batch to a producer's queue, by C where the extension is built, else by Python."""

from importlib import metadata
from pathlib import Path
from typing import Any, Final

import confluent_kafka
import numpy as np
import pyarrow as pa
from confluent_kafka import KafkaError, KafkaException, Producer

_QUEUE_FULL_POLL_S: Final = 0.01


def _load_extension() -> bool:
    """Bind the extension to the librdkafka inside the confluent-kafka wheel, the one that its producers use."""
    try:
        import stoculus.kafka._enqueue as extension

        site = Path(confluent_kafka.__file__).parent
        libraries = [*site.parent.glob("confluent_kafka.libs/librdkafka*"), *site.glob(".dylibs/librdkafka*")]
        extension.load(str(libraries[0]))
    except (ImportError, IndexError):
        return False
    return True


HAS_EXTENSION: Final = _load_extension()


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


def _enqueue_c(
    producer: Producer,
    topic: str,
    header: bytes,
    keys: bytes | pa.BinaryArray | pa.StringArray,
    bodies: pa.BinaryArray,
    ts_event: pa.TimestampArray,
) -> None:
    import stoculus.kafka._enqueue as extension

    # The loop counts from the start of the buffers.
    bodies, ts_event = _unsliced(bodies), _unsliced(ts_event)
    key: tuple[bytes | None, pa.Buffer | None, pa.Buffer | None] = (keys, None, None)  # type: ignore[assignment]
    if not isinstance(keys, bytes):
        buffers = _unsliced(keys).buffers()
        key = (None, buffers[1], buffers[2])
    _, offsets, data = bodies.buffers()
    _, timestamps = ts_event.buffers()
    row, stop = 0, len(bodies)
    while row < stop:
        row, code = extension.enqueue(producer, topic, 0, header, *key, offsets, data, timestamps, row, stop)
        if code == KafkaError._QUEUE_FULL:
            producer.poll(_QUEUE_FULL_POLL_S)
        elif code:
            raise KafkaException(KafkaError(code))


def _enqueue_python(
    producer: Producer,
    topic: str,
    header: bytes,
    keys: bytes | pa.BinaryArray | pa.StringArray,
    bodies: pa.BinaryArray,
    ts_event: pa.TimestampArray,
) -> None:
    times_ms = (np.asarray(ts_event.cast(pa.int64())) // 1000).tolist()
    row_keys = [keys] * len(bodies) if isinstance(keys, bytes) else [_bytes(key) for key in keys.to_pylist()]
    for key, body, time_ms in zip(row_keys, bodies.to_pylist(), times_ms, strict=True):
        _produce(producer, topic, header + (body or b""), key, time_ms)


def _produce(producer: Producer, topic: str, value: bytes, key: bytes, time_ms: int) -> None:
    while True:
        try:
            producer.produce(topic, value, key, partition=0, timestamp=time_ms)
        except BufferError:
            producer.poll(_QUEUE_FULL_POLL_S)
        else:
            return


def _bytes(key: bytes | str | None) -> bytes:
    return key.encode() if isinstance(key, str) else key or b""


def _unsliced(array: Any) -> Any:
    return array if array.offset == 0 else pa.concat_arrays([array])


def describe() -> str:
    """Which loop runs, for logs and benches."""
    loop = "C" if HAS_EXTENSION else "Python"
    return f"{loop} produce loop, confluent-kafka {metadata.version('confluent-kafka')}"
