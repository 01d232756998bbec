"""Create, describe and delete topics."""

import time
from collections import deque
from collections.abc import Iterable
from typing import Any, Final

from confluent_kafka import Consumer, KafkaError, KafkaException
from confluent_kafka.admin import AdminClient
from confluent_kafka.admin._metadata import ClusterMetadata
from confluent_kafka.cimpl import NewTopic

from stoculus import topics
from stoculus.connections import Kafka
from stoculus.errors import BrokerRefused, BrokerUnavailable, StoculusError

REQUEST_TIMEOUT_S: Final = 15
_KNOWN_CHECKS: Final = 200
_KNOWN_CHECK_S: Final = 0.05
_FIRST_LOOK_S: Final = 0.25
_TOLD: Final = 20

QUIET: Final = {"log_level": 2}
"""librdkafka writes a line to stderr for each refused connection; what matters comes as an error."""

NO_TOPIC: Final = frozenset(
    {KafkaError.UNKNOWN_TOPIC_OR_PART, KafkaError._UNKNOWN_TOPIC, KafkaError._UNKNOWN_PARTITION}
)
"""The codes by which broker and client say that there is no such topic."""

_LOGIN: Final = "Set STOCULUS_KAFKA_SASL_USERNAME, its password and mechanism as the broker knows them."
_TLS: Final = "Set STOCULUS_KAFKA_CA_FILE to who signed the broker's certificate, and call the broker as it does."
_RIGHTS: Final = "Give this user the rights that docs/security.md lists, then retry."
_SETTINGS: Final = "Change the broker's settings, then retry."

_NO_ENTRY: Final = {
    KafkaError._AUTHENTICATION: _LOGIN,
    KafkaError.SASL_AUTHENTICATION_FAILED: _LOGIN,
    KafkaError.UNSUPPORTED_SASL_MECHANISM: _LOGIN,
    KafkaError.ILLEGAL_SASL_STATE: _LOGIN,
    KafkaError._SSL: _TLS,
}
"""The codes by which client and broker say that one does not trust the other, and what to do."""

_REFUSED: Final = _NO_ENTRY | {
    KafkaError.TOPIC_AUTHORIZATION_FAILED: _RIGHTS,
    KafkaError.GROUP_AUTHORIZATION_FAILED: _RIGHTS,
    KafkaError.CLUSTER_AUTHORIZATION_FAILED: _RIGHTS,
    KafkaError.TRANSACTIONAL_ID_AUTHORIZATION_FAILED: _RIGHTS,
    KafkaError.POLICY_VIOLATION: _SETTINGS,
    KafkaError.INVALID_CONFIG: _SETTINGS,
    KafkaError.MSG_SIZE_TOO_LARGE: _SETTINGS,
}

NEVER_ROLL_MS: Final = 2**63 - 1

DATA_CONFIG: Final = {"retention.ms": "-1", "segment.ms": str(NEVER_ROLL_MS)}
"""Records of history, and of a day that is played again, are old by nature: time must neither delete them nor roll a
segment a day."""

CONTROL_TOPICS: Final[dict[str, tuple[int, dict[str, str]]]] = {
    # Small segments: the active one is never compacted, and a runner that starts reads its whole partition.
    topics.CHECKPOINTS: (8, {"cleanup.policy": "compact", "segment.bytes": str(16 * 2**20)}),
    topics.BACKTESTS: (1, {"cleanup.policy": "compact"}),
    topics.WATERMARKS: (1, {"cleanup.policy": "compact", "segment.bytes": str(16 * 2**20)}),
    # One partition: who holds it in the group of the live service may write.
    topics.STREAM_EVENTS: (1, {"retention.ms": "-1"}),
}
"""Partitions and settings of the control topics."""


class Admin(AdminClient):
    """An admin client that tells at once when a broker does not let it in: librdkafka waits for one that does."""

    def __init__(self, kafka: Kafka) -> None:
        self._is_plain = kafka.is_plain
        # Not a method of this object: the client would keep itself alive.
        self._told: deque[KafkaError] = deque(maxlen=_TOLD)
        config: dict[str, Any] = {**QUIET, **kafka.config, "socket.timeout.ms": REQUEST_TIMEOUT_S * 1000}
        if not self._is_plain:
            config["error_cb"] = self._told.append
        super().__init__(config)

    def list_topics(self, topic: str | None = None, timeout: float = REQUEST_TIMEOUT_S) -> ClusterMetadata:
        """As that of AdminClient. The first request of most work: it connects."""
        if self._is_plain:
            return super().list_topics(topic, timeout)
        self.poll(0)
        self._told.clear()
        deadline, wait_s = time.monotonic() + timeout, _FIRST_LOOK_S
        while True:
            try:
                return super().list_topics(topic, min(wait_s, max(deadline - time.monotonic(), _FIRST_LOOK_S)))
            except KafkaException:
                self.poll(0)
                if refusal := next((told for told in self._told if told.code() in _NO_ENTRY), None):
                    raise KafkaException(refusal) from None
                if time.monotonic() >= deadline:
                    raise
            # Longer each time, so that a slow broker gets its answer through.
            wait_s *= 2


