"""Holding tasks. The runners are stand-ins that run until they are told to end."""

import threading
from collections.abc import Iterator
from typing import Any

import pytest

from services.kit.pool import TaskPool
from stoculus.errors import NotFound
from stoculus.tasks import StockTask


class Runner:
    """Runs until it is stopped or finished."""

    def __init__(self) -> None:
        self.waiting_for: str | None = None
        self.running, self.finished, self.runs = threading.Event(), threading.Event(), 0

    def run(self, stop: threading.Event) -> None:
        self.runs += 1
        self.running.set()
        while not stop.is_set() and not self.finished.wait(0.01):
            pass


class Pool(TaskPool[StockTask]):
    """A pool of one thread that remembers its runners."""

    def __init__(self) -> None:
        self.runners: list[Runner] = []
        super().__init__(self._make, 1)

    def _make(self, _: StockTask) -> Any:
        self.runners.append(Runner())
        return self.runners[-1]


@pytest.fixture
def pool() -> Iterator[Pool]:
    made = Pool()
    yield made
    made.close()


def task(ticker: str, attempt: int = 1) -> StockTask:
    body = {"backtest_id": "1", "ticker": ticker, "start": "2024-01-02", "end": "2024-01-03", "attempt": attempt}
    return StockTask.model_validate(body)


A, B = task("A"), task("B")


def wait_until_gone(pool: Pool, task_id: str) -> None:
    for _ in range(3000):
        if task_id not in [status.task_id for status in pool.statuses()]:
            return
        threading.Event().wait(0.01)
    raise AssertionError(task_id)


def test_tasks_beyond_the_threads_are_queued_in_order(pool: Pool) -> None:
    for each in (A, B):
        pool.submit(each)
    assert pool.runners[0].running.wait(30)

    assert [(status.task_id, status.state) for status in pool.statuses()] == [
        (A.task_id, "running"),
        (B.task_id, "queued"),
    ]
    pool.runners[0].finished.set()
    assert pool.runners[1].running.wait(30)
    wait_until_gone(pool, A.task_id)
    assert pool.status(B.task_id).state == "running"


def test_a_held_task_is_not_taken_again_whatever_its_attempt(pool: Pool) -> None:
    assert pool.submit(A)[1]
    status, is_new = pool.submit(task("A", attempt=2))

    assert (status.attempt, is_new, len(pool.runners)) == (1, False, 1)


def test_an_ended_task_is_held_no_more_and_may_come_again(pool: Pool) -> None:
    pool.submit(A)
    pool.runners[0].finished.set()
    wait_until_gone(pool, A.task_id)
    with pytest.raises(NotFound):
        pool.status(A.task_id)

    assert pool.submit(A)[1]


def test_a_waiting_task_says_why(pool: Pool) -> None:
    pool.submit(A)
    assert pool.runners[0].running.wait(30)
    pool.runners[0].waiting_for = "vendor_busy: …"

    status = pool.status(A.task_id)

    assert (status.state, status.reason) == ("waiting", "vendor_busy: …")


def test_a_queued_task_that_is_stopped_never_runs(pool: Pool) -> None:
    pool.submit(A)
    pool.submit(B)
    pool.stop(B.task_id)
    with pytest.raises(NotFound):
        pool.status(B.task_id)
    assert pool.submit(B)[1]
    assert pool.runners[0].running.wait(30)
    pool.runners[0].finished.set()
    assert pool.runners[2].running.wait(30)

    assert pool.runners[1].runs == 0


def test_a_stopped_task_is_held_until_its_block_is_over(pool: Pool) -> None:
    pool.submit(A)
    assert pool.runners[0].running.wait(30)
    pool.stop(A.task_id)
    wait_until_gone(pool, A.task_id)
    with pytest.raises(NotFound):
        pool.stop(A.task_id)


def test_closing_ends_what_runs_and_what_is_queued() -> None:
    pool = Pool()
    pool.submit(A)
    pool.submit(B)
    assert pool.runners[0].running.wait(30)
    pool.close()

    assert [runner.runs for runner in pool.runners] == [1, 0]
    assert A.task_id not in [status.task_id for status in pool.statuses()]


def test_closing_does_not_wait_for_a_task_that_hangs(pool: Pool) -> None:
    class Hanging(Runner):
        def run(self, stop: threading.Event) -> None:
            self.running.set()
            self.finished.wait(30)

    hanging = Hanging()
    pool._runner_of = lambda _: hanging  # type: ignore[assignment,return-value]
    pool.submit(A)
    assert hanging.running.wait(30)
    pool.close(timeout_s=0.1)

    assert pool.status(A.task_id).state == "stopping"
    hanging.finished.set()
    wait_until_gone(pool, A.task_id)
