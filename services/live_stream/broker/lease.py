"""The lease: one instance writes. Who holds the only partition of the events' topic in the group holds it."""

import logging
import threading
from typing import Final, Self

from confluent_kafka import Consumer, KafkaException, TopicPartition

from stoculus.connections import Kafka
from stoculus.kafka.admin import QUIET, broker_error, is_refused
from stoculus.topics import STREAM_EVENTS

GROUP: Final = "stoculus.live-stream"
SESSION_TIMEOUT_MS: Final = 6_000
"""So long after an instance was killed another one may write."""
_POLL_S: Final = 0.1
log = logging.getLogger(__name__)


class Lease:
    """Membership in the group. `poll` it often; `held` is what the broker said last."""

    def __init__(self, kafka: Kafka) -> None:
        self.held = False
        self._consumer = Consumer(
            {
                **QUIET,
                **kafka.config,
                "group.id": GROUP,
                "enable.auto.commit": False,
                "auto.offset.reset": "latest",
                # Who has it keeps it when another instance joins.
                "partition.assignment.strategy": "cooperative-sticky",
                "session.timeout.ms": SESSION_TIMEOUT_MS,
                "heartbeat.interval.ms": 1_000,
            }
        )
        try:
            self._consumer.subscribe(
                [STREAM_EVENTS], on_assign=self._assigned, on_revoke=self._revoked, on_lost=self._revoked
            )
        except KafkaException as error:
            self._consumer.close()
            raise broker_error(error, "asking for the lease") from error

    def acquire(self, stop: threading.Event) -> bool:
        """Wait for the lease; whether it is held. False: `stop` was set."""
        while not (self.held or stop.is_set()):
            self.poll(_POLL_S)
        return self.held

    def poll(self, timeout_s: float = 0.0) -> None:
        """Take the broker's word; raise BrokerRefused where it refuses it for good.

        The records of the partition are of no interest, it is paused.
        """
        message = self._consumer.poll(timeout_s)
        if message is not None and (error := message.error()) is not None and is_refused(error):
            raise broker_error(KafkaException(error), "asking for the lease")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.held = False
        self._consumer.close()

    def _assigned(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        if partitions:
            consumer.incremental_assign(partitions)
            consumer.pause(partitions)
            self.held = True
            log.info("This instance holds the lease of %s", GROUP)

    def _revoked(self, _: Consumer, partitions: list[TopicPartition]) -> None:
        if partitions:
            self.held = False
            log.warning("This instance has lost the lease of %s", GROUP)
