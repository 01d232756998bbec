"""The ends of a topic of one partition: where its records begin and end."""

from dataclasses import dataclass

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition

from stoculus.connections import Kafka
from stoculus.errors import TopicLost
from stoculus.kafka.admin import NO_TOPIC, QUIET, REQUEST_TIMEOUT_S, broker_error, check_rights


@dataclass(frozen=True, slots=True)
class Ends:
    """First offset, and the offset behind the last entry (transaction markers are entries)."""

    low: int
    high: int


def reader(kafka: Kafka, isolation: str = "read_committed", end_wait_ms: int = 10) -> Consumer:
    """A consumer for looking at single partitions: no group, tells their ends, at the latest after `end_wait_ms`."""
    return Consumer(
        {
            **QUIET,
            **kafka.config,
            "group.id": "stoculus-unused",
            "enable.auto.commit": False,
            "enable.partition.eof": True,
            "fetch.queue.backoff.ms": 10,
            # The end of a partition is told by an empty answer, which the broker holds back so long.
            "fetch.wait.max.ms": end_wait_ms,
            "isolation.level": isolation,
        }
    )


def partition_ends(kafka: Kafka, topic: str, partitions: list[int]) -> dict[int, Ends]:
    """The ends of partitions, records of open transactions included; raise TopicLost where there is no such topic."""
    # To a consumer of committed records the broker tells the last stable offset instead.
    consumer = reader(kafka, "read_uncommitted")
    try:
        return {
            partition: Ends(*consumer.get_watermark_offsets(TopicPartition(topic, partition), REQUEST_TIMEOUT_S))
            for partition in partitions
        }
    except KafkaException as error:
        if error.args[0].code() in NO_TOPIC:
            check_rights(consumer, topic)
            raise TopicLost(
                f"Topic {topic} does not exist.", remedy="Was it deleted? Submit a new backtest."
            ) from error
        raise broker_error(error, f"reading the ends of {topic}") from error
    finally:
        consumer.close()


def topic_ends(kafka: Kafka, topic: str) -> Ends:
    """The ends of a topic of one partition; raise TopicLost where there is no such topic."""
    return partition_ends(kafka, topic, [0])[0]


def last_record_offset(kafka: Kafka, topic: str) -> int | None:
    """The offset of the last committed record of a topic of one partition, None where there is none.

    For a topic that nobody writes to: it waits until transactions that are being ended have ended. Markers and
    aborted records stand behind the record: it looks further and further back.
    """
    ends = topic_ends(kafka, topic)
    consumer = reader(kafka)
    try:
        # Before `assign`: a topic that the client does not know yet costs half a second there.
        consumer.list_topics(topic, REQUEST_TIMEOUT_S)
        start, span = ends.high, 4
        while start > ends.low:
            stop, start = start, max(ends.low, ends.high - span)
            found = _last_in(consumer, topic, start, stop)
            if found is not None:
                return found
            span *= 16
        return None
    except KafkaException as error:
        raise broker_error(error, f"reading the end of {topic}") from error
    finally:
        consumer.close()


def _last_in(consumer: Consumer, topic: str, start: int, stop: int) -> int | None:
    consumer.assign([TopicPartition(topic, 0, start)])
    last = None
    while True:
        for message in consumer.consume(1000, 0.02):
            error, offset = message.error(), message.offset()
            if error is not None and error.code() != KafkaError._PARTITION_EOF:
                if not error.retriable():
                    raise broker_error(KafkaException(error), f"reading the end of {topic}")
            # Right after a commit the end that can be read may lie before it: the marker is written a moment later.
            elif (offset or 0) >= stop:
                return last
            elif error is None:
                last = offset
