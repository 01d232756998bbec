"""Backtests written by the services' own runner, and copies of their topics with faults in them."""

import random
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from itertools import count, pairwise
from typing import Any, Final

import httpx2
import pyarrow as pa
from confluent_kafka import Producer
from confluent_kafka.schema_registry import SchemaRegistryClient

from coordinator.backtests.manifest import manifest
from coordinator.backtests.models import Submission, plan
from coordinator.backtests.states import Observed
from coordinator.backtests.store import Backtest
from coordinator.progress import Progress
from services.historical_option.job import OptionJob
from services.historical_option.sort import ChainSorter
from services.historical_stock.job import StockJob
from services.kit.chains import Chains
from services.kit.environment import ControlTopics, Environment, Headers
from services.kit.fetch import Lookahead
from services.kit.job import Job
from services.kit.memory import MemoryBudget
from services.kit.names import NameList
from services.kit.runner import TaskRunner
from stoculus.checkpoints import Checkpoint
from stoculus.connections import Kafka, Registry
from stoculus.kafka import admin
from stoculus.kafka.checkpoints import partition_of, read_checkpoint
from stoculus.kafka.registry import connect
from stoculus.records import codec, framing
from stoculus.records.catalog import RecordType
from stoculus.settings import ServiceSettings
from stoculus.tasks import StockTask
from stoculus.topics import BACKTESTS, CHECKPOINTS, quarantine
from stoculus.verify.backtest import Verifier
from stoculus.verify.findings import TopicReport
from stoculus.verify.source import open_sources
from tests.integration.kafka.conftest import Record, eventually, read_all
from theta_client.client import ThetaClient

NOW: Final = datetime(2024, 2, 1, tzinfo=UTC)
DAYS: Final = ("2023-11-22", "2023-11-24")
"""A whole day, Thanksgiving, and a half day."""
HALF_DAY: Final = ("2023-11-24", "2023-11-24")

CHAIN: Final = {
    "asset": "option", "root": "SPXW", "schema": "quote", "interval": "1h", "expirations": ["2023-11-24"],
    "strikes": {"min": 4550, "max": 4560},
}  # fmt: skip
DATA: Final[dict[str, dict[str, Any]]] = {
    "bars": {"asset": "stock", "symbols": ["AAPL"], "schema": "ohlcv", "interval": "1m"},
    "chain": CHAIN,
    "trades": {"asset": "stock", "symbols": ["AAPL"], "schema": "trade"},
}
"""What topics of tests are of; some trades are of one time."""
_NUMBERS: Final = count(1)


@dataclass(frozen=True)
class Copy:
    """A topic to be written: records, and the receipt of them."""

    records: list[Record]
    receipt: Checkpoint
    headers: dict[int, dict[str, str | bytes | None]] = field(default_factory=dict)

    def of(self, records: list[Record]) -> "Copy":
        """The same with other records; the receipt does not know."""
        return replace(self, records=records)

    def told(self, **changes: Any) -> "Copy":
        """The same with another receipt."""
        return replace(self, receipt=self.receipt.model_copy(update=changes))


