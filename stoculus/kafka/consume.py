"""The values of a partition in bulk, by C where the extension is built, else by Python."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any, Final

import numpy as np
from confluent_kafka import Consumer, KafkaError, Message
from numpy.typing import NDArray

from stoculus.kafka.enqueue import librdkafka
from stoculus.records.framing import HEADER_BYTES


def _load_extension() -> bool:
    try:
        import stoculus.kafka._consume as extension

        extension.load(librdkafka())
    except ImportError:
        return False
    return True


HAS_EXTENSION: Final = _load_extension()


@dataclass(frozen=True, slots=True)
class Values:
    """Records one behind the other: keys, offsets, and bodies without their headers.

    `headers` has each header of the registry's format and how many bodies in a row have it. A value that is too short
    for one is a header alone.
    """

    headers: list[tuple[bytes, int]]
    bodies: list[bytes]
    keys: list[bytes]
    offsets: NDArray[np.int64]

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
        return Values(headers, self.bodies[:count], self.keys[:count], self.offsets[:count])


@dataclass(frozen=True, slots=True)
class Consumed:
    """What came at once. `position`: where to go on; None where nothing came. `error`: the first one, if any."""

    values: Values
    position: int | None
    error: KafkaError | None


def consume(consumer: Consumer, most: int, timeout_s: float, *, use_extension: bool = HAS_EXTENSION) -> Consumed:
    """What has come of the one partition that was assigned; it waits for all of `most`, at longest `timeout_s`.

    The end of the partition moves the position behind markers of transactions and is no error. Not for consumers that
    have subscribed: their rebalances would be lost.
    """
    if use_extension:
        return _consume_c(consumer, most, timeout_s)
    events = consumer.consume(most, timeout_s)
    messages = [event for event in events if event.error() is None]
    errors = [error for event in events if (error := event.error()) and error.code() != KafkaError._PARTITION_EOF]
    position = (events[-1].offset() or 0) + (events[-1].error() is None) if events else None
    return Consumed(values_of(messages), position, errors[0] if errors else None)


def values_of(messages: Sequence[Message]) -> Values:
    """The same of messages that were consumed one by one."""
    framed = [message.value() or b"" for message in messages]
    return Values(
        [(header, len(list(run))) for header, run in groupby(value[:HEADER_BYTES] for value in framed)],
        [value[HEADER_BYTES:] for value in framed],
        [message.key() or b"" for message in messages],
        np.array([message.offset() for message in messages], np.int64),
    )


def _consume_c(consumer: Consumer, most: int, timeout_s: float) -> Consumed:
    import stoculus.kafka._consume as extension

    headers, bodies, keys, offsets, position, code, text = extension.consume(consumer, most, round(timeout_s * 1000))
    runs: Any = list(zip(headers[::2], headers[1::2], strict=True))
    values = Values(runs, bodies, keys, np.frombuffer(offsets, np.int64))
    return Consumed(values, None if position < 0 else position, KafkaError(code, text) if code else None)
