"""What the runners of a service share."""

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

from confluent_kafka.admin import AdminClient
from confluent_kafka.schema_registry import SchemaRegistryClient

from services.kit.fetch import Lookahead
from services.kit.memory import MemoryBudget
from services.kit.meters import TaskMeters
from stoculus.connections import Kafka
from stoculus.kafka.admin import create_control_topics
from stoculus.kafka.registry import lookup_id
from stoculus.records.catalog import RecordType
from stoculus.records.framing import header


class Headers:
    """The registry header of each record type, looked up once: a registry that dies later hinders nobody."""

    def __init__(self, client: SchemaRegistryClient, url: str) -> None:
        self._client = client
        self._url = url
        self._known: dict[str, bytes] = {}

    def of(self, record: RecordType) -> bytes:
        """The five bytes before each body; raise SchemaNotRegistered or RegistryUnavailable."""
        if record.name not in self._known:
            self._known[record.name] = header(lookup_id(self._client, record, self._url))
        return self._known[record.name]


@dataclass(slots=True)
class ControlTopics:
    """Creates the control topics once."""

    admin: AdminClient
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _exist: bool = False

    def ensure(self) -> None:
        with self._lock:
            if not self._exist:
                create_control_topics(self.admin)
                self._exist = True


@dataclass(frozen=True, slots=True)
class Environment:
    """`random` gives 0..1 for jitter; `now` is aware."""

    kafka: Kafka
    admin: AdminClient
    control_topics: ControlTopics
    headers: Headers
    budget: MemoryBudget
    lookahead: Lookahead
    now: Callable[[], datetime]
    random: Callable[[], float]
    meters: TaskMeters = field(default_factory=TaskMeters)