@dataclass
class Desk:
    """Writes backtests and has them verified."""

    kafka: Kafka
    registry: Registry
    environment: dict[str, str]

    def __post_init__(self) -> None:
        self.settings = ServiceSettings.load(self.environment)
        self.admin = admin.connect(self.kafka)
        self._producer = Producer({**admin.QUIET, **self.kafka.config, "linger.ms": 1, "enable.idempotence": True})

    def run(self, data: list[dict[str, Any]]) -> str:
        """A completed backtest as services and coordinator leave it; its id."""
        backtest = self._submitted(data)
        client = ThetaClient(self.settings.theta_url, "pro")
        sorter = ChainSorter(64, self.settings.spill_dir)
        symbols, chains = NameList("stock", client.symbols, lambda: NOW), Chains(client, lambda: NOW)
        with client, connect(self.registry) as registry:
            environment = self._environment(registry)
            for planned in backtest.planned:
                task = planned.task
                job: Job = (
                    StockJob(task, client, symbols)
                    if isinstance(task, StockTask)
                    else OptionJob(task, client, chains, sorter)
                )
                TaskRunner(job, environment).run(threading.Event())
            environment.lookahead.threads.shutdown()
        sorter.close()
        self.say(backtest, Observed.COMPLETED)
        return backtest.backtest_id

    def copy(self, backtest_id: str, name: str) -> Copy:
        """What stands on a topic of a backtest of `DATA`."""
        [planned] = plan(_submission([DATA[name]]), backtest_id)
        receipt = read_checkpoint(self.kafka, planned.topic)
        assert receipt is not None
        return Copy(read_all(self.kafka, planned.topic), receipt)

    def write(self, name: str, copy: Copy, state: Observed = Observed.COMPLETED) -> tuple[str, str]:
        """Write a topic as a backtest of its own; its id and the topic."""
        backtest = self._submitted([DATA[name]])
        [topic] = backtest.topics
        admin.create_topics(self.admin, [topic], admin.DATA_CONFIG)
        for place, one in enumerate(copy.records):
            headers = copy.headers.get(place)
            self._producer.produce(topic, one.value, one.key, 0, timestamp=one.time_ms, headers=headers)
        changes = {"task_id": topic, "backtest_id": backtest.backtest_id, "last_offset": len(copy.records) - 1}
        self.say(backtest, state, copy.receipt.model_copy(update=changes))
        return backtest.backtest_id, topic

    def say(self, backtest: Backtest, state: Observed, *checkpoints: Checkpoint) -> None:
        """Write the checkpoints that are given, and the manifest."""
        for each in checkpoints:
            self._producer.produce(CHECKPOINTS, each.to_json(), each.task_id, partition_of(each.task_id))
        known = {each.task_id: each for each in checkpoints}
        for topic in backtest.topics:
            if topic not in known and (found := read_checkpoint(self.kafka, topic, wait=False)):
                known[topic] = found
        value = manifest(backtest, state, Progress(checkpoints=known), NOW)
        self._producer.produce(BACKTESTS, value, backtest.backtest_id, 0)
        assert self._producer.flush(30) == 0

    def delete(self, backtest_id: str) -> None:
        self._producer.produce(BACKTESTS, None, backtest_id, 0)
        assert self._producer.flush(30) == 0

    def remove(self, topic: str) -> None:
        """Delete a topic; return when the broker lists it no more."""
        admin.delete_topics(self.admin, [topic])
        eventually(lambda: topic not in admin.partition_counts(self.admin))

    def quarantine(self, topic: str, *, attempt: int, rows: int) -> None:
        """Set malformed rows of a topic apart."""
        admin.create_topics(self.admin, [quarantine(topic)], admin.DATA_CONFIG)
        for _ in range(rows):
            self._producer.produce(quarantine(topic), b"x", topic, 0, headers={"attempt": str(attempt)})
        assert self._producer.flush(30) == 0

    def tell_receipt(self, receipt: Checkpoint, backtest_id: str, topic: str, **changes: Any) -> None:
        """Write another receipt of a topic, of which the manifest does not know."""
        told = receipt.model_copy(update={"task_id": topic, "backtest_id": backtest_id, **changes})
        self._producer.produce(CHECKPOINTS, told.to_json(), topic, partition_of(topic))
        assert self._producer.flush(30) == 0

    @contextmanager
    def without_data(self, day: str) -> Iterator[None]:
        """The vendor has nothing of a day."""
        faults = f"{self.settings.theta_url}/__faults"
        script = {"match": {"date": day}, "fault": {"kind": "status", "status": 472}}
        httpx2.post(faults, json=script, trust_env=False).raise_for_status()
        try:
            yield
        finally:
            httpx2.delete(faults, trust_env=False)

    def verify(self, backtest_id: str, *, against_source: bool = False) -> list[TopicReport]:
        """The reports of all its topics."""
        with ExitStack() as stack:
            sources = stack.enter_context(open_sources(self.environment)) if against_source else None
            verifier = Verifier(self.settings, backtest_id, sources)
            return [verifier.check(entry) for entry in verifier.manifest.topics]

    def _submitted(self, data: list[dict[str, Any]]) -> Backtest:
        return Backtest(f"v{next(_NUMBERS)}", NOW, _submission(data))

    def _environment(self, registry: SchemaRegistryClient) -> Environment:
        return Environment(
            kafka=self.kafka,
            admin=self.admin,
            control_topics=ControlTopics(self.admin),
            headers=Headers(registry, self.registry.url),
            budget=MemoryBudget(2**26),
            lookahead=Lookahead(lambda: 8),
            now=lambda: NOW,
            random=random.random,
        )


def _submission(data: list[dict[str, Any]]) -> Submission:
    """Trades are many: those of half a day are enough."""
    start, end = HALF_DAY if data == [DATA["trades"]] else DAYS
    return Submission.model_validate({"start": start, "end": end, "data": data})


def without(records: list[Record], *places: int) -> list[Record]:
    """Some records less."""
    return [record for place, record in enumerate(records) if place not in places]


def doubled(records: list[Record], place: int) -> list[Record]:
    """A record twice, one behind the other."""
    return [*records[: place + 1], *records[place:]]


def swapped(records: list[Record], place: int) -> list[Record]:
    """A record behind its neighbour."""
    return [*records[:place], records[place + 1], records[place], *records[place + 2 :]]


def of_one_time(records: list[Record]) -> int:
    """The place of the first record whose neighbour has the same time."""
    return next(place for place, (one, two) in enumerate(pairwise(records)) if one.time_ms == two.time_ms)


def altered(records: list[Record], place: int, **changes: Any) -> list[Record]:
    """Another record in a place."""
    return [*records[:place], records[place]._replace(**changes), *records[place + 1 :]]


def with_fields(value: bytes | None, record: RecordType, **fields: Any) -> bytes:
    """The value with other fields; a function makes the new one of the old."""
    framed = value or b""
    [row] = codec.decode([framing.body(framed)], record).to_pylist()
    row |= {name: field(row[name]) if callable(field) else field for name, field in fields.items()}
    [body] = codec.encode(pa.RecordBatch.from_pylist([row], record.arrow), record).to_pylist()
    return framed[: framing.HEADER_BYTES] + (body or b"")


def one_tick(price: float) -> float:
    """A cent more."""
    return round(price + 0.01, 2)
