"""What is done for all backtests together: the store is read, manifests are written, the unwanted is deleted."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime

from prometheus_client import Counter

from coordinator.backtests.manifest import Manifests, manifest
from coordinator.backtests.service import Backtests
from coordinator.backtests.states import Observed
from coordinator.backtests.store import Backtest
from coordinator.backtests.views import states
from coordinator.broker import Broker
from coordinator.changes import Changes
from coordinator.dispatch import Dispatcher
from coordinator.progress import Progress
from coordinator.rounds import Rounds

log = logging.getLogger(__name__)


class Keeper(Rounds):
    """Works beside the dispatchers, one of each service: none of them waits for a service that is not its own."""

    def __init__(
        self,
        *,
        backtests: Backtests,
        progress: Progress,
        broker: Broker,
        dispatchers: Sequence[Dispatcher],
        manifests: Manifests,
        manifests_known: Callable[[], bool],
        changes: Changes,
        janitor: Callable[[], Awaitable[None]],
        errors: Counter,
        now: Callable[[], datetime],
    ) -> None:
        super().__init__(errors)
        self.observed: dict[str, Observed] = {}
        self._backtests = backtests
        self._progress = progress
        self._broker = broker
        self._dispatchers = dispatchers
        self._manifests = manifests
        self._manifests_known = manifests_known
        self._changes = changes
        self._janitor = janitor
        self._now = now

    async def run_all(self) -> None:
        """Work with the dispatchers until cancelled."""
        async with asyncio.TaskGroup() as group:
            for one in (self, *self._dispatchers):
                group.create_task(one.run())

    def wake_all(self, backtest_id: str | None = None) -> None:
        """Do a round everywhere; what the named backtest needs started is started at once."""
        for dispatcher in self._dispatchers:
            dispatcher.wake_for(backtest_id)
        self.wake()

    async def _round(self) -> None:
        if self._backtests.trouble:
            await self._guarded(self._backtests.load)
            for dispatcher in self._dispatchers:
                dispatcher.wake()
        if not self._backtests.trouble:
            await self._guarded(self._janitor)
            if self._manifests_known():
                await self._guarded(self._publish)

    async def _publish(self) -> None:
        """Write the manifests of those whose state has changed, and let go of what is over."""
        news: dict[str, bytes | None] = {}
        noted: list[tuple[Backtest, Observed]] = []
        held = self._progress.held
        for backtest in self._backtests.opened():
            if backtest.deleted_at:
                self.observed.pop(backtest.backtest_id, None)
                continue
            state, _ = states(backtest, self._progress)
            self.observed[backtest.backtest_id] = state
            if not self._manifests.says(backtest, state):
                news[backtest.backtest_id] = manifest(backtest, state, self._progress, self._now())
                noted.append((backtest, state))
            elif state.is_terminal and held.keys().isdisjoint(backtest.topics):
                self._backtests.open.discard(backtest.backtest_id)
                for dispatcher in self._dispatchers:
                    dispatcher.forget(backtest)
        await asyncio.to_thread(self._broker.write_manifests, news)
        for backtest, state in noted:
            log.info("%s is %s", backtest.backtest_id, state, extra={"backtest_id": backtest.backtest_id})
            self._manifests.note(backtest, state)
            self._changes.tell(backtest.backtest_id)
