"""Backtests: what may be done to them, and what stays true meanwhile."""

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

from coordinator.backtests.market import check_days
from coordinator.backtests.models import Planned, Submission, plan
from coordinator.backtests.states import Action, Observed, after
from coordinator.backtests.store import Backtest
from coordinator.backtests.views import Estimate, Partitions, states
from coordinator.broker import Broker
from coordinator.changes import Changes
from coordinator.historical import HistoricalService
from coordinator.progress import Progress
from coordinator.requests import in_request, require_same
from coordinator.room import Room
from coordinator.rows import Rows
from coordinator.store import Store
from coordinator.tail import Tail
from stoculus.errors import (
    BrokerUnavailable,
    Conflict,
    InvalidRequest,
    NotFound,
    ServiceUnavailable,
    StoculusError,
    Transient,
)
from stoculus.records.catalog import Asset
from stoculus.tasks import TaskPlan

log = logging.getLogger(__name__)


class Backtests:
    """Every backtest. Used on the event loop. `open` holds the ids of those that may still need something done."""

    def __init__(
        self,
        *,
        store: Store[Backtest],
        broker: Broker,
        services: Mapping[Asset, HistoricalService],
        progress: Progress,
        tail: Tail,
        changes: Changes,
        room: Room,
        now: Callable[[], datetime],
        new_id: Callable[[], str],
    ) -> None:
        self.open: set[str] = set()
        self.wake: Callable[[str], None] = lambda _: None
        self._rows = Rows(store)
        self._broker = broker
        self._services = services
        self._progress = progress
        self._tail = tail
        self._changes = changes
        self._room = room
        self._now = now
        self._new_id = new_id
        room.count(lambda: (topic for row in self.opened() if not row.deleted_at for topic in row.topics))

    async def load(self) -> None:
        """Read the store; raise ServiceUnavailable where it cannot be read."""
        await self._rows.load()
        self.open = {row.backtest_id for row in self._rows.known.values() if not row.purged_at}

    @property
    def trouble(self) -> ServiceUnavailable | None:
        """Why the store has not been read."""
        return self._rows.trouble

    def all(self) -> list[Backtest]:
        """Those that are not deleted, the newest first."""
        rows = (row for row in self._rows.known.values() if not row.deleted_at)
        return sorted(rows, key=lambda row: (row.created_at, row.backtest_id), reverse=True)

    def opened(self) -> list[Backtest]:
        """Those that may still need something done, deleted ones too, the oldest first."""
        rows = self._rows.known
        return sorted((rows[one] for one in tuple(self.open)), key=lambda row: (row.created_at, row.backtest_id))

    def get(self, backtest_id: str) -> Backtest:
        """One backtest; raise NotFound, and while its progress is not known BrokerUnavailable."""
        row = self._rows.known.get(backtest_id)
        if row is None or row.deleted_at:
            was = "was deleted" if row else "does not exist"
            raise NotFound(f"Backtest {backtest_id[:80]!r} {was}.", remedy="GET /v1/backtests lists those there are.")
        self._require_progress()
        return row

    def page(self, limit: int, cursor: str | None) -> list[Backtest]:
        """Up to `limit` backtests after the one that `cursor` names, the newest first."""
        self._require_progress()
        rows = self.all()
        if cursor is not None:
            after_it = self._rows.known.get(cursor)
            if after_it is None:
                raise InvalidRequest(
                    "This cursor is not one.", remedy="Use next_cursor of the page before.", field="cursor"
                )
            rows = [r for r in rows if (r.created_at, r.backtest_id) < (after_it.created_at, after_it.backtest_id)]
        return rows[:limit]

    def observed(self, backtest: Backtest) -> Observed:
        return states(backtest, self._progress)[0]

    async def submit(self, submission: Submission) -> tuple[Backtest, bool]:
        """Store a backtest, or find the same one; say whether it is new. A failure leaves nothing behind."""
        _ = self._rows.known
        if submission.backtest_id is None:
            return await self._create(submission, self._new_id()), True
        async with self._rows.flight(submission.backtest_id):
            if row := self._rows.known.get(submission.backtest_id):
                return _same(row, submission), False
            return await self._create(submission, submission.backtest_id), True

    async def estimate(self, submission: Submission) -> Estimate:
        """What a submission would cost; it is refused like a submission. Stores nothing."""
        planned = self._planned(submission, submission.backtest_id or "estimate")
        existing, plans = await self._preflight(planned)
        used = self._room.check([one.topic for one in planned], existing)
        return Estimate(
            topics=[one.topic for one in planned],
            requests=sum(p.requests for p in plans),
            rows=sum(p.rows for p in plans),
            bytes=sum(p.bytes for p in plans),
            seconds=sum(p.seconds for p in plans),
            partitions=Partitions(
                existing=used, new=len(planned), free=self._room.max_partitions - used - len(planned)
            ),
            warnings=[f"{p.task_id}: {warning}" for p in plans for warning in p.warnings],
            notes=[f"{p.task_id}: {note}" for p in plans for note in p.notes],
            tasks=plans,
        )

    async def act(self, backtest_id: str, action: Action, max_bad_rows: int | None = None) -> Backtest:
        """Pause, resume, cancel or retry; raise Conflict where the state forbids it. Doing it again changes nothing."""
        async with self._rows.flight(backtest_id):
            backtest = self.get(backtest_id)
            wanted = after(action, backtest.wanted, self.observed(backtest))
            changes: dict[str, Any] = {} if wanted is backtest.wanted else {"wanted": wanted}
            if action is Action.RETRY:
                changes = {"wanted": wanted, "attempt": backtest.attempt + 1}
                changes |= {} if max_bad_rows is None else {"max_bad_rows": max_bad_rows}
            return await self._change(backtest, **changes) if changes else backtest

    async def delete(self, backtest_id: str) -> Backtest:
        """Want a backtest and its topics gone. The id stays taken."""
        async with self._rows.flight(backtest_id):
            return await self._change(self.get(backtest_id), deleted_at=self._now())

    async def purged(self, backtest: Backtest) -> None:
        """Note that a deleted backtest's topics are gone."""
        await self._change(backtest, purged_at=self._now())
        self.open.discard(backtest.backtest_id)

    def row(self, backtest_id: str) -> Backtest:
        """The newest version of a backtest that is known to exist, deleted or not."""
        return self._rows.known[backtest_id]

    async def _create(self, submission: Submission, backtest_id: str) -> Backtest:
        planned = self._planned(submission, backtest_id)
        existing, _ = await self._preflight(planned)
        async with self._room.lock:
            self._room.check([one.topic for one in planned], existing)
            self._check_unused(planned, existing)
            backtest = Backtest(backtest_id, self._now(), submission.model_copy(update={"backtest_id": backtest_id}))
            await self._rows.add(backtest)
            self._tell(backtest)
        log.info("%s is submitted: %d topics", backtest_id, len(planned), extra={"backtest_id": backtest_id})
        return backtest

    def _planned(self, submission: Submission, backtest_id: str) -> list[Planned]:
        check_days(submission, self._now())
        planned = plan(submission, backtest_id)
        _ = self._rows.known
        self._require_progress()
        return planned

    async def _preflight(self, planned: Sequence[Planned]) -> tuple[dict[str, int], list[TaskPlan]]:
        """The partitions of the broker, and the services' plans; raise what any of them refuses."""
        counts = asyncio.to_thread(self._broker.partition_counts)
        existing, plans = await asyncio.gather(counts, self._plans(planned), return_exceptions=True)
        for outcome in (plans, existing):
            if isinstance(outcome, BaseException):
                raise outcome
        return existing, plans  # type: ignore[return-value]

    async def _plans(self, planned: Sequence[Planned]) -> list[TaskPlan]:
        """What the services say of their tasks, in the order of `planned`."""
        by_asset = [(service, [p for p in planned if p.asset == asset]) for asset, service in self._services.items()]
        answers = await asyncio.gather(
            *(_ask_plans(service, own) for service, own in by_asset if own), return_exceptions=True
        )
        if troubles := [answer for answer in answers if isinstance(answer, BaseException)]:
            # First what the user can correct, last what time will.
            raise min(troubles, key=lambda trouble: isinstance(trouble, Transient))
        by_topic = {topic: plan for answer in answers if isinstance(answer, dict) for topic, plan in answer.items()}
        return [by_topic[one.topic] for one in planned]

    def _check_unused(self, planned: Sequence[Planned], existing: dict[str, int]) -> None:
        for one in planned:
            if one.topic in existing or one.topic in self._progress.checkpoints:
                raise Conflict(
                    f"The topic {one.topic} is there already, of a backtest that this coordinator does not know.",
                    remedy="Use another backtest_id.",
                    field="backtest_id",
                )

    async def _change(self, backtest: Backtest, **changes: Any) -> Backtest:
        new = await self._rows.change(backtest, **changes)
        self._tell(new)
        return new

    def _tell(self, backtest: Backtest) -> None:
        self.open.add(backtest.backtest_id)
        self._changes.tell(backtest.backtest_id)
        self.wake(backtest.backtest_id)

    def _require_progress(self) -> None:
        if not self._tail.caught_up:
            raise BrokerUnavailable(
                f"How far the work has come is not known: {self._tail.trouble}", remedy="Try again when /readyz is 200."
            )


def _same(row: Backtest, submission: Submission) -> Backtest:
    if row.deleted_at:
        raise Conflict(
            f"The backtest id {row.backtest_id!r} was deleted; an id is never used again.",
            remedy="Use another backtest_id.",
            field="backtest_id",
        )
    require_same("backtest", row.backtest_id, row.submission.canonical(), submission.canonical())
    return row


async def _ask_plans(service: HistoricalService, planned: Sequence[Planned]) -> dict[str, TaskPlan]:
    """A service's plans by topic; raise what it refuses with the field of the request."""
    try:
        plans = await service.plan([one.task for one in planned])
    except StoculusError as error:
        raise in_request(error, "tasks", planned) from error
    return {one.topic: plan for one, plan in zip(planned, plans, strict=True)}
