"""What the control topics say of a backtest: its topics, its state, and how far each topic has come."""

import time
from dataclasses import dataclass
from typing import Any, Final, Self

from confluent_kafka import KafkaException, TopicPartition
from confluent_kafka.admin import OffsetSpec  # type: ignore[attr-defined]

from stoculus import topics
from stoculus.calendar import epoch_us
from stoculus.checkpoints import Checkpoint
from stoculus.connections import Kafka
from stoculus.errors import BacktestIncomplete, NotFound, ServiceUnavailable, TopicLost
from stoculus.kafka import admin
from stoculus.kafka.checkpoints import partition_of
from stoculus.kafka.compacted import CompactedLog
from stoculus.kafka.reachable import reachable_kafka
from stoculus.reading.manifest import Manifest

_LOOK_S: Final = 0.05
_ASK_S: Final = 15.0
_PATIENCE_S: Final = 600.0
_ENDED: Final = frozenset({"failed", "cancelled", "paused"})


@dataclass(frozen=True, slots=True)
class Reached:
    """Who has read a topic to offset `end` has all its records before a market time."""

    end: int
    complete_until_us: int


class BacktestLog:
    """What the control topics say of one backtest; `refresh` learns what is new. For one thread.

    Raise NotFound where there is no such backtest, BrokerUnavailable.
    """

    def __init__(self, kafka: Kafka, backtest_id: str) -> None:
        self._kafka = kafka
        self._id = topics.backtest_id(backtest_id)
        self._admin = admin.connect(reachable_kafka(kafka))
        self._manifest: Manifest | None = None
        self.checkpoints: dict[str, Checkpoint] = {}
        self.reached: dict[str, Reached] = {}
        self._logs: list[CompactedLog] = []
        self._next_look_s = 0.0
        self._news_s = self._answer_s = time.monotonic()
        try:
            self._logs.append(_open(kafka, topics.BACKTESTS))
            self._take_manifests(self._logs[0].read_to_end())
            partitions = {partition_of(entry.topic) for entry in self.manifest.topics}
            if partitions:
                self._logs.append(_open(kafka, topics.CHECKPOINTS, sorted(partitions)))
                self._take_checkpoints(self._logs[1].read_to_end())
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def manifest(self) -> Manifest:
        """The newest; raise NotFound where the backtest is unknown, or was deleted."""
        if self._manifest is None:
            raise NotFound(
                f"There is no backtest {self._id} on the broker: it was never submitted, or is deleted.",
                remedy="`stoculus backtest list` shows those that there are.",
            )
        return self._manifest

    def refresh(self) -> None:
        """Learn what is new, at most every 50 ms. Raise ServiceUnavailable after ten silent minutes."""
        now_s = time.monotonic()
        if now_s < self._next_look_s:
            return
        self._next_look_s = now_s + _LOOK_S
        if self._take_manifests(self._logs[0].poll(0)) | (
            len(self._logs) > 1 and self._take_checkpoints(self._logs[1].poll(0))
        ):
            self._news_s = self._answer_s = now_s
        if now_s > self._answer_s + _ASK_S:
            admin.partition_counts(self._admin)  # raises where the broker is away: a consumer would wait for ever
            self._answer_s = now_s
        if now_s > self._news_s + _PATIENCE_S:
            raise ServiceUnavailable(
                f"Nothing was written of backtest {self._id} for {_PATIENCE_S / 60:.0f} minutes; it is not complete.",
                remedy="`stoculus backtest show` says what it waits for; `stoculus doctor` whether the services run.",
            )

    def check(self, topic: str) -> None:
        """Raise BacktestIncomplete where the topic is not complete and nobody is completing it."""
        manifest, checkpoint = self.manifest, self.checkpoints.get(topic)
        if checkpoint and checkpoint.state == "completed":
            return
        about = f"{topic} is not complete: "
        remedy = "`stoculus backtest retry` goes on with it; partial=True reads what is there."
        if checkpoint and checkpoint.state == "failed" and checkpoint.attempt >= manifest.attempt:
            reason = f" ({checkpoint.failure.message})" if checkpoint.failure else ""
            raise BacktestIncomplete(f"{about}its task failed{reason}.", remedy=remedy)
        if manifest.state in _ENDED:
            todo = {"paused": "`stoculus backtest resume` goes on with it; ", "cancelled": ""}.get(manifest.state)
            raise BacktestIncomplete(
                f"{about}backtest {self._id} is {manifest.state}.",
                remedy=remedy if todo is None else f"{todo}partial=True reads what is there.",
            )

    def is_complete(self, topic: str) -> bool:
        """Whether the topic has its receipt."""
        checkpoint = self.checkpoints.get(topic)
        return checkpoint is not None and checkpoint.state == "completed"

    def close(self) -> None:
        for log in self._logs:
            log.close()

    def _take_manifests(self, records: Any) -> bool:
        news = False
        for key, value in records:
            if key == self._id:
                self._manifest = Manifest.model_validate_json(value) if value else None
                news = True
        return news

    def _take_checkpoints(self, records: Any) -> bool:
        ours = {entry.topic for entry in self.manifest.topics}
        found = {key: Checkpoint.model_validate_json(value) for key, value in records if value and key in ours}
        self.checkpoints |= found
        running = {name: each for name, each in found.items() if each.state != "completed" and each.complete_until}
        # Rows that a checkpoint counts stand before the end that the topic has now, also where they cannot be read yet.
        for name, end in self._ends(list(running)).items():
            complete_until = running[name].complete_until
            if complete_until is not None:
                self.reached[name] = Reached(end, epoch_us(complete_until))
        return bool(found)

    def _ends(self, names: list[str]) -> dict[str, int]:
        if not names:
            return {}
        spec: Any = OffsetSpec
        wanted = {TopicPartition(name, 0): spec.latest() for name in names}
        try:
            found = self._admin.list_offsets(wanted, request_timeout=admin.REQUEST_TIMEOUT_S)
            return {place.topic: future.result().offset for place, future in found.items()}
        except KafkaException as error:
            if error.args[0].code() in admin.NO_TOPIC:
                raise TopicLost(
                    f"A topic of backtest {self._id} is gone.", remedy="Was it deleted? Submit a new backtest."
                ) from error
            raise admin.broker_error(error, f"reading the ends of backtest {self._id}") from error


def read_manifest(kafka: Kafka, backtest_id: str) -> Manifest:
    """The manifest of a backtest. Raise NotFound, BrokerUnavailable, InvalidRequest where it is no id."""
    with BacktestLog(kafka, backtest_id) as log:
        return log.manifest


def _open(kafka: Kafka, topic: str, partitions: list[int] | None = None) -> CompactedLog:
    try:
        return CompactedLog(kafka, topic, partitions)
    except TopicLost as error:
        raise NotFound(
            "There is no backtest on this broker.", remedy="`stoculus backtest submit` makes one."
        ) from error
