"""The transactional writer on a real broker: all of a block with its checkpoint, or nothing."""

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from datetime import UTC, datetime
from uuid import uuid4

import pyarrow as pa
import pytest
from confluent_kafka.admin import AdminClient

from services.kit.writer import QuarantinedRow, Rows, TransactionalWriter
from stoculus.checkpoints import Checkpoint
from stoculus.connections import Kafka
from stoculus.errors import BrokerRefused, BrokerUnavailable, Fenced
from stoculus.kafka.admin import DATA_CONFIG, connect, create_control_topics, create_topics
from stoculus.kafka.checkpoints import read_checkpoint
from stoculus.kafka.enqueue import HAS_EXTENSION
from stoculus.topics import quarantine
from tests.conftest import Broker
from tests.integration.kafka.conftest import read_all

# confluent-kafka warns of a producer that cannot abort because it is fenced or has no broker.
pytestmark = pytest.mark.filterwarnings("ignore:Producer abort_transaction failed during close:RuntimeWarning")
HEADER = b"\0\0\0\0\1"
TIMES = [datetime(2024, 1, 3, 15, minute, tzinfo=UTC) for minute in range(3)]


@pytest.fixture(scope="module")
def admin(broker: Broker) -> AdminClient:
    client = connect(broker.kafka)
    create_control_topics(client)
    return client


@pytest.fixture
def task_id(admin: AdminClient) -> str:
    name = f"stock-{uuid4().hex}"
    create_topics(admin, [name, quarantine(name)], DATA_CONFIG)
    return name


@pytest.fixture
def writers(broker: Broker) -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def rows(topic: str, count: int = 3) -> Rows:
    bodies = pa.array([b"body %d" % row for row in range(count)], pa.binary())
    return Rows(topic, HEADER, b"AAPL", pa.array(TIMES[:count], pa.timestamp("us", "UTC")), bodies)  # type: ignore[arg-type]


def checkpoint(task_id: str, records: int) -> Checkpoint:
    return Checkpoint(
        task_id=task_id,
        backtest_id="1",
        record="io.stoculus.StockTrade",
        schema="trade",
        symbol="AAPL",
        state="running",
        attempt=1,
        records=records,
        updated_at=TIMES[0],
    )


@pytest.mark.parametrize("use_extension", [False, HAS_EXTENSION])
def test_rows_quarantine_and_checkpoint_come_together(
    broker: Broker, writers: ExitStack, task_id: str, use_extension: bool
) -> None:
    writer = writers.enter_context(TransactionalWriter(broker.kafka, task_id, use_extension=use_extension))
    writer.open()
    writer.commit(rows(task_id), [QuarantinedRow(b"raw", {"cause": "NaN"})], checkpoint(task_id, 3))

    assert [(row.key, row.value, row.time_ms) for row in read_all(broker.kafka, task_id)] == [
        (b"AAPL", HEADER + b"body %d" % number, int(moment.timestamp() * 1000)) for number, moment in enumerate(TIMES)
    ]
    assert [row.value for row in read_all(broker.kafka, quarantine(task_id))] == [b"raw"]
    assert read_checkpoint(broker.kafka, task_id) == checkpoint(task_id, 3)


def test_a_checkpoint_may_come_alone(broker: Broker, writers: ExitStack, task_id: str) -> None:
    writer = writers.enter_context(TransactionalWriter(broker.kafka, task_id))
    writer.open()
    writer.commit(None, [], checkpoint(task_id, 0))

    assert read_all(broker.kafka, task_id) == []
    assert read_checkpoint(broker.kafka, task_id) == checkpoint(task_id, 0)


def test_who_opens_later_fences_who_wrote_before(broker: Broker, writers: ExitStack, task_id: str) -> None:
    older, newer = (writers.enter_context(TransactionalWriter(broker.kafka, task_id)) for _ in range(2))
    older.open()
    older.commit(rows(task_id, 1), [], checkpoint(task_id, 1))
    newer.open()
    with pytest.raises(Fenced, match=task_id):
        older.commit(rows(task_id), [], checkpoint(task_id, 99))
    newer.commit(rows(task_id, 2), [], checkpoint(task_id, 3))

    assert len(read_all(broker.kafka, task_id)) == 3
    assert read_checkpoint(broker.kafka, task_id) == checkpoint(task_id, 3)


def test_nothing_of_a_block_that_fails_half_way_is_left(broker: Broker, task_id: str) -> None:
    good = rows(task_id)
    too_large = pa.array([b"body", b"x" * 2_000_000, b"body"], pa.binary())
    with TransactionalWriter(broker.kafka, task_id) as writer:
        writer.open()
        with pytest.raises(BrokerRefused):
            writer.commit(replace(good, bodies=too_large), [], checkpoint(task_id, 3))

    assert read_all(broker.kafka, task_id) == []
    assert read_checkpoint(broker.kafka, task_id) is None


def test_a_broker_that_is_away_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("services.kit.writer._INIT_S", 1)
    with TransactionalWriter(Kafka("127.0.0.1:9"), "task") as writer, pytest.raises(BrokerUnavailable, match="task"):
        writer.open()