def connect(kafka: Kafka) -> Admin:
    """An admin client; it connects at its first request."""
    return Admin(kafka)


def check(admin: AdminClient, timeout_s: float = REQUEST_TIMEOUT_S) -> None:
    """Raise BrokerUnavailable where no broker answers, BrokerRefused where it does not let us in."""
    try:
        admin.list_topics(topics.CHECKPOINTS, timeout=timeout_s)
    except KafkaException as error:
        raise broker_error(error, "connecting") from error


def create_topics(admin: AdminClient, names: Iterable[str], config: dict[str, str], partitions: int = 1) -> None:
    """Create topics with the broker's default replication; those that exist stay as they are."""
    wanted = [NewTopic(name, num_partitions=partitions, replication_factor=-1, config=config) for name in names]
    if not wanted:
        return
    try:
        futures = admin.create_topics(wanted, request_timeout=REQUEST_TIMEOUT_S)
        for name, future in futures.items():
            _settle(name, future.result, KafkaError.TOPIC_ALREADY_EXISTS)
    except KafkaException as error:
        raise broker_error(error, "creating topics") from error


def create_control_topics(admin: AdminClient) -> None:
    """Create the topics of CONTROL_TOPICS where they are missing; return when they are known.

    What the controller has decided, a broker knows a moment later.
    """
    there = partition_counts(admin)
    for name, (partitions, config) in CONTROL_TOPICS.items():
        if name not in there:
            create_topics(admin, [name], config, partitions)
    for _ in range(_KNOWN_CHECKS):
        if CONTROL_TOPICS.keys() <= partition_counts(admin).keys():
            return
        time.sleep(_KNOWN_CHECK_S)
    raise BrokerUnavailable("Kafka has created the control topics and does not list them.", remedy="See its log.")


def delete_topics(admin: AdminClient, names: Iterable[str]) -> None:
    """Delete topics; those that are gone already are fine."""
    if not (listed := list(names)):
        return
    try:
        futures = admin.delete_topics(listed, request_timeout=REQUEST_TIMEOUT_S)
        for name, future in futures.items():
            _settle(name, future.result, KafkaError.UNKNOWN_TOPIC_OR_PART)
    except KafkaException as error:
        raise broker_error(error, "deleting topics") from error


def partition_counts(admin: AdminClient) -> dict[str, int]:
    """Every topic of the broker with its number of partitions."""
    try:
        metadata = admin.list_topics(timeout=REQUEST_TIMEOUT_S)
    except KafkaException as error:
        raise broker_error(error, "listing topics") from error
    return {name: len(topic.partitions) for name, topic in metadata.topics.items()}


def is_refused(error: KafkaError) -> bool:
    """Whether the broker will say the same again."""
    return error.code() in _REFUSED


def check_rights(consumer: Consumer, topic: str) -> None:
    """Raise BrokerRefused where this user may not see a topic: librdkafka calls such a topic unknown."""
    try:
        error = consumer.list_topics(topic, REQUEST_TIMEOUT_S).topics[topic].error
    except KafkaException as failed:
        raise broker_error(failed, f"looking for {topic}") from failed
    if error is not None and is_refused(error):
        raise broker_error(KafkaException(error), f"looking for {topic}")


def broker_error(error: KafkaException, doing: str) -> StoculusError:
    """The error of the suite's tree for an error of the broker."""
    kafka_error: KafkaError = error.args[0]
    text = f"Kafka failed while {doing}: {kafka_error.str()}."
    if kafka_error.code() in _REFUSED:
        return BrokerRefused(text, remedy=_REFUSED[kafka_error.code()])
    return BrokerUnavailable(text, remedy="Start the broker; work goes on by itself.")


def _settle(name: str, result: "object", tolerated: int) -> None:
    try:
        result()  # type: ignore[operator]
    except KafkaException as error:
        if error.args[0].code() != tolerated:
            raise broker_error(error, f"changing topic {name}") from error
