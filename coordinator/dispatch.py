"""Brings the world to the wanted state: topics exist, tasks run that should, and none that should not."""

import asyncio
import itertools
import logging
from collections.abc import Awaitable, Callable, Iterator
from datetime import datetime
from functools import partial
from typing import Final

from prometheus_client import Counter

from coordinator.backtests.manifest import Manifests, manifest
from coordinator.backtests.service import Backtests
from coordinator.backtests.states import Observed, Wanted, is_finished
from coordinator.backtests.store import Backtest
from coordinator.backtests.views import states
from coordinator.broker import Broker
from coordinator.historical import HistoricalService
from coordinator.progress import Changes, Progress
from stoculus.errors import ServiceUnavailable, StoculusError
from stoculus.tasks import StockTask, TaskStatus

PERIOD_S: Final = 0.5
RESTLESS_S: Final = 0.1
"""The period while something stops: whoever paused or deleted waits for it."""
GRACE_S: Final = 2.0
"""How long a task that the service had is not given to it again: the checkpoint of its end may be on its way."""
REFUSED_S: Final = 5.0
TOPICS_AT_ONCE: Final = 100
POSTS_AT_ONCE: Final = 8
log = logging.getLogger(__name__)


class Dispatcher:
    """The reconcile loop. It asks the services each round and assumes nothing; doing anything twice is harmless."""

    def __init__(
        self,
        *,
        backtests: Backtests,
        progress: Progress,
        broker: Broker,
        historical: HistoricalService,
        manifests: Manifests,
        manifests_known: Callable[[], bool],
        changes: Changes,
        janitor: Callable[[], Awaitable[None]],
        errors: Counter,
        now: Callable[[], datetime],
        monotonic: Callable[[], float],
    ) -> None:
        self.observed: dict[str, Observed] = {}
        self._backtests = backtests
        self._progress = progress
        self._broker = broker
        self._historical = historical
        self._manifests = manifests
        self._manifests_known = manifests_known
        self._changes = changes
        self._janitor = janitor
        self._errors = errors
        self._now = now
        self._monotonic = monotonic
        self._awake = asyncio.Event()
        self._not_before: dict[tuple[str, int], float] = {}
        self._created: set[str] = set()
        self._posted: set[str] = set()
        self._posts = asyncio.Semaphore(POSTS_AT_ONCE)
        self._at_once: set[asyncio.Task[None]] = set()
        self._last_error = ""

    def wake(self, backtest_id: str | None = None) -> None:
        """Do a round now; what the named backtest needs started is started beside it, without waiting for its turn."""
        if backtest_id and self._progress.service_trouble is None:
            task = asyncio.create_task(self._guarded(lambda: self._start(self._backtests.row(backtest_id))))
            self._at_once.add(task)
            task.add_done_callback(self._at_once.discard)
        self._awake.set()

    async def run(self) -> None:
        """Work until cancelled."""
        while True:
            self._awake.clear()
            if self._backtests.trouble:
                await self._guarded(self._backtests.load)
            if not self._backtests.trouble:
                await self._round()
            await asyncio.sleep(RESTLESS_S / 2)
            restless = any(status.state == "stopping" for status in self._progress.held.values())
            try:
                async with asyncio.timeout(RESTLESS_S if restless else PERIOD_S):
                    await self._awake.wait()
            except TimeoutError:
                continue

    async def _round(self) -> None:
        await self._guarded(self._ask)
        if self._progress.service_trouble is None:
            for backtest in self._backtests.opened():
                await self._guarded(partial(self._settle, backtest))
        await self._guarded(self._janitor)
        if self._manifests_known():
            await self._guarded(self._publish)

    async def _guarded(self, step: Callable[[], Awaitable[None]]) -> None:
        try:
            await step()
        except StoculusError as error:
            self._note(error)

    def _note(self, error: StoculusError) -> None:
        self._errors.labels(error.code).inc()
        if str(error) != self._last_error:
            log.warning("%s", error)
        self._last_error = str(error)

    async def _ask(self) -> None:
        """Ask the service what it holds, and tell who watches what is new in it."""
        before = self._progress.held
        self._posted.clear()
        try:
            held = await self._historical.tasks()
            # What was given to the service while it answered may be missing in its answer.
            self._progress.held = held | {t: s for t, s in self._progress.held.items() if t in self._posted}
            self._progress.service_trouble = None
            for status in held.values():
                self._hold_back(status)
        except StoculusError as error:
            self._progress.service_trouble = str(error)
            raise
        if before != self._progress.held:
            for backtest in self._backtests.opened():
                if any(before.get(t) != self._progress.held.get(t) for t in backtest.topics):
                    self._changes.tell(backtest.backtest_id)

    async def _settle(self, backtest: Backtest) -> None:
        """Start or stop what a backtest needs."""
        if backtest.wanted is Wanted.RUN and not backtest.deleted_at:
            return await self._start(backtest)
        if backtest.deleted_at:
            self.observed.pop(backtest.backtest_id, None)
        held = [self._progress.held[topic] for topic in backtest.topics if topic in self._progress.held]
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

    def _startable(self, backtest: Backtest) -> list[StockTask]:
        if backtest.wanted is not Wanted.RUN or backtest.deleted_at:
            return []
        known, now = self._progress, self._monotonic()
        return [
            one.task.model_copy(update={"attempt": backtest.attempt, "max_bad_rows": backtest.max_bad_rows})
            for one in backtest.planned
            if one.topic not in known.held
            and one.topic not in known.starting
            and not is_finished(known.checkpoints.get(one.topic), backtest.attempt)
            and self._not_before.get((one.topic, backtest.attempt), 0) <= now
        ]

    async def _create_topics(self, tasks: list[StockTask]) -> None:
        # A task with a checkpoint had its topic: making an empty one anew would hide the loss.
        names = {t.task_id for t in tasks if t.task_id not in self._progress.checkpoints} - self._created
        if names:
            await asyncio.to_thread(self._broker.create, sorted(names))
            self._created |= names

    async def _post(self, task: StockTask) -> None:
        async with self._posts:
            if self._progress.service_trouble or not self._is_still_wanted(task):
                return
            try:
                self._progress.held[task.task_id] = await self._historical.start(task)
                self._posted.add(task.task_id)
                self._hold_back(self._progress.held[task.task_id])
                self._progress.refused.pop(task.task_id, None)
            except ServiceUnavailable as error:
                self._progress.service_trouble = str(error)
                self._note(error)
            except StoculusError as error:
                self._not_before[task.task_id, task.attempt] = self._monotonic() + REFUSED_S
                self._progress.refused[task.task_id] = str(error)
                self._note(error)

    def _hold_back(self, status: TaskStatus) -> None:
        if status.state != "stopping":
            self._not_before[status.task_id, status.attempt] = self._monotonic() + GRACE_S

    def _is_still_wanted(self, task: StockTask) -> bool:
        backtest = self._backtests.row(task.backtest_id)
        return backtest.wanted is Wanted.RUN and not backtest.deleted_at and backtest.attempt == task.attempt

    async def _stop(self, task_id: str) -> None:
        async with self._posts:
            await self._historical.stop(task_id)
        status = self._progress.held.get(task_id)
        if status:
            self._progress.held[task_id] = status.model_copy(update={"state": "stopping"})
        for key in [key for key in self._not_before if key[0] == task_id]:
            del self._not_before[key]

    async def _publish(self) -> None:
        """Write the manifests of those whose state has changed, and let go of what is over."""
        news: dict[str, bytes | None] = {}
        noted: list[tuple[Backtest, Observed]] = []
        for backtest in self._backtests.opened():
            if backtest.deleted_at:
                continue
            state, _ = states(backtest, self._progress)
            self.observed[backtest.backtest_id] = state
            if not self._manifests.says(backtest, state):
                news[backtest.backtest_id] = manifest(backtest, state, self._progress, self._now())
                noted.append((backtest, state))
            elif state.is_terminal and not any(topic in self._progress.held for topic in backtest.topics):
                self._backtests.open.discard(backtest.backtest_id)
                self._forget(backtest)
        await asyncio.to_thread(self._broker.write_manifests, news)
        for backtest, state in noted:
            self._manifests.note(backtest, state)
            self._changes.tell(backtest.backtest_id)

    def _forget(self, backtest: Backtest) -> None:
        self._created -= set(backtest.topics)
        for topic in backtest.topics:
            self._progress.refused.pop(topic, None)
            self._not_before.pop((topic, backtest.attempt), None)


def _batches(tasks: list[StockTask]) -> Iterator[list[StockTask]]:
    iterator = iter(tasks)
    while batch := list(itertools.islice(iterator, TOPICS_AT_ONCE)):
        yield batch
