"""Backtests as services and coordinator leave them on the broker: topics, checkpoints, receipts, a manifest."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final, Literal, cast
from uuid import uuid4

import orjson
import pyarrow as pa
from confluent_kafka import Producer

from services.kit.prepare import Prepared
from services.kit.progress import Progress
from services.kit.writer import Rows, TransactionalWriter
from stoculus import topics
from stoculus.checkpoints import Checkpoint, Failure
from stoculus.connections import Kafka, Registry
from stoculus.instruments import Stock
from stoculus.kafka import admin
from stoculus.kafka.ends import last_record_offset
from stoculus.kafka.registry import connect, lookup_id
from stoculus.reading.times import EPOCH_DAY, new_york_days
from stoculus.records import codec, framing
from stoculus.records.catalog import Asset, Schema, parse_schema
from theta_client.client import Window

State = Literal["queued", "running", "paused", "completed", "failed", "cancelled"]
NOW: Final = datetime(2024, 2, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Selection:
    """One topic of a request: `Selection("AAPL", "ohlcv1m")`."""

    symbol: str
    schema_name: str
    asset: Asset = "stock"

    @property
    def schema(self) -> Schema:
        return parse_schema(self.schema_name, asset=self.asset)

    def topic(self, backtest_id: str) -> str:
        if self.asset == "option":
            return topics.option_historical(self.symbol, self.schema.name, backtest_id)
        return topics.stock_historical(Stock.parse(self.symbol), self.schema.name, backtest_id)


class Task:
    """Writes one topic of a backtest, block by block, each in a transaction with its checkpoint."""

    def __init__(self, kafka: Kafka, registry: Registry, backtest_id: str, selection: Selection) -> None:
        self.topic = selection.topic(backtest_id)
        self.selection = selection
        self._kafka = kafka
        self._record = selection.schema.record
        with connect(registry) as client:
            self._header = framing.header(lookup_id(client, self._record, registry.url))
        admin.create_topics(admin.connect(kafka), [self.topic], admin.DATA_CONFIG)
        self._writer = TransactionalWriter(kafka, self.topic)
        self._writer.open()
        self._window: Window | None = None
        self._is_closed = False
        self._progress = Progress(
            Checkpoint(
                task_id=self.topic,
                backtest_id=backtest_id,
                record=self._record.subject,
                schema=selection.schema.name,
                symbol=selection.symbol,
                state="running",
                attempt=1,
                updated_at=NOW,
            )
        )

    def write(self, batch: pa.RecordBatch, *days: date) -> "Task":
        """Write records as a chunk of these days, by default those that the records are of, and close it."""
        self._open(days or _days_of(batch))
        self.add(batch)
        self._close()
        self._commit(None)
        return self

    def add(self, batch: pa.RecordBatch) -> "Task":
        """Write records into the chunk that is open; open one of their days where none is."""
        if self._progress.checkpoint.chunk is None:
            self._open(_days_of(batch))
        bodies, times = codec.encode(batch, self._record), cast(pa.TimestampArray, batch["ts_event"])
        keys: Any = batch["symbol"] if self.selection.asset == "option" else self.selection.symbol.encode()
        if batch.num_rows:
            self._progress.advance(Prepared(keys, times, bodies, [], 0, 0))
            self._commit(Rows(self.topic, self._header, keys, times, bodies))
        return self

    def complete(self) -> "Task":
        """Close what is open and write the receipt."""
        self._close()
        self._commit(None, state="completed", last_offset=last_record_offset(self._kafka, self.topic))
        self.close()
        return self

    def fail(self, message: str) -> "Task":
        self._commit(None, state="failed", failure=Failure(code="vendor_refused", message=message))
        self.close()
        return self

    def close(self) -> None:
        """Let the producer go; harmless where that was done."""
        if not self._is_closed:
            self._writer.close()
        self._is_closed = True

    def _open(self, days: tuple[date, ...]) -> None:
        self._window = Window(days[0], days[-1], days, None, None)
        self._progress.begin_chunk(self._window)

    def _close(self) -> None:
        if self._progress.checkpoint.chunk is not None and self._window is not None:
            self._progress.end_chunk(self._window, "the vendor has no rows for the day")

    def _commit(self, rows: Rows | None, **changes: Any) -> None:
        self._writer.commit(rows, [], self._progress.checkpoint.model_copy(update=changes))


def _days_of(batch: pa.RecordBatch) -> tuple[date, ...]:
    return tuple(EPOCH_DAY + timedelta(days=int(day)) for day in sorted(set(new_york_days(batch["ts_event"]))))


@dataclass
class Written:
    """A backtest on the broker. `tasks` are in the order of the request."""

    kafka: Kafka
    registry: Registry
    selections: list[Selection]
    request: Mapping[str, Any] = field(default_factory=dict)
    backtest_id: str = field(default_factory=lambda: uuid4().hex[:12])
    tasks: list[Task] = field(default_factory=list)

    def __post_init__(self) -> None:
        admin.create_control_topics(admin.connect(self.kafka))
        self.tasks = [Task(self.kafka, self.registry, self.backtest_id, each) for each in self.selections]

    @property
    def topics(self) -> list[str]:
        return [task.topic for task in self.tasks]

    def say(self, state: State, attempt: int = 1) -> "Written":
        """Write the manifest."""
        listed = [
            {
                "topic": task.topic,
                "symbol": task.selection.symbol,
                "schema": task.selection.schema.name,
                "record": task.selection.schema.record.subject,
                "feed": "OPRA" if task.selection.asset == "option" else "SIP consolidated tape",
                "records": 0,
                "last_offset": None,
            }
            for task in self.tasks
        ]
        told = {"backtest_id": self.backtest_id, "state": state, "attempt": attempt, "request": self.request}
        return self._tell(orjson.dumps(told | {"topics": listed, "created_at": NOW, "updated_at": NOW}))

    def delete(self) -> "Written":
        """Delete its manifest and its topics, as the janitor does."""
        admin.delete_topics(admin.connect(self.kafka), self.topics)
        return self._tell(None)

    def _tell(self, manifest: bytes | None) -> "Written":
        producer = Producer({**self.kafka.config, "linger.ms": 0, **admin.QUIET})
        producer.produce(topics.BACKTESTS, manifest, self.backtest_id)
        assert producer.flush(30) == 0
        return self
