"""What services count of their tasks."""

from typing import Any, cast

import pyarrow as pa
import pytest
from prometheus_client import CollectorRegistry

from services.kit.memory import MemoryBudget
from services.kit.meters import ErrorMeters, TaskMeters
from services.kit.prepare import BACK, OUTSIDE
from services.kit.writer import QuarantinedRow, Rows
from stoculus.errors import (
    BrokerUnavailable,
    Fenced,
    NoData,
    RegistryRefused,
    RegistryUnavailable,
    SchemaNotRegistered,
    StoculusError,
    TopicLost,
)
from stoculus.tasks import TaskStatus

HELD = TaskStatus(task_id="a", state="waiting", attempt=1, reason="the vendor")


@pytest.fixture
def meters() -> TaskMeters:
    return TaskMeters()


@pytest.fixture
def held() -> list[TaskStatus]:
    return [HELD]


@pytest.fixture
def registry(meters: TaskMeters, held: list[TaskStatus]) -> CollectorRegistry:
    made = CollectorRegistry()
    meters.register(made, MemoryBudget(100), lambda: held)
    return made


def rows(count: int) -> Rows:
    return Rows("t", b"", b"k", cast(Any, None), pa.array([b""] * count, pa.binary()))


def bad(cause: str) -> QuarantinedRow:
    return QuarantinedRow(b"", {"cause": cause})


def test_a_committed_block_counts_its_records_by_schema(meters: TaskMeters, registry: CollectorRegistry) -> None:
    for schema, count in (("quote", 3), ("quote", 4), ("eod", 1)):
        with meters.transaction(schema, rows(count), []):
            pass
    with meters.transaction("eod", None, []):
        pass

    assert registry.get_sample_value("stoculus_records_total", {"schema": "quote"}) == 7
    assert registry.get_sample_value("stoculus_records_total", {"schema": "eod"}) == 1
    assert registry.get_sample_value("stoculus_txn_commit_seconds_count") == 4
    assert registry.get_sample_value("stoculus_txn_aborts_total") == 0


def test_a_block_that_does_not_commit_counts_as_an_abort_alone(meters: TaskMeters, registry: CollectorRegistry) -> None:
    with pytest.raises(Fenced), meters.transaction("quote", rows(3), [bad(OUTSIDE)]):
        raise Fenced("Another runner has taken over.")

    assert registry.get_sample_value("stoculus_txn_aborts_total") == 1
    assert registry.get_sample_value("stoculus_records_total", {"schema": "quote"}) is None
    assert registry.get_sample_value("stoculus_rows_quarantined_total", {"reason": "outside_of_range"}) == 0


def test_reasons_of_the_quarantine_are_few_whatever_the_rows_say(
    meters: TaskMeters, registry: CollectorRegistry
) -> None:
    causes = [OUTSIDE, f"{OUTSIDE} (quote SPXW 2024-01-02)", BACK, "bid: double: invalid value '1.x'", "not UTF-8"]
    with meters.transaction("quote", rows(1), [bad(cause) for cause in causes]):
        pass

    [family] = [one for one in registry.collect() if one.name == "stoculus_rows_quarantined"]
    counted = {one.labels["reason"]: one.value for one in family.samples if one.name.endswith("_total")}
    assert counted == {"outside_of_range": 2, "goes_back": 1, "unreadable": 2}


def test_tasks_and_memory_are_told_as_they_are_now(held: list[TaskStatus], registry: CollectorRegistry) -> None:
    held.append(TaskStatus(task_id="b", state="running", attempt=1))

    found = {
        state: registry.get_sample_value("stoculus_held_tasks", {"state": state})
        for state in ("queued", "running", "waiting", "stopping")
    }
    assert found == {"queued": 0, "running": 1, "waiting": 1, "stopping": 0}
    assert registry.get_sample_value("stoculus_memory_budget_used_bytes") == 0
    assert registry.get_sample_value("stoculus_memory_budget_bytes") == 100


@pytest.mark.parametrize(
    ("error", "metric"),
    [
        (BrokerUnavailable("Away."), "stoculus_broker_errors_total"),
        (TopicLost("Gone."), "stoculus_broker_errors_total"),
        (RegistryUnavailable("Away."), "stoculus_registry_errors_total"),
        (RegistryRefused("No."), "stoculus_registry_errors_total"),
        (SchemaNotRegistered("None."), "stoculus_registry_errors_total"),
    ],
)
def test_errors_of_broker_and_registry_are_counted_by_their_code(error: StoculusError, metric: str) -> None:
    errors, registry = ErrorMeters(), CollectorRegistry()
    errors.register(registry)
    errors.note(error)
    errors.note(NoData("Nothing."))

    assert registry.get_sample_value(metric, {"error": error.code}) == 1
    samples = [one for family in registry.collect() for one in family.samples if one.name.endswith("_total")]
    assert sum(one.value for one in samples) == 1
