"""The tasks that a service holds now: queued, running, waiting, stopping. Ended ones are told by their checkpoints."""

import logging
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextvars import copy_context
from dataclasses import dataclass, field
from typing import Final, Generic, TypeVar

from services.kit.runner import TaskRunner
from stoculus import logs
from stoculus.errors import NotFound
from stoculus.tasks import HistoricalTask, TaskStatus

log = logging.getLogger(__name__)

AnyTask = TypeVar("AnyTask", bound=HistoricalTask)

CLOSE_S: Final = 2.5
"""How long tasks get for the block that they write when the service ends (`app.GRACE_S`)."""


@dataclass(slots=True)
class _Held:
    task: HistoricalTask
    runner: TaskRunner
    stop: threading.Event = field(default_factory=threading.Event)
    started: bool = False
    future: "Future[None] | None" = None


class TaskPool(Generic[AnyTask]):
    """Runs tasks in threads, `concurrent` at once. Thread-safe."""

    def __init__(self, runner_of: Callable[[AnyTask], TaskRunner], concurrent: int) -> None:
        self._runner_of = runner_of
        self._executor = ThreadPoolExecutor(concurrent, thread_name_prefix="task")
        self._held: dict[str, _Held] = {}
        self._lock = threading.Lock()

    def submit(self, task: AnyTask) -> tuple[TaskStatus, bool]:
        """Hold the task; False where it is held already, whatever its attempt."""
        with self._lock:
            known = self._held.get(task.task_id)
            if known is None:
                held = self._held[task.task_id] = _Held(task, self._runner_of(task))
                held.future = self._executor.submit(copy_context().run, self._run, held)
                held.future.add_done_callback(_log_crash)
                return _status(held), True
            return _status(known), False

    def statuses(self) -> list[TaskStatus]:
        """What is held now."""
        with self._lock:
            return [_status(held) for held in self._held.values()]

    def status(self, task_id: str) -> TaskStatus:
        """One task's state; raise NotFound where it is not held."""
        with self._lock:
            return _status(self._find(task_id))

    def stop(self, task_id: str) -> None:
        """End the task at its next block boundary; it is held until then. Raise NotFound where it is not held."""
        with self._lock:
            held = self._find(task_id)
            held.stop.set()
            if not held.started:
                del self._held[task_id]

    def close(self, timeout_s: float = CLOSE_S) -> None:
        """Stop all tasks; return when each has committed or aborted its block, or after so many seconds.

        What then still runs waits for a broker that is away. Its transaction is ended by the broker, or by the next
        runner of the task.
        """
        with self._lock:
            for held in self._held.values():
                held.stop.set()
            futures = [held.future for held in self._held.values() if held.future]
        self._executor.shutdown(wait=False, cancel_futures=True)
        wait(futures, timeout_s)

    def _find(self, task_id: str) -> _Held:
        if (held := self._held.get(task_id)) is None:
            raise NotFound(f"Task {task_id} does not run here.", remedy="Its checkpoint says how it ended.")
        return held

    def _run(self, held: _Held) -> None:
        with self._lock:
            held.started = True
        try:
            if not held.stop.is_set():
                with logs.about(backtest_id=held.task.backtest_id, task_id=held.task.task_id):
                    log.info("%s starts, attempt %d", held.task.task_id, held.task.attempt)
                    held.runner.run(held.stop)
                    log.info("%s ends", held.task.task_id)
        finally:
            with self._lock:
                if self._held.get(held.task.task_id) is held:
                    del self._held[held.task.task_id]


def _status(held: _Held) -> TaskStatus:
    reason = held.runner.waiting_for
    state = "stopping" if held.stop.is_set() else "waiting" if reason else "running" if held.started else "queued"
    return TaskStatus(task_id=held.task.task_id, state=state, attempt=held.task.attempt, reason=reason)


def _log_crash(future: "Future[None]") -> None:
    if not future.cancelled() and (error := future.exception()) is not None:
        log.error("a task ended by a defect of the suite", exc_info=error)
