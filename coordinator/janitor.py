"""Deletes what nobody wants any more: backtests whose time is over, and the topics of deleted ones."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from coordinator.backtests.service import Backtests
from coordinator.backtests.store import Backtest
from coordinator.broker import Broker
from coordinator.changes import Changes
from coordinator.progress import Progress
from stoculus import topics


@dataclass(frozen=True, slots=True)
class Janitor:
    """One sweep does all that can be done now; what cannot is done by a later one."""

    backtests: Backtests
    progress: Progress
    broker: Broker
    changes: Changes
    now: Callable[[], datetime]

    async def sweep(self) -> None:
        """Raise what broker or store refuse; sweeping again goes on."""
        for backtest in self._expired():
            await self.backtests.delete(backtest.backtest_id)
        for backtest in self.backtests.opened():
            if backtest.deleted_at and self._is_at_rest(backtest):
                await self._purge(backtest)

    def _expired(self) -> list[Backtest]:
        now = self.now()
        return [b for b in self.backtests.all() if b.expires_at and b.expires_at <= now]

    def _is_at_rest(self, backtest: Backtest) -> bool:
        """Whether no service writes to its topics: only one that has just answered can tell."""
        answer = all(self.progress.services[one.asset].trouble is None for one in backtest.planned)
        busy = self.progress.held.keys() | self.progress.starting
        return answer and busy.isdisjoint(backtest.topics)

    async def _purge(self, backtest: Backtest) -> None:
        await asyncio.to_thread(self._clear, backtest)
        await self.backtests.purged(backtest)
        self.changes.tell(backtest.backtest_id)

    def _clear(self, backtest: Backtest) -> None:
        names = {name for topic in backtest.topics for name in (topic, topics.quarantine(topic))}
        self.broker.delete(sorted(names & self.broker.partition_counts().keys()))
        self.broker.forget_checkpoints(backtest.topics)
        self.broker.write_manifests({backtest.backtest_id: None})
