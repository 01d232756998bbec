"""Brings a service to the wanted state: topics exist, tasks run that should, and none that should not."""

import asyncio
import itertools
from collections.abc import Callable, Iterator
from functools import partial
from typing import Final

from prometheus_client import Counter

from coordinator.backtests.models import Planned, Task
from coordinator.backtests.service import Backtests
from coordinator.backtests.states import Wanted, is_finished
from coordinator.backtests.store import Backtest
from coordinator.broker import TOPICS_AT_ONCE, Broker
from coordinator.changes import Changes
from coordinator.historical import HistoricalService
from coordinator.progress import Progress
from coordinator.rounds import Rounds
from stoculus import logs
from stoculus.errors import ServiceUnavailable, StoculusError
from stoculus.tasks import TaskStatus

GRACE_S: Final = 2.0
"""How long a task that the service had is not given to it again: the checkpoint of its end may be on its way."""
REFUSED_S: Final = 5.0
POSTS_AT_ONCE: Final = 8


class Dispatcher(Rounds):
    """The reconcile loop of one service and its tasks. It asks the service each round and assumes nothing."""

    def __init__(
        self,
        *,
        service: HistoricalService,
        backtests: Backtests,
        progress: Progress,
        broker: Broker,
        changes: Changes,
        changed: Callable[[], None],
        errors: Counter,
        monotonic: Callable[[], float],
    ) -> None:
        super().__init__(errors)
        self._service = service
        self._view = progress.services[service.asset]
        self._backtests = backtests
        self._progress = progress
        self._broker = broker
        self._changes = changes
        self._changed = changed
        self._monotonic = monotonic
        self._not_before: dict[tuple[str, int], float] = {}
        self._created: set[str] = set()
        self._posted: set[str] = set()
        self._posts = asyncio.Semaphore(POSTS_AT_ONCE)
        self._at_once: set[asyncio.Task[None]] = set()

    def wake_for(self, backtest_id: str | None) -> None:
        """Do a round now; what the named backtest needs started is started beside it, without waiting for its turn."""
        if backtest_id and self._view.trouble is None:
            with logs.about(backtest_id=backtest_id):
                task = asyncio.create_task(self._guarded(lambda: self._start(self._backtests.row(backtest_id))))
            self._at_once.add(task)
            task.add_done_callback(self._at_once.discard)
        self.wake()

    def forget(self, backtest: Backtest) -> None:
        """Let go of what is known of a backtest that is over."""
        topics = [one.topic for one in self._own(backtest)]
        self._created -= set(topics)
        for topic in topics:
            self._progress.refused.pop(topic, None)
            self._not_before.pop((topic, backtest.attempt), None)

    async def _round(self) -> None:
        if self._backtests.trouble:
            return
        await self._guarded(self._ask)
        if self._view.trouble is None:
            for backtest in self._backtests.opened():
                with logs.about(backtest_id=backtest.backtest_id):
                    await self._guarded(partial(self._settle, backtest))

    def _is_restless(self) -> bool:
        return any(status.state == "stopping" for status in self._view.held.values())

    def _own(self, backtest: Backtest) -> list[Planned]:
        return [one for one in backtest.planned if one.asset == self._service.asset]

    async def _ask(self) -> None:
        """Ask the service what it holds, and tell who watches what is new in it."""
        before = self._view.held
        self._posted.clear()
        try:
            held = await self._service.tasks()
            # What was given to the service while it answered may be missing in its answer.
            self._view.held = held | {t: s for t, s in self._view.held.items() if t in self._posted}
            self._view.trouble = None
            for status in held.values():
                self._hold_back(status)
        except StoculusError as error:
            self._view.trouble = str(error)
            raise
        if before != self._view.held:
            self._changed()
            for backtest in self._backtests.opened():
                if any(before.get(t) != self._view.held.get(t) for t in backtest.topics):
                    self._changes.tell(backtest.backtest_id)

    async def _settle(self, backtest: Backtest) -> None:
        """Start or stop what a backtest needs of the service."""
        if backtest.wanted is Wanted.RUN and not backtest.deleted_at:
            return await self._start(backtest)
        held = [self._view.held[topic] for topic in backtest.topics if topic in self._view.held]
        await asyncio.gather(*(self._stop(status.task_id) for status in held if status.state != "stopping"))

    async def _start(self, backtest: Backtest) -> None:
        wanted = self._startable(backtest)
        ids = {task.task_id for task in wanted}
        self._progress.starting |= ids
        try:
            for batch in _batches(wanted):
                await self._create_topics(batch)
                await asyncio.gather(*(self._post(task) for task in batch))
        finally:
            self._progress.starting -= ids

    def _startable(self, backtest: Backtest) -> list[Task]:
        if backtest.wanted is not Wanted.RUN or backtest.deleted_at:
            return []
        known, now = self._progress, self._monotonic()
        return [
            one.task.model_copy(update={"attempt": backtest.attempt, "max_bad_rows": backtest.max_bad_rows})
            for one in self._own(backtest)
            if one.topic not in self._view.held
            and one.topic not in known.starting
            and not is_finished(known.checkpoints.get(one.topic), backtest.attempt)
            and self._not_before.get((one.topic, backtest.attempt), 0) <= now
        ]

    async def _create_topics(self, tasks: list[Task]) -> None:
        # A task with a checkpoint had its topic: making an empty one anew would hide the loss.
        names = {t.task_id for t in tasks if t.task_id not in self._progress.checkpoints} - self._created
        if names:
            await asyncio.to_thread(self._broker.create, sorted(names))
            self._created |= names

    async def _post(self, task: Task) -> None:
        async with self._posts:
            if self._view.trouble or not self._is_still_wanted(task):
                return
            try:
                self._view.held[task.task_id] = await self._service.start(task)
                self._posted.add(task.task_id)
                self._hold_back(self._view.held[task.task_id])
                self._progress.refused.pop(task.task_id, None)
            except ServiceUnavailable as error:
                self._view.trouble = str(error)
                self._note(error)
            except StoculusError as error:
                self._not_before[task.task_id, task.attempt] = self._monotonic() + REFUSED_S
                self._progress.refused[task.task_id] = str(error)
                self._note(error)

    def _hold_back(self, status: TaskStatus) -> None:
        if status.state != "stopping":
            self._not_before[status.task_id, status.attempt] = self._monotonic() + GRACE_S

    def _is_still_wanted(self, task: Task) -> bool:
        backtest = self._backtests.row(task.backtest_id)
        return backtest.wanted is Wanted.RUN and not backtest.deleted_at and backtest.attempt == task.attempt

    async def _stop(self, task_id: str) -> None:
        async with self._posts:
            await self._service.stop(task_id)
        status = self._view.held.get(task_id)
        if status:
            self._view.held[task_id] = status.model_copy(update={"state": "stopping"})
        for key in [key for key in self._not_before if key[0] == task_id]:
            del self._not_before[key]


def _batches(tasks: list[Task]) -> Iterator[list[Task]]:
    iterator = iter(tasks)
    while batch := list(itertools.islice(iterator, TOPICS_AT_ONCE)):
        yield batch
