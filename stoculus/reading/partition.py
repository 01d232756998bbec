"""The committed messages of a topic's only partition, between two offsets."""

import sys
from collections.abc import Callable, Iterator, Sized
from contextlib import closing
from typing import Any, Final, Self, TypeVar

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition

from stoculus.connections import Kafka
from stoculus.errors import BrokerUnavailable, NotFound, StoculusError, TopicLost
from stoculus.kafka.admin import NO_TOPIC, REQUEST_TIMEOUT_S, broker_error, check_rights
from stoculus.kafka.consume import HAS_EXTENSION, Consumed, Values, consume, consume_messages

BATCH_MESSAGES: Final = 10_000
# `consume` waits for all it was asked for or the whole time-out: a long one is paid at every end of a topic.
POLL_S: Final = 0.02
_SILENT_POLLS: Final = int(REQUEST_TIMEOUT_S / POLL_S)
_Polled = TypeVar("_Polled", bound=Sized)
_GONE: Final = {KafkaError._AUTO_OFFSET_RESET, KafkaError.OFFSET_OUT_OF_RANGE}


def consumer_config(kafka: Kafka, group: str = "stoculus-unused") -> dict[str, Any]:
    """What all readers have in common: committed records only, nothing committed or skipped by itself."""
    return {
        **kafka.config,
        "group.id": group,
        "enable.auto.commit": False,
        "isolation.level": "read_committed",
        "enable.partition.eof": True,
        "auto.offset.reset": "error",
        "fetch.queue.backoff.ms": 5,
        "log_level": 2,  # errors are raised; a log line for each refused connection says no more
    }


def reading_error(error: KafkaError, topic: str) -> StoculusError:
    """The error of the suite's tree for an error of reading a topic."""
    if error.code() in NO_TOPIC:
        return NotFound(f"There is no topic {topic}.", remedy="`stoculus topics` lists what there is.")
    if error.code() in _GONE:
        return TopicLost(f"Records of {topic} that were to be read are gone: {error.str()}.", remedy="Read it anew.")
    return broker_error(KafkaException(error), f"reading {topic}")


def offset_of(message: Message) -> int:
    """The offset of a message that came from the broker."""
    return message.offset() or 0


class PartitionReader:
    """Reads partition 0 of a topic. `first` and `end` are its offsets when it was opened.

    `end` is the last stable offset: what open transactions hide is not waited for. Offsets have holes, where markers
    of transactions and aborted records are.
    """

    def __init__(
        self,
        kafka: Kafka,
        topic: str,
        *,
        prefetch_messages: int = 100_000,
        fetch_bytes: int = 1 << 20,
        fetch_wait_ms: int = 10,
        use_extension: bool = HAS_EXTENSION,
    ) -> None:
        self._topic = topic
        self._use_extension = use_extension
        fetching = {
            "queued.min.messages": max(1, min(prefetch_messages, 100_000)),
            "fetch.message.max.bytes": fetch_bytes,
            "fetch.wait.max.ms": fetch_wait_ms,  # the end of a partition is told by an answer without records
        }
        self._consumer = Consumer(consumer_config(kafka) | fetching)
        try:
            self.first, self.end = self._consumer.get_watermark_offsets(
                TopicPartition(topic, 0), timeout=REQUEST_TIMEOUT_S
            )
        except KafkaException as error:
            with closing(self._consumer):
                if error.args[0].code() in NO_TOPIC:
                    check_rights(self._consumer, topic)
            raise reading_error(error.args[0], topic) from error
        self.position = self.first

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._consumer.close()

    def read(self, start: int, *, limit: int | None = None) -> Iterator[list[Message]]:
        """Yield the messages from offset `start` to `end`, at most `limit`; `position` is where to go on."""
        for messages in self._until_end(start, limit, self._poll):
            if inside := [message for message in messages if offset_of(message) < self.end]:
                yield inside

    def read_values(self, start: int, *, limit: int | None = None) -> Iterator[Values]:
        """The same as values: many times as fast."""
        for values in self._until_end(start, limit, self.poll_values):
            if len(inside := values.before(self.end)):
                yield inside

    def follow_values(self, start: int, *, limit: int | None = None) -> Iterator[Values]:
        """Yield the values from offset `start` on, also those that are written meanwhile; it ends only at `limit`."""
        left = sys.maxsize if limit is None else limit
        self.seek(start)
        while left > 0:
            values = self.poll_values(min(left, BATCH_MESSAGES))
            left -= len(values)
            if len(values):
                yield values

    def _until_end(self, start: int, limit: int | None, poll: Callable[[int], _Polled]) -> Iterator[_Polled]:
        left = sys.maxsize if limit is None else limit
        self.seek(start)
        silent_polls = 0
        while left > 0 and self.position < self.end:
            before = self.position
            polled = poll(min(left, BATCH_MESSAGES))
            silent_polls = silent_polls + 1 if self.position == before else 0
            self.position = min(self.position, self.end)  # what was written since is not asked for
            left -= len(polled)
            yield polled
            if silent_polls > _SILENT_POLLS:
                raise BrokerUnavailable(
                    f"Kafka sent nothing of {self._topic} for {REQUEST_TIMEOUT_S} s.",
                    remedy="Start the broker, then read again.",
                )

    def seek(self, offset: int) -> None:
        """Read on from this offset."""
        self.position = offset
        self._consumer.assign([TopicPartition(self._topic, 0, offset)])

    def check(self) -> None:
        """Raise BrokerUnavailable where the broker does not answer within 15 s."""
        check_rights(self._consumer, self._topic)

    def _poll(self, count: int) -> list[Message]:
        return self._accept(consume_messages(self._consumer, count, POLL_S))

    def poll_values(self, count: int) -> Values:
        """What has come; it waits for all of `count`, at longest 20 ms."""
        return self._accept(consume(self._consumer, count, POLL_S, use_extension=self._use_extension))

    def _accept(self, consumed: Consumed[_Polled]) -> _Polled:
        if consumed.error is not None:
            raise reading_error(consumed.error, self._topic)
        if consumed.position is not None:
            self.position = consumed.position
        return consumed.records
