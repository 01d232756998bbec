"""What the coordinator does at the broker. Blocking: call it in a thread."""

from collections.abc import Iterable, Mapping
from typing import Final

from confluent_kafka import KafkaError, KafkaException, Message, Producer, TopicPartition

from stoculus import topics
from stoculus.connections import Kafka
from stoculus.errors import BrokerUnavailable
from stoculus.kafka import admin
from stoculus.kafka.checkpoints import partition_of
from stoculus.kafka.ends import reader

QUICK_S: Final = 2
"""How long a broker may take to show that it is there: a request must not wait longer to be refused."""
TOPICS_AT_ONCE: Final = 100
"""A request for more may take longer than the broker is waited for."""
_LONGEST_MANIFEST_BYTES: Final = 8 << 20


class Broker:
    """One admin client and one idempotent producer, kept warm. Raises BrokerUnavailable and BrokerRefused."""

    def __init__(self, kafka: Kafka) -> None:
        self._kafka = kafka
        self._admin = admin.connect(kafka)
        self._producer = self._connect()

    def _connect(self) -> Producer:
        return Producer(
            {
                **self._kafka.config,
                "enable.idempotence": True,
                "linger.ms": 0,
                # A manifest holds its whole request: a broker takes 1 MiB, as it is sent.
                "message.max.bytes": _LONGEST_MANIFEST_BYTES,
                "compression.type": "zstd",
                "message.timeout.ms": 10_000,
                "log_level": 2,
            }
        )

    def check(self) -> None:
        """Raise BrokerUnavailable at once where a later request would hang."""
        self._metadata(topics.CHECKPOINTS)

    def partition_counts(self) -> dict[str, int]:
        """Every topic of the broker with its number of partitions."""
        return self._metadata(None)

    def create(self, names: Iterable[str], config: dict[str, str] = admin.DATA_CONFIG) -> None:
        """Create topics for records; those that exist stay as they are."""
        self.check()
        wanted = list(names)
        for start in range(0, len(wanted), TOPICS_AT_ONCE):
            admin.create_topics(self._admin, wanted[start : start + TOPICS_AT_ONCE], config)

    def delete(self, names: Iterable[str]) -> None:
        """Delete topics; those that are gone are fine."""
        self.check()
        admin.delete_topics(self._admin, names)

    def write_manifests(self, values: Mapping[str, bytes | None]) -> None:
        """Write manifests by backtest id; None deletes. Return when all are on the broker."""
        self._write(topics.BACKTESTS, {key: (value, 0) for key, value in values.items()})

    def forget_checkpoints(self, task_ids: Iterable[str]) -> None:
        """Write tombstones for tasks, each on the partition of its checkpoints."""
        self._write(topics.CHECKPOINTS, {task_id: (None, partition_of(task_id)) for task_id in task_ids})

    def holding_records(self, names: Iterable[str]) -> set[str]:
        """Which of these topics, which exist and have one partition, hold records."""
        consumer = reader(self._kafka, "read_uncommitted")
        try:
            ends = {name: consumer.get_watermark_offsets(TopicPartition(name, 0), QUICK_S) for name in names}
        except KafkaException as error:
            raise admin.broker_error(error, "asking for offsets") from error
        finally:
            consumer.close()
        return {name for name, (low, high) in ends.items() if high > low}

    def _write(self, topic: str, values: Mapping[str, tuple[bytes | None, int]]) -> None:
        if not values:
            return
        self.check()
        failed: list[KafkaError | str] = []

        def note(error: KafkaError | None, _: Message) -> None:
            if error:
                failed.append(error)

        try:
            for key, (value, partition) in values.items():
                self._producer.produce(topic, value, key, partition, note)
            if self._producer.flush(QUICK_S * 2):
                failed.append("no answer")
        except (KafkaException, BufferError, SystemError) as error:
            # A fatal error is raised into whatever callback runs, which fails by it.
            cause = error.__cause__ if isinstance(error, SystemError) else error
            failed.append(cause.args[0] if isinstance(cause, KafkaException) else str(error))
        if failed:
            # An idempotent producer may have failed for good: the next write gets a new one.
            self._producer = self._connect()
            refusals = [each for each in failed if isinstance(each, KafkaError) and admin.is_refused(each)]
            if refusals:
                raise admin.broker_error(KafkaException(refusals[0]), f"writing to {topic}")
            first = failed[0].str() if isinstance(failed[0], KafkaError) else failed[0]
            raise BrokerUnavailable(
                f"Kafka did not take what was written to {topic}: {first}.",
                remedy="Start the broker; work goes on by itself.",
            )

    def _metadata(self, topic: str | None) -> dict[str, int]:
        try:
            metadata = (
                self._admin.list_topics(topic, timeout=QUICK_S) if topic else self._admin.list_topics(timeout=QUICK_S)
            )
        except KafkaException as error:
            raise admin.broker_error(error, "asking for its topics") from error
        return {name: len(found.partitions) for name, found in metadata.topics.items()}
