"""The values of a partition in bulk, by C where the extension is built, else by Python."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, Generic, TypeVar

import numpy as np
from confluent_kafka import Consumer, KafkaError, Message
from numpy.typing import NDArray

from stoculus.kafka.librdkafka import is_bound
from stoculus.records.framing import cut

HAS_EXTENSION: Final = is_bound("stoculus.kafka._consume")
_Records = TypeVar("_Records")


@dataclass(frozen=True, slots=True)
class Values:
    """Records one behind the other: keys, offsets, Kafka's timestamps, and bodies without their headers.

    `headers` has each header of the registry's format and how many bodies in a row have it. A value that is too short
    for one is a header alone. `with_headers`: the offsets of records that have headers of Kafka's.
    """

    headers: list[tuple[bytes, int]]
    bodies: list[bytes]
    keys: list[bytes]
    offsets: NDArray[np.int64]
    times_ms: NDArray[np.int64]
    with_headers: list[int]

    def __len__(self) -> int:
        return len(self.bodies)

    def before(self, offset: int) -> "Values":
        """Those that stand before an offset."""
        count = int(np.searchsorted(self.offsets, offset))
        if count == len(self):
            return self
        headers, left = [], count
        for header, run in self.headers:
            headers.append((header, min(run, left)))
            left -= run
            if left <= 0:
                break
        with_headers = [each for each in self.with_headers if each < offset]
        return Values(
            headers, self.bodies[:count], self.keys[:count], self.offsets[:count], self.times_ms[:count], with_headers
        )


@dataclass(frozen=True, slots=True)
class Consumed(Generic[_Records]):
    """What came at once. `position`: where to go on; None where nothing came. `error`: the first one, if any.

    The end of the partition moves the position behind markers of transactions, which are no messages, and is no error.
    """

    records: _Records
    position: int | None
    error: KafkaError | None


def consume_messages(consumer: Consumer, most: int, timeout_s: float) -> Consumed[list[Message]]:
    """What has come of the one partition that was assigned; it waits for all of `most`, at longest `timeout_s`."""
    events = consumer.consume(most, timeout_s)
    messages = [event for event in events if event.error() is None]
    errors = [error for event in events if (error := event.error()) and error.code() != KafkaError._PARTITION_EOF]
    position = (events[-1].offset() or 0) + (events[-1].error() is None) if events else None
    return Consumed(messages, position, errors[0] if errors else None)


def consume(
    consumer: Consumer, most: int, timeout_s: float, *, use_extension: bool = HAS_EXTENSION
) -> Consumed[Values]:
    """The same as values: many times as fast. Not for consumers that have subscribed: rebalances would be lost."""
    if use_extension:
        return _consume_c(consumer, most, timeout_s)
    come = consume_messages(consumer, most, timeout_s)
    return Consumed(values_of(come.records), come.position, come.error)


def values_of(messages: Sequence[Message]) -> Values:
    """Messages as values."""
    headers, bodies = cut([message.value() or b"" for message in messages])
    keys = [message.key() or b"" for message in messages]
    offsets = np.array([message.offset() for message in messages], np.int64)
    times_ms = np.array([message.timestamp()[1] for message in messages], np.int64)
    with_headers = [message.offset() or 0 for message in messages if message.headers()]
    return Values(headers, bodies, keys, offsets, times_ms, with_headers)


def _consume_c(consumer: Consumer, most: int, timeout_s: float) -> Consumed[Values]:
    import stoculus.kafka._consume as extension

    headers, bodies, keys, offsets, times_ms, with_headers, position, code, text = extension.consume(
        consumer, most, round(timeout_s * 1000)
    )
    runs: Any = list(zip(headers[::2], headers[1::2], strict=True))
    arrays = (np.frombuffer(offsets, np.int64), np.frombuffer(times_ms, np.int64))
    values = Values(runs, bodies, keys, *arrays, with_headers)
    return Consumed(values, None if position < 0 else position, KafkaError(code, text) if code else None)
