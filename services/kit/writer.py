"""The transactional writer: the rows of a block and the checkpoint that counts them, in one Kafka transaction."""

from contextlib import suppress
from dataclasses import dataclass
from types import TracebackType
from typing import Final, Self

import pyarrow as pa
from confluent_kafka import KafkaError, KafkaException, Producer

from stoculus.checkpoints import Checkpoint
from stoculus.connections import Kafka
from stoculus.errors import Fenced, StoculusError
from stoculus.kafka.admin import QUIET, broker_error
from stoculus.kafka.checkpoints import partition_of
from stoculus.kafka.enqueue import HAS_EXTENSION, enqueue
from stoculus.topics import CHECKPOINTS, quarantine

TRANSACTION_TIMEOUT_MS: Final = 15_000
_INIT_S: Final = 30.0
_COMMIT_S: Final = 20.0
_ABORT_S: Final = 5.0
_FENCED: Final = (
    KafkaError._FENCED,
    KafkaError.PRODUCER_FENCED,
    KafkaError.INVALID_PRODUCER_EPOCH,
    KafkaError.INVALID_PRODUCER_ID_MAPPING,
)

PRODUCER_CONFIG: Final[dict[str, object]] = {
    **QUIET,
    "acks": "all",
    # The commit reports for all rows at once.
    "delivery.report.only.error": True,
    "compression.type": "lz4",
    "linger.ms": 20,
    "batch.num.messages": 50_000,
    "queue.buffering.max.messages": 250_000,
    "transaction.timeout.ms": TRANSACTION_TIMEOUT_MS,
}


@dataclass(frozen=True, slots=True)
class Rows:
    """Rows of one topic: one key for all or one a row, event times, Avro bodies; `header` is the registry's."""

    topic: str
    header: bytes
    keys: bytes | pa.BinaryArray | pa.StringArray
    ts_event: pa.TimestampArray
    bodies: pa.BinaryArray


@dataclass(frozen=True, slots=True)
class QuarantinedRow:
    """A malformed row as the vendor sent it; headers say where it came from and what is wrong."""

    raw: bytes
    headers: dict[str, str | bytes | None]


class TransactionalWriter:
    """A producer that belongs to one task. Opening it fences whoever wrote for the task before.

    After any error it is of no more use: close it, open a new one, read the checkpoint, go on from there.
    """

    def __init__(self, kafka: Kafka, task_id: str, *, use_extension: bool = HAS_EXTENSION) -> None:
        self._task_id = task_id
        self._use_extension = use_extension
        self._in_transaction = False
        self._producer = Producer(
            {**PRODUCER_CONFIG, **kafka.config, "transactional.id": task_id, "client.id": task_id}
        )

    def open(self) -> None:
        """Register as the task's only writer: takes half a second, and ends the predecessor's open transaction."""
        try:
            self._producer.init_transactions(_INIT_S)
        except KafkaException as error:
            raise _task_error(error, self._task_id, "opening a transactional producer") from error

    def commit(self, rows: Rows | None, bad: list[QuarantinedRow], checkpoint: Checkpoint) -> None:
        """Write all of it or nothing."""
        try:
            self._producer.begin_transaction()
            self._in_transaction = True
            if rows is not None:
                enqueue(
                    self._producer,
                    rows.topic,
                    rows.header,
                    rows.keys,
                    rows.bodies,
                    rows.ts_event,
                    use_extension=self._use_extension,
                )
            for row in bad:
                self._producer.produce(quarantine(self._task_id), row.raw, self._task_id, 0, headers=row.headers)
            self._producer.produce(CHECKPOINTS, checkpoint.to_json(), self._task_id, partition_of(self._task_id))
            self._producer.commit_transaction(_COMMIT_S)
            self._in_transaction = False
        except KafkaException as error:
            raise _task_error(error, self._task_id, "committing a block") from error

    def close(self) -> None:
        """Abort what is open, and leave."""
        # A fenced or disconnected producer cannot abort: the broker does by its time-out, or has already.
        if self._in_transaction:
            with suppress(KafkaException):
                self._producer.abort_transaction(_ABORT_S)
        self._producer.purge(in_queue=True, in_flight=True)
        # Its own close() would wait for the abort without a time-out: where the broker is away, for ever.
        del self._producer

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self.close()


def _task_error(error: KafkaException, task_id: str, doing: str) -> StoculusError:
    if error.args[0].code() in _FENCED:
        return Fenced(f"Another runner has taken over {task_id}.", remedy="Nothing to do: it goes on there.")
    return broker_error(error, f"{doing} of {task_id}")
