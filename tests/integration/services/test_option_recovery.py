"""Whatever dies while a chain is written: the topic ends as if nothing had happened."""

import signal
import time
from collections.abc import Callable, Iterator
from itertools import islice, pairwise
from pathlib import Path
from random import Random
from typing import Any

import pytest

from stoculus.checkpoints import Checkpoint
from tests.conftest import Broker
from tests.integration.kafka.conftest import Record, messages_of
from tests.integration.services.conftest import Read, ServiceOf
from tests.integration.services.harness import Checkpoints, Service, Simulator, content, hash_of, until
from tests.integration.services.transactions import ends

pytestmark = pytest.mark.chaos

DAY = "2024-01-03"
TRIES = 8


def chain(backtest_id: str, **changes: Any) -> dict[str, Any]:
    """The task of 1,000 contracts' quotes at each minute of a day: 391,000 rows in two answers."""
    return {
        "backtest_id": backtest_id,
        "root": "LOAD",
        "start": DAY,
        "end": DAY,
        "schema": "quote1m",
        "expirations": ["2024-01-05", "2024-01-12"],
    } | changes


@pytest.fixture(scope="module")
def undisturbed(option_service: Service, checkpoints: Checkpoints, read: Read) -> list[Record]:
    receipt = checkpoints.completed(option_service.start_task(chain(f"undisturbed-{option_service.port}")))
    records = read(receipt.task_id)
    assert (receipt.records + receipt.empty_bars, receipt.chunks_total) == (391_000, 1)
    assert receipt.hash == hash_of(records)
    return records


@pytest.fixture
def own_option_service(new_service: ServiceOf, simulator: Simulator) -> Iterator[Service]:
    """A started service of the test's own, to be killed."""
    made = new_service(simulator.url, "historical_option").start()
    yield made
    made.close()
    simulator.heal()


def caught(service: Service, checkpoints: Checkpoints, backtest_id: str) -> tuple[dict[str, Any], Checkpoint]:
    """Start a chain, and return it with its checkpoint as soon as something is written."""
    task = chain(backtest_id)
    task_id = service.start_task(task)
    return task, checkpoints.once(task_id, lambda now: now.records > 0, "is written")


@pytest.fixture
def half_written(
    option_service: Service, checkpoints: Checkpoints, simulator: Simulator, undisturbed: list[Record], backtest_id: str
) -> Iterator[dict[str, Any]]:
    """A task that was stopped in the middle of its day; writing takes a second, so it may need some tries."""
    for number in range(TRIES):
        task, now = caught(option_service, checkpoints, f"{backtest_id}-{number}")
        option_service.stop_task(now.task_id)
        stopped = checkpoints.of(now.task_id)
        if stopped is not None and stopped.state == "running":
            break
    else:
        pytest.fail("each task was too fast to be stopped")
    yield task
    simulator.heal()


def id_of(task: dict[str, Any]) -> str:
    return f"option-load-quote1m-historical-{task['backtest_id']}"


def test_a_stopped_chain_ends_at_a_block_boundary_and_goes_on_from_there(
    half_written: dict[str, Any],
    broker: Broker,
    option_service: Service,
    checkpoints: Checkpoints,
    read: Read,
    undisturbed: list[Record],
) -> None:
    task_id = id_of(half_written)
    stopped = checkpoints.of(task_id)
    assert stopped is not None
    records = read(task_id)
    assert 0 < len(records) == stopped.records < len(undisturbed)
    assert content(records) == content(undisturbed[: len(records)])
    end, stable_end = ends(broker, task_id)
    assert end == stable_end

    option_service.start_task(half_written)
    receipt = checkpoints.completed(task_id)

    records = read(task_id)
    assert content(records) == content(undisturbed)
    assert receipt.hash == hash_of(records)


def test_a_day_is_several_transactions(undisturbed: list[Record]) -> None:
    gaps = [later.offset - earlier.offset for earlier, later in pairwise(undisturbed)]

    assert gaps.count(2) >= 5
    assert set(gaps) == {1, 2}


