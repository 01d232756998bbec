"""What the broker tells of live topics: their ends, which say what it has acknowledged, ids, and our rights."""

import logging
import queue
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from confluent_kafka import IsolationLevel, KafkaException, TopicCollection, TopicPartition, Uuid
from confluent_kafka.admin import AdminClient
from confluent_kafka.admin._acl import AclOperation
from confluent_kafka.admin._listoffsets import OffsetSpec

from stoculus.errors import StoculusError
from stoculus.kafka.admin import NO_TOPIC, REQUEST_TIMEOUT_S, broker_error
from stoculus.streams import Watermark

log = logging.getLogger(__name__)
_RETRY_S: Final = 0.2
_NO_ID: Final = str(Uuid(0, 0))
_LATEST: Final = OffsetSpec.latest()  # type: ignore[no-untyped-call]


def ends_of(admin: AdminClient, topics: list[str]) -> dict[str, int]:
    """The offsets of the next records of those of the topics that exist, in one request.

    Raise the errors of the broker.
    """
    asked = {TopicPartition(topic, 0): _LATEST for topic in topics}
    answers = admin.list_offsets(
        asked, isolation_level=IsolationLevel.READ_UNCOMMITTED, request_timeout=REQUEST_TIMEOUT_S
    )
    ends = {}
    for partition, answer in answers.items():
        try:
            ends[partition.topic] = answer.result().offset
        except KafkaException as error:
            if error.args[0].code() not in NO_TOPIC:
                raise broker_error(error, "asking for the ends of live topics") from error
    return ends


@dataclass(frozen=True, slots=True)
class Described:
    """What the broker says of a topic.

    `topic_id`: no other topic has it, made again under the same name or not (KIP-516); None where the broker has none.
    """

    end: int
    topic_id: str | None
    may_be_written: bool

    def is_still_of(self, mark: Watermark) -> bool:
        """Whether a watermark was written of this topic, not of one that was deleted and made again."""
        return mark.offset <= self.end and (mark.topic_id or self.topic_id) == (self.topic_id or mark.topic_id)


def describe(admin: AdminClient, topics: list[str]) -> dict[str, Described]:
    """Those of the topics that exist. A broker that tells no rights forbids nothing. Raise the errors of the broker."""
    ends = ends_of(admin, topics)
    if not ends:
        return {}
    answers = admin.describe_topics(
        TopicCollection(list(ends)), include_authorized_operations=True, request_timeout=REQUEST_TIMEOUT_S
    )
    found = {}
    for topic, answer in answers.items():
        try:
            told = answer.result()
        except KafkaException as error:
            if error.args[0].code() not in NO_TOPIC:
                raise broker_error(error, f"asking for the rights on {topic}") from error
            continue
        rights = told.authorized_operations
        topic_id = str(told.topic_id)
        found[topic] = Described(
            end=ends[topic],
            topic_id=None if topic_id == _NO_ID else topic_id,
            may_be_written=not rights or AclOperation.WRITE in rights,
        )
    return found


class Acknowledgements:
    """Asks for the ends of topics in a thread of its own, so that nobody waits for a broker that is away.

    `note` is told of its errors.
    """

    def __init__(self, admin: AdminClient, note: Callable[[StoculusError], object]) -> None:
        self._admin = admin
        self._note = note
        self._asked: queue.Queue[list[str]] = queue.Queue(1)
        self._told: queue.Queue[Mapping[str, int]] = queue.Queue()
        self._stop = threading.Event()
        self._busy = self._failed = False
        self._thread = threading.Thread(target=self._run, name="acknowledgements", daemon=True)
        self._thread.start()

    @property
    def busy(self) -> bool:
        """Whether an answer is still to come."""
        return self._busy

    def ask(self, topics: list[str]) -> None:
        """Ask for the ends of topics; not while busy."""
        self._busy = True
        self._asked.put(topics)

    def take(self) -> Mapping[str, int] | None:
        """The ends of what was asked for and is there; {} where the broker did not tell, None while it has not."""
        try:
            ends = self._told.get_nowait()
        except queue.Empty:
            return None
        self._busy = False
        return ends

    def close(self) -> None:
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                topics = self._asked.get(timeout=_RETRY_S)
            except queue.Empty:
                continue
            self._told.put(self._ends(topics))

    def _ends(self, topics: list[str]) -> Mapping[str, int]:
        try:
            ends = ends_of(self._admin, topics)
        except StoculusError as error:
            self._note(error)
            if not self._failed:
                log.warning("The ends of live topics are not told, until said otherwise: %s", error)
            self._failed = True
            self._stop.wait(_RETRY_S)
            return {}
        if self._failed:
            log.info("The ends of live topics are told again")
        self._failed = False
        return ends
