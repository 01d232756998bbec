"""Reading control topics while others' transactions hang on them (design 4.3)."""

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from uuid import uuid4

import pytest
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient

from stoculus.checkpoints import Checkpoint
from stoculus.connections import Kafka
from stoculus.errors import BrokerUnavailable
from stoculus.kafka.checkpoints import partition_of, read_checkpoint
from stoculus.kafka.compacted import CompactedLog
from stoculus.topics import CHECKPOINTS
from tests.conftest import Broker, free_ports
from tests.integration.kafka.conftest import Transactional

pytestmark = pytest.mark.usefixtures("admin")


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
        updated_at=datetime(2024, 1, 5, tzinfo=UTC),
    )


def write(producer: Producer, task_id: str, records: int) -> None:
    producer.produce(CHECKPOINTS, checkpoint(task_id, records).to_json(), task_id, partition_of(task_id))


def commit(producer: Producer, task_id: str, records: int) -> None:
    producer.begin_transaction()
    write(producer, task_id, records)
    producer.commit_transaction(30)


@pytest.fixture
def task_id() -> str:
    return f"task-{uuid4().hex}"


@pytest.fixture
def neighbour(task_id: str) -> str:
    """Another task on the same partition."""
    return next(name for n in range(10_000) if partition_of(name := f"{task_id}-{n}") == partition_of(task_id))


def test_a_task_that_never_ran_has_no_checkpoint(broker: Broker, task_id: str) -> None:
    assert read_checkpoint(broker.kafka, task_id) is None
    assert read_checkpoint(broker.kafka, task_id, wait=False) is None


def test_the_newest_committed_checkpoint_counts(
    broker: Broker, transactional: Transactional, task_id: str, neighbour: str
) -> None:
    producer = transactional()
    for records in (1, 2, 3):
        commit(producer, task_id, records)
        commit(producer, neighbour, 10 * records)
    producer.begin_transaction()
    write(producer, task_id, 99)
    producer.flush()
    producer.abort_transaction(30)

    for wait in (True, False):
        found = read_checkpoint(broker.kafka, task_id, wait=wait)
        assert found == checkpoint(task_id, 3)


def test_a_deleted_checkpoint_is_none(broker: Broker, transactional: Transactional, task_id: str) -> None:
    producer = transactional()
    commit(producer, task_id, 1)
    producer.begin_transaction()
    producer.produce(CHECKPOINTS, None, task_id, partition_of(task_id))
    producer.commit_transaction(30)

    assert read_checkpoint(broker.kafka, task_id) is None


@pytest.mark.parametrize("end", ["commit", "abort"])
def test_what_stands_behind_anothers_open_transaction_is_waited_for(
    broker: Broker, transactional: Transactional, task_id: str, neighbour: str, end: str
) -> None:
    own, other = transactional(), transactional()
    commit(own, task_id, 1)
    other.begin_transaction()
    write(other, neighbour, 5)
    other.flush()
    commit(own, task_id, 2)
    commit(own, task_id, 3)

    at_once = read_checkpoint(broker.kafka, task_id, wait=False)
    assert at_once is not None
    assert at_once.records == 1
    with ThreadPoolExecutor(1) as executor:
        waiting = executor.submit(read_checkpoint, broker.kafka, task_id)
        threading.Event().wait(1)
        still_waiting = not waiting.done()
        other.commit_transaction(30) if end == "commit" else other.abort_transaction(30)
        found = waiting.result(30)

    assert still_waiting
    assert found is not None
    assert found.records == 3


def test_a_log_goes_on_with_what_comes_later(broker: Broker, transactional: Transactional, task_id: str) -> None:
    producer = transactional()
    commit(producer, task_id, 1)
    log = CompactedLog(broker.kafka, CHECKPOINTS)
    try:
        assert len(log.ends) == 8
        assert task_id in {key for key, _ in log.read_past_ends()}
        commit(producer, task_id, 2)
        later: list[tuple[str, bytes | None]] = []
        while not later:
            later.extend(log.poll(0.1))
        assert [key for key, _ in later] == [task_id]
    finally:
        log.close()


def test_all_partitions_are_read_to_their_ends(
    broker: Broker, transactional: Transactional, admin: AdminClient, task_id: str
) -> None:
    names = [f"{task_id}-{number}" for number in range(40)]
    producer = transactional()
    producer.begin_transaction()
    for number, name in enumerate(names):
        write(producer, name, number)
    producer.commit_transaction(30)
    assert {partition_of(name) for name in names} == set(range(8))

    for read in (CompactedLog.read_past_ends, CompactedLog.read_to_end):
        log = CompactedLog(broker.kafka, CHECKPOINTS)
        assert set(names) <= {key for key, _ in read(log)}
        log.close()


def test_a_broker_that_is_away_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("stoculus.kafka.compacted.REQUEST_TIMEOUT_S", 1)
    with pytest.raises(BrokerUnavailable, match=CHECKPOINTS):
        read_checkpoint(Kafka(f"127.0.0.1:{free_ports(1)[0]}"), "task")
