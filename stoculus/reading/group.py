"""Consumer groups: any number of them read the same topics, each everything; members of one share its topics."""

import sys
from collections.abc import Generator, Sequence

import pyarrow as pa
from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition

from stoculus.kafka.admin import broker_error
from stoculus.reading.decoding import Decoder
from stoculus.reading.partition import BATCH_MESSAGES, POLL_S, consumer_config, offset_of, reading_error

_Place = tuple[str, int]


def read_group(
    bootstrap: str,
    decoder: Decoder,
    group: str,
    topics: Sequence[str],
    *,
    until_end: bool = False,
    limit: int | None = None,
) -> Generator[tuple[str, pa.RecordBatch]]:
    """Join a group and yield topic and records as they come, from where the group stands (at first: the beginning).

    A batch counts as done when the next one is asked for: then its offsets are committed. What a member had in hand
    when it died is read again by another, so make the work on a batch repeatable. With `until_end` it ends when all
    partitions that this member was given are read to their ends; a member that was given none ends at once. It
    also ends after `limit` records.
    Raise NotFound for a topic that does not exist, BrokerUnavailable when the group has put this member out.
    """
    member = _Member(bootstrap, group, topics)
    try:
        left = sys.maxsize if limit is None else limit
        while left > 0 and not (until_end and member.is_done()):
            for (topic, partition), messages in member.poll(min(left, BATCH_MESSAGES)).items():
                left -= len(messages)
                yield topic, decoder.decode([message.value() for message in messages])
                member.commit(topic, partition, offset_of(messages[-1]) + 1)
    finally:
        member.close()


class _Member:
    def __init__(self, bootstrap: str, group: str, topics: Sequence[str]) -> None:
        # The default strategy gives the first partition of every topic to the same member; these topics have only one.
        spread = {"partition.assignment.strategy": "roundrobin", "auto.offset.reset": "earliest"}
        self._group = group
        self._consumer = Consumer(consumer_config(bootstrap, group) | spread)
        self._joined = False
        self._unread: set[_Place] = set()
        self._consumer.subscribe(list(topics), on_assign=self._assigned)

    def _assigned(self, _consumer: Consumer, partitions: list[TopicPartition]) -> None:
        self._joined = True
        self._unread = {(each.topic, each.partition) for each in partitions}

    def is_done(self) -> bool:
        return self._joined and not self._unread

    def poll(self, count: int) -> dict[_Place, list[Message]]:
        """The messages that have come, by topic and partition."""
        found: dict[_Place, list[Message]] = {}
        for event in self._consumer.consume(count, POLL_S):
            place = (event.topic() or "", event.partition() or 0)
            if (error := event.error()) is None:
                found.setdefault(place, []).append(event)
                self._unread.add(place)
            elif error.code() == KafkaError._PARTITION_EOF:
                self._unread.discard(place)
            elif not error.retriable():
                raise reading_error(error, place[0])
        return found

    def commit(self, topic: str, partition: int, offset: int) -> None:
        try:
            self._consumer.commit(offsets=[TopicPartition(topic, partition, offset)], asynchronous=False)
        except KafkaException as error:
            raise broker_error(error, f"committing offsets of group {self._group}") from error

    def close(self) -> None:
        self._consumer.close()
