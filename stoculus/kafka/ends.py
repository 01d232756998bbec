"""The ends of a topic of one partition: where its records begin and end."""

from dataclasses import dataclass

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition

from stoculus.errors import TopicLost
from stoculus.kafka.admin import REQUEST_TIMEOUT_S, broker_error


@dataclass(frozen=True, slots=True)
class Ends:
    """First offset, and the offset behind the last entry (transaction markers are entries)."""

    low: int
    high: int


def reader(bootstrap: str) -> Consumer:
    """A consumer for looking at single partitions: no group, committed records only, tells the end of a partition."""
    return Consumer(
        {
            "bootstrap.servers": bootstrap,
            "group.id": "stoculus-unused",
            "enable.auto.commit": False,
            "enable.partition.eof": True,
            "fetch.queue.backoff.ms": 10,
            # The end of a partition is told by an empty answer: half a second late by default.
            "fetch.wait.max.ms": 10,
            "isolation.level": "read_committed",
        }
    )


def topic_ends(consumer: Consumer, topic: str) -> Ends:
    """The ends of the topic's partition; raise TopicLost where there is no such topic."""
    try:
        low, high = consumer.get_watermark_offsets(TopicPartition(topic, 0), timeout=REQUEST_TIMEOUT_S)
    except KafkaException as error:
        if error.args[0].code() in (KafkaError._UNKNOWN_PARTITION, KafkaError.UNKNOWN_TOPIC_OR_PART):
            raise TopicLost(
                f"Topic {topic} does not exist.", remedy="Was it deleted? Submit a new backtest."
            ) from error
        raise broker_error(error, f"reading the ends of {topic}") from error
    return Ends(low, high)


def last_record_offset(consumer: Consumer, topic: str) -> int | None:
    """The offset of the last committed record, None where there is none.

    Markers and aborted records stand behind it: look further and further back.
    """
    ends = topic_ends(consumer, topic)
    start, span = ends.high, 4
    while start > ends.low:
        stop, start = start, max(ends.low, ends.high - span)
        found = _last_in(consumer, topic, start, stop)
        if found is not None:
            return found
        span *= 16
    return None


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
