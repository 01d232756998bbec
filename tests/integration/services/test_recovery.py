"""Whatever dies, whenever: the topic ends as if nothing had happened."""

import signal
import time
from random import Random

import pytest

from stoculus.kafka.admin import connect, delete_topics, partition_counts
from stoculus.kafka.checkpoints import partition_of
from tests.conftest import Broker, Registry
from tests.integration.kafka.conftest import Record
from tests.integration.services.conftest import Read, ServiceOf, quotes
from tests.integration.services.harness import Checkpoints, Service, Simulator, content, until
from tests.integration.services.transactions import ends, hanging_transaction

MEGABYTE = 1_000_000
QUOTES = {"path": "stock/history/quote"}


@pytest.fixture
def half_written(
    service: Service, simulator: Simulator, checkpoints: Checkpoints, reference: list[Record], backtest_id: str
) -> str:
    """A task that was stopped in the middle of its chunk."""
    simulator.fault("stall", after_bytes=9 * MEGABYTE, seconds=60)
    task_id = service.start_task(quotes(backtest_id))
    checkpoints.started(task_id)
    service.stop_task(task_id)
    simulator.heal()
    return task_id


def test_a_stopped_task_ends_at_a_block_boundary_and_goes_on_from_there(
    half_written: str,
    broker: Broker,
    service: Service,
    checkpoints: Checkpoints,
    read: Read,
    reference: list[Record],
    backtest_id: str,
) -> None:
    stopped = checkpoints.of(half_written)
    assert stopped is not None
    assert stopped.state == "running"
    records = read(half_written)
    assert 0 < len(records) == stopped.records < len(reference)
    assert content(records) == content(reference[: len(records)])
    end, stable_end = ends(broker, half_written)
    assert end == stable_end

    service.start_task(quotes(backtest_id))
    checkpoints.completed(half_written)

    assert content(read(half_written)) == content(reference)


@pytest.mark.chaos
def test_a_service_killed_at_random_moments_leaves_no_duplicate_and_no_hole(
    own_service: Service, simulator: Simulator, checkpoints: Checkpoints, read: Read, reference: list[Record]
) -> None:
    next_day = {"start": "2024-01-04", "end": "2024-01-04"}
    second_chunk = own_service.start_task(quotes("second", **next_day))
    checkpoints.completed(second_chunk)
    random, task = Random(4), quotes("killed", end=next_day["end"])
    simulator.fault("slow", bytes_per_s=5 * MEGABYTE)
    for _ in range(2):
        task_id = own_service.start_task(task)
        time.sleep(random.uniform(0.6, 2))
        own_service.kill9()
        own_service.start()
    simulator.heal()
    own_service.post(task)
    checkpoints.completed(task_id)

    assert content(read(task_id)) == content(reference) + content(read(second_chunk))


def test_a_terminated_service_leaves_no_open_transaction_and_exits_with_zero(
    own_service: Service,
    broker: Broker,
    simulator: Simulator,
    checkpoints: Checkpoints,
    read: Read,
    reference: list[Record],
) -> None:
    task = quotes("terminated")
    simulator.fault("slow", bytes_per_s=5 * MEGABYTE)
    task_id = own_service.start_task(task)
    checkpoints.started(task_id)
    assert own_service.end(signal.SIGTERM) == 0
    end, stable_end = ends(broker, task_id)
    assert end == stable_end

    simulator.heal()
    own_service.start().start_task(task)
    checkpoints.completed(task_id)
    assert content(read(task_id)) == content(reference)


def test_of_two_runners_the_older_is_fenced(
    service: Service,
    own_service: Service,
    simulator: Simulator,
    checkpoints: Checkpoints,
    read: Read,
    reference: list[Record],
    backtest_id: str,
) -> None:
    simulator.fault("slow", bytes_per_s=3 * MEGABYTE, times=1, match=QUOTES)
    task_id = service.start_task(quotes(backtest_id))
    checkpoints.started(task_id)
    own_service.start_task(quotes(backtest_id))
    until(lambda: service.status(task_id) is None, "the older runner gives up")
    checkpoints.completed(task_id)

    assert content(read(task_id)) == content(reference)


@pytest.mark.chaos
def test_two_runners_that_start_together_write_one_topic(
    service: Service,
    own_service: Service,
    checkpoints: Checkpoints,
    read: Read,
    reference: list[Record],
    backtest_id: str,
) -> None:
    for each in (service, own_service):
        task_id = each.start_task(quotes(backtest_id))
    checkpoints.completed(task_id)
    for each in (service, own_service):
        until(lambda each=each: each.status(task_id) is None, "both have ended")  # type: ignore[misc]

    assert content(read(task_id)) == content(reference)


