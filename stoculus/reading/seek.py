"""Where a market time stands on a topic."""

from typing import Final

from stoculus.connections import Kafka
from stoculus.reading.partition import PartitionReader, offset_of

# A probe wants one record; the broker sends at least one whole batch of the writer.
_PROBE_BYTES: Final = 1024


def offset_at(kafka: Kafka, topic: str, ts_us: int) -> int:
    """The offset of the first committed record at or after a time (microseconds since the epoch); the end if none is.

    Records are compared by their Kafka time, which is the event time in milliseconds, the vendor's resolution. A binary
    search over offsets: the broker's own search by time finds the wall clock of transaction markers. The topic must be
    in time order. Raise NotFound, BrokerUnavailable.
    """
    at_ms = -(-ts_us // 1000)
    with PartitionReader(kafka, topic, prefetch_messages=1, fetch_bytes=_PROBE_BYTES) as reader:
        low, high = reader.first, reader.end
        found = reader.end
        while low < high:
            middle = (low + high) // 2
            message = next((m for messages in reader.read(middle, limit=1) for m in messages), None)
            if message is None or offset_of(message) >= high:
                high = middle  # holes only
            elif message.timestamp()[1] >= at_ms:
                high, found = middle, offset_of(message)
            else:
                low = offset_of(message) + 1
        return found
