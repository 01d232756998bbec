"""Reading a compacted topic: the newest value of each key, and what comes after."""

from collections.abc import Iterator
from typing import Final

from confluent_kafka import OFFSET_BEGINNING, KafkaError, KafkaException, Message, TopicPartition

from stoculus.connections import Kafka
from stoculus.errors import StoculusError
from stoculus.kafka.admin import REQUEST_TIMEOUT_S, broker_error, is_refused
from stoculus.kafka.ends import partition_ends, reader

_POLL_MESSAGES: Final = 1000


class CompactedLog:
    """A reader of a compacted topic from the beginning, all partitions or the given ones, committed records only.

    `end_wait_ms`: how late the end of a partition may be told; more of it spares the broker of a long reader.
    `ends`: the end of each partition when the log was opened, uncommitted records included.
    """

    def __init__(self, kafka: Kafka, topic: str, partitions: list[int] | None = None, *, end_wait_ms: int = 10) -> None:
        self._topic = topic
        self._consumer = reader(kafka, end_wait_ms=end_wait_ms)
        try:
            # Before `assign`: a topic that the client does not know yet costs half a second there.
            metadata = self._consumer.list_topics(topic, REQUEST_TIMEOUT_S).topics[topic]
            if metadata.error is not None and is_refused(metadata.error):
                raise KafkaException(metadata.error)
            partitions = sorted(metadata.partitions) if partitions is None else partitions
            self.ends = {p: each.high for p, each in partition_ends(kafka, topic, partitions).items()}
            self._reached = dict.fromkeys(partitions, 0)
            self._at_end: set[int] = set()
            self._consumer.assign([TopicPartition(topic, p, OFFSET_BEGINNING) for p in partitions])
        except KafkaException as error:
            self._consumer.close()
            raise broker_error(error, f"opening {topic}") from error
        except StoculusError:
            self._consumer.close()
            raise

    def poll(self, timeout_s: float) -> Iterator[tuple[str, bytes | None]]:
        """Key and value (None: deleted) of what has arrived within the time-out. It may yield nothing."""
        for message in self._consume(timeout_s):
            yield (message.key() or b"").decode(), message.value()

    def read_past_ends(self, timeout_s: float = 0.02) -> Iterator[tuple[str, bytes | None]]:
        """Yield all that stood there when the log was opened, waiting for open transactions before it to end.

        A plain read to the end of the partition would stop at the last stable offset and miss what stands behind it.
        """
        while any(self._reached[partition] < end for partition, end in self.ends.items()):
            yield from self.poll(timeout_s)

    def read_to_end(self, timeout_s: float = 0.02) -> Iterator[tuple[str, bytes | None]]:
        """Yield all that is readable now: up to the first open transaction of each partition."""
        while len(self._at_end) < len(self._reached):
            yield from self.poll(timeout_s)

    def close(self) -> None:
        self._consumer.close()

    def _consume(self, timeout_s: float) -> list[Message]:
        records = []
        for message in self._consumer.consume(_POLL_MESSAGES, timeout_s):
            error, partition, offset = message.error(), message.partition(), message.offset()
            # Transaction markers take offsets but are no messages: only the end-of-partition event tells of them.
            if error is None:
                records.append(message)
                self._reached[partition or 0] = (offset or 0) + 1
            elif error.code() == KafkaError._PARTITION_EOF:
                self._reached[partition or 0] = offset or 0
                self._at_end.add(partition or 0)
            elif not error.retriable():
                raise broker_error(KafkaException(error), f"reading {self._topic}")
        return records