@pytest.mark.chaos
def test_checkpoints_behind_anothers_hanging_transaction_are_waited_for_at_a_restart(
    own_service: Service,
    broker: Broker,
    simulator: Simulator,
    checkpoints: Checkpoints,
    read: Read,
    reference: list[Record],
) -> None:
    """Design 4.3: a runner that does not see its own last checkpoints writes rows twice."""
    task = quotes("hanging")
    simulator.fault("slow", bytes_per_s=3 * MEGABYTE)
    task_id = own_service.start_task(task)
    seen = checkpoints.started(task_id)
    with hanging_transaction(broker, partition_of(task_id)):
        until(lambda: ends(broker, task_id)[1] > seen.records + 50_000, "blocks are written whose checkpoints hide")
        own_service.kill9()
        simulator.heal()
        own_service.start().start_task(task)
        time.sleep(1.5)
        status = own_service.status(task_id)
        assert status is not None, "it ended without its checkpoints"
        end, stable_end = ends(broker, task_id)
        assert end == stable_end < len(reference)
    checkpoints.completed(task_id)

    assert content(read(task_id)) == content(reference)


def test_rows_that_the_vendor_has_revised_meanwhile_are_never_mixed(
    half_written: str,
    service: Service,
    simulator: Simulator,
    checkpoints: Checkpoints,
    read: Read,
    reference: list[Record],
    backtest_id: str,
) -> None:
    before = read(half_written)
    simulator.fault("revised", row=5)
    service.start_task(quotes(backtest_id))

    now = checkpoints.failed(half_written, "source_changed")

    assert read(half_written) == before
    assert now.records == len(before)
    simulator.heal()
    service.stop_task(half_written)
    service.start_task(quotes(backtest_id, attempt=2))
    assert checkpoints.completed(half_written, attempt=2).records == len(reference)


def test_a_vendor_that_has_fewer_rows_now_has_revised_them(
    half_written: str, service: Service, simulator: Simulator, checkpoints: Checkpoints, backtest_id: str
) -> None:
    simulator.fault("status", status=472)
    service.start_task(quotes(backtest_id))

    checkpoints.failed(half_written, "source_changed")


def test_a_topic_that_is_gone_is_not_begun_anew(
    half_written: str, broker: Broker, service: Service, checkpoints: Checkpoints, backtest_id: str
) -> None:
    admin = connect(broker.kafka)
    delete_topics(admin, [half_written])
    until(lambda: half_written not in partition_counts(admin), "the topic is gone")
    service.start_task(quotes(backtest_id))

    now = checkpoints.failed(half_written, "topic_lost")
    assert now.failure is not None
    assert half_written in now.failure.message


@pytest.mark.chaos
def test_a_registry_that_dies_hinders_only_who_has_not_asked_it_yet(
    own_service: Service,
    registry: Registry,
    simulator: Simulator,
    checkpoints: Checkpoints,
    read: Read,
    reference: list[Record],
) -> None:
    simulator.fault("slow", bytes_per_s=5 * MEGABYTE, times=1, match=QUOTES)
    task_id = own_service.start_task(quotes("noregistry"))
    checkpoints.started(task_id)
    registry.kill9()
    try:
        checkpoints.completed(task_id)
        trades = own_service.start_task(quotes("noregistry", schema="trade", interval=None))
        status = until(
            lambda: (now := own_service.status(trades)) and now["state"] == "waiting" and now, "the new task waits"
        )
        assert "registry_unavailable" in status["reason"]
    finally:
        registry.start()

    assert content(read(task_id)) == content(reference)
    assert checkpoints.completed(trades).records == len(read(trades))


def test_a_vendor_that_is_away_is_waited_for_and_the_task_can_be_stopped_meanwhile(
    new_service: ServiceOf, backtest_id: str
) -> None:
    away = new_service("http://127.0.0.1:9").start()
    task_id = away.start_task(quotes(backtest_id))
    time.sleep(1)
    assert away.status(task_id) is not None
    started = time.monotonic()
    away.stop_task(task_id)
    assert time.monotonic() - started < 10
    assert away.end() == 0


def test_a_plan_is_not_made_while_the_vendor_is_away(new_service: ServiceOf, backtest_id: str) -> None:
    away = new_service("http://127.0.0.1:9").start()

    answer = away.http.post("/v1/tasks:plan", json={"tasks": [quotes(backtest_id)]})

    assert answer.status_code == 503
    assert answer.headers["retry-after"]
    assert away.end() == 0