def test_a_service_killed_in_mid_day_leaves_no_duplicate_and_no_hole(
    own_option_service: Service, checkpoints: Checkpoints, read: Read, undisturbed: list[Record], backtest_id: str
) -> None:
    """The moments are random, but each is behind a block more than the last."""
    random, written = Random(5), 0
    task = chain(backtest_id)
    task_id = own_option_service.start_task(task)
    for _ in range(3):
        written = checkpoints.once(task_id, further_than(written), "gets on").records
        time.sleep(random.uniform(0, 0.15))
        own_option_service.kill9()
        own_option_service.start().post(task)
    receipt = checkpoints.completed(task_id)

    assert receipt.records == len(undisturbed)
    assert content(read(task_id)) == content(undisturbed)


def further_than(records: int) -> Callable[[Checkpoint], bool]:
    return lambda now: now.records > records or now.state == "completed"


def test_a_terminated_service_leaves_no_open_transaction_and_nothing_spilled(
    own_option_service: Service,
    broker: Broker,
    checkpoints: Checkpoints,
    read: Read,
    undisturbed: list[Record],
    backtest_id: str,
) -> None:
    task, now = caught(own_option_service, checkpoints, backtest_id)
    assert own_option_service.end(signal.SIGTERM) == 0
    end, stable_end = ends(broker, now.task_id)
    assert end == stable_end
    assert not spilled_by(own_option_service)

    own_option_service.start().post(task)
    checkpoints.completed(now.task_id)
    assert content(read(now.task_id)) == content(undisturbed)


def test_a_service_that_is_terminated_while_it_gathers_a_day_ends_well(
    own_option_service: Service, simulator: Simulator, backtest_id: str
) -> None:
    simulator.fault("slow", bytes_per_s=200_000, match={"path": "option/history/quote"})
    own_option_service.start_task(chain(backtest_id))
    until(lambda: simulator.fired() == [2], "both answers are under way")

    assert own_option_service.end(signal.SIGTERM) == 0
    assert not spilled_by(own_option_service)


def spilled_by(service: Service) -> list[Path]:
    """What the service's process keeps on disk."""
    assert service.process is not None
    return list(Path(service.environment["STOCULUS_SPILL_DIR"]).glob(f"{service.process.pid}/*"))


def test_rows_that_the_vendor_has_revised_meanwhile_are_never_mixed(
    half_written: dict[str, Any], option_service: Service, simulator: Simulator, checkpoints: Checkpoints, read: Read
) -> None:
    task_id = id_of(half_written)
    before = read(task_id)
    simulator.fault("revised", row=5, column="bid")
    option_service.start_task(half_written)

    now = checkpoints.failed(task_id, "source_changed")

    assert now.failure is not None
    assert DAY in now.failure.message
    assert read(task_id) == before
    assert now.records == len(before)


def test_a_vendor_that_has_no_rows_any_more_has_revised_them(
    half_written: dict[str, Any], option_service: Service, simulator: Simulator, checkpoints: Checkpoints
) -> None:
    simulator.fault("status", status=472)
    option_service.start_task(half_written)

    checkpoints.failed(id_of(half_written), "source_changed")


def test_the_same_chain_again_leaves_the_same_bytes_and_a_finished_one_is_left_alone(
    option_service: Service, checkpoints: Checkpoints, read: Read, undisturbed: list[Record], backtest_id: str
) -> None:
    task_id = option_service.start_task(chain(backtest_id))
    receipt = checkpoints.completed(task_id)
    records = read(task_id)
    assert content(records) == content(undisturbed)

    option_service.post(chain(backtest_id))
    option_service.stop_task(task_id)
    assert read(task_id) == records
    assert checkpoints.of(task_id) == receipt


def test_a_day_larger_than_the_memory_is_sorted_out_of_core(
    new_service: ServiceOf, broker: Broker, simulator: Simulator, checkpoints: Checkpoints, backtest_id: str
) -> None:
    service = new_service(simulator.url, "historical_option", memory_budget_mb=32).start()
    receipt = checkpoints.completed(service.start_task(chain(backtest_id, expirations="all")))

    assert "spilled" in service.log.read_text()
    assert receipt.records + receipt.empty_bars == 1_955_000
    assert service.end() == 0
    places = [
        place(m.key() or b"", m.timestamp()[1]) for m in islice(messages_of(broker.kafka, receipt.task_id), 100_000)
    ]
    assert all(earlier < later for earlier, later in pairwise(places))


def place(key: bytes, time_ms: int) -> tuple[int, bytes, bytes, bytes]:
    """Where a record belongs: by time, expiration, strike, calls before puts."""
    return time_ms, key[6:12], key[13:], key[12:13]
