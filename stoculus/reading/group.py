"""Consumer groups: any number of them read the same topics, each everything; members of one share its topics."""

import sys
from collections.abc import Iterator, Sequence
from typing import Final

import pyarrow as pa
from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition

from stoculus.connections import Kafka
from stoculus.kafka.admin import broker_error
from stoculus.kafka.consume import values_of
from stoculus.kafka.reachable import reachable_kafka
from stoculus.reading.decoding import Decoder
from stoculus.reading.partition import BATCH_MESSAGES, POLL_S, consumer_config, offset_of, reading_error
from stoculus.reading.reader import Reader
from stoculus.settings import Connections

_Place = tuple[str, int]
_PUT_OUT: Final = frozenset(
    {KafkaError.ILLEGAL_GENERATION, KafkaError.UNKNOWN_MEMBER_ID, KafkaError.REBALANCE_IN_PROGRESS, KafkaError._STATE}
)
"""The group has gone on without this member: it joins again, and others have what it had."""


class Subscription(Reader):
    """A member of a group: an iterator of record batches as they come, from where the group stands.

    A new group stands at the beginning. `topic_of` says which topic a batch is of. A batch counts as done when the next
    one is asked for: then its offsets are committed. What a member had in hand when it died, or when the group went on
    without it, is read again by another: make the work on a batch repeatable. Members may come and go.
    With `until_end` it ends when all topics that this member was given are read to their ends; a member that was
    given none ends at once. It also ends after `limit` records. A broker that goes away is waited for.
    Iterating raises NotFound for a topic that does not exist, BrokerUnavailable, RegistryUnavailable,
    SchemaNotRegistered (with topic and offset; that record is not committed).
    """

    def __init__(
        self,
        settings: Connections,
        topics: Sequence[str],
        group: str,
        *,
        until_end: bool = False,
        limit: int | None = None,
    ) -> None:
        super().__init__()
        self._decoder = Decoder(settings.registry)
        self._until_end = until_end
        self._left = sys.maxsize if limit is None else limit
        self._member = _Member(settings.kafka, group, topics)
        self._held.callback(self._member.close)
        self._batches = self._tracked(self._read())

    def __iter__(self) -> Iterator[pa.RecordBatch]:
        return self._batches

    def __next__(self) -> pa.RecordBatch:
        return next(self._batches)

    def _read(self) -> Iterator[pa.RecordBatch]:
        member = self._member
        while self._left > 0 and not (self._until_end and member.is_done()):
            for (topic, partition), messages in member.poll(min(self._left, BATCH_MESSAGES)).items():
                self._left -= len(messages)
                batch = self._decoder.decode_values(values_of(messages), topic=topic)
                yield batch.replace_schema_metadata({"topic": topic})
                member.commit(topic, partition, offset_of(messages[-1]) + 1)


class _Member:
    def __init__(self, kafka: Kafka, group: str, topics: Sequence[str]) -> None:
        # The default strategy gives the first partition of every topic to the same member; these topics have only one.
        spread = {"partition.assignment.strategy": "roundrobin", "auto.offset.reset": "earliest"}
        self._group = group
        self._consumer = Consumer(consumer_config(reachable_kafka(kafka), group) | spread)
        self._joined = False
        self._ours: set[_Place] = set()
        self._unread: set[_Place] = set()
        self._consumer.subscribe(list(topics), on_assign=self._assigned, on_revoke=self._revoked, on_lost=self._revoked)

    def _assigned(self, _consumer: Consumer, partitions: list[TopicPartition]) -> None:
        self._joined = True
        self._ours = {(each.topic, each.partition) for each in partitions}
        self._unread = set(self._ours)

    def _revoked(self, _consumer: Consumer, _partitions: list[TopicPartition]) -> None:
        self._joined = False
        self._ours = set()

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
            elif error.code() != KafkaError._MAX_POLL_EXCEEDED and not error.retriable():
                raise reading_error(error, place[0])
        # While messages were collected the topics may have been shared anew: others read what is no longer ours.
        return {place: messages for place, messages in found.items() if place in self._ours}

    def commit(self, topic: str, partition: int, offset: int) -> None:
        if (topic, partition) not in self._ours:
            return
        try:
            self._consumer.commit(offsets=[TopicPartition(topic, partition, offset)], asynchronous=False)
        except KafkaException as error:
            if error.args[0].code() not in _PUT_OUT:
                raise broker_error(error, f"committing offsets of group {self._group}") from error

    def close(self) -> None:
        self._consumer.close()
