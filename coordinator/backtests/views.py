"""What the API answers about backtests."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from pydantic import BaseModel, Field

from coordinator.backtests.models import Planned
from coordinator.backtests.states import Observed, TaskState, Wanted, observed_state, task_state
from coordinator.backtests.store import Backtest
from coordinator.progress import Progress
from stoculus.checkpoints import Checkpoint, Failure
from stoculus.tasks import TaskPlan


class TaskView(BaseModel):
    """A task: one topic of a backtest."""

    topic: str
    symbol: str
    schema_name: str = Field(serialization_alias="schema")
    state: TaskState
    waiting: str | None = Field(default=None, description="what it waits for, while it tries again by itself")
    records: int = Field(default=0, description="committed records on the topic")
    rows_expected: int = Field(default=0, description="estimate, for progress only")
    empty_bars: int = 0
    bad_rows: int = 0
    chunks_done: int = 0
    chunks_total: int = 0
    last_ts_event: datetime | None = None
    complete_until: datetime | None = Field(default=None, description="up to this market time the topic is complete")
    failure: Failure | None = None
    warnings: list[str] = []


class BacktestView(BaseModel):
    """A backtest without its tasks."""

    backtest_id: str
    state: Observed
    topics: list[str]
    wanted: Wanted
    attempt: int
    max_bad_rows: int
    created_at: datetime
    expires_at: datetime | None
    records: int


class BacktestDetail(BacktestView):
    """A backtest with its request and its tasks."""

    request: dict[str, Any]
    tasks: list[TaskView]


class BacktestPage(BaseModel):
    """Backtests, the newest first. `next_cursor` goes on; without one this is the last page."""

    backtests: list[BacktestView]
    next_cursor: str | None


class Deletion(BaseModel):
    """A backtest whose topics are gone (`deleted`), or go as soon as broker and services let them (`deleting`)."""

    backtest_id: str
    state: str
    topics: list[str]


class Receipts(BaseModel):
    """The proof of what a completed backtest wrote: the last checkpoint of each topic."""

    backtest_id: str
    state: Observed
    topics: list[str]
    records: int
    receipts: list[dict[str, Any]]


class Partitions(BaseModel):
    """The broker's room in partitions, all topics together."""

    existing: int
    new: int
    free: int = Field(description="what is left with the new ones")


class Estimate(BaseModel):
    """What a backtest would cost: the sum over its tasks. Nothing was stored."""

    topics: list[str]
    requests: int
    rows: int
    bytes: int
    seconds: float
    partitions: Partitions
    warnings: list[str]
    notes: list[str] = Field(description="how the vendor will be asked, where there is a choice")
    tasks: list[TaskPlan]


def states(backtest: Backtest, progress: Progress) -> tuple[Observed, list[TaskState]]:
    """The observed state of a backtest and of its tasks, in their order."""
    kinds, begun, all_held = [], False, progress.held
    for topic in backtest.topics:
        checkpoint, held = progress.checkpoints.get(topic), all_held.get(topic)
        kinds.append(task_state(backtest.wanted, backtest.attempt, checkpoint, held))
        begun = begun or checkpoint is not None or (held is not None and held.state != "queued")
    return observed_state(backtest.wanted, kinds, begun=begun), kinds


def view(backtest: Backtest, progress: Progress) -> BacktestView:
    """A backtest as the list shows it."""
    return BacktestView(**_common(backtest, progress, states(backtest, progress)[0]))


def detail(backtest: Backtest, progress: Progress) -> BacktestDetail:
    """A backtest with all its tasks."""
    state, kinds = states(backtest, progress)
    return BacktestDetail(
        **_common(backtest, progress, state),
        request=backtest.submission.model_dump(mode="json", by_alias=True, exclude_none=True),
        tasks=_tasks(backtest, progress, kinds),
    )


def receipts(backtest: Backtest, progress: Progress) -> list[Checkpoint]:
    """The last checkpoints of all tasks that have one."""
    return [progress.checkpoints[topic] for topic in backtest.topics if topic in progress.checkpoints]


def _common(backtest: Backtest, progress: Progress, state: Observed) -> dict[str, Any]:
    return {
        "backtest_id": backtest.backtest_id,
        "state": state,
        "topics": backtest.topics,
        "wanted": backtest.wanted,
        "attempt": backtest.attempt,
        "max_bad_rows": backtest.max_bad_rows,
        "created_at": backtest.created_at,
        "expires_at": backtest.expires_at,
        "records": sum(checkpoint.records for checkpoint in receipts(backtest, progress)),
    }


def _tasks(backtest: Backtest, progress: Progress, kinds: Sequence[TaskState]) -> list[TaskView]:
    tasks = []
    for planned, kind in zip(backtest.planned, kinds, strict=True):
        known: dict[str, Any] = {
            "topic": planned.topic,
            "symbol": planned.task.symbol,
            "schema_name": planned.task.record_schema.name,
            "state": kind,
            "waiting": _waiting(planned, kind, progress),
        }
        if checkpoint := progress.checkpoints.get(planned.topic):
            known |= {name: getattr(checkpoint, name) for name in _FROM_CHECKPOINT}
            known["failure"] = checkpoint.failure if kind is TaskState.FAILED else None
        tasks.append(TaskView(**known))
    return tasks


_FROM_CHECKPOINT = TaskView.model_fields.keys() & Checkpoint.model_fields.keys() - {
    "state",
    "schema_name",
    "symbol",
    "failure",
}


def _waiting(planned: Planned, kind: TaskState, progress: Progress) -> str | None:
    if kind.is_terminal or not kind.is_held:
        return None
    service = progress.services[planned.asset]
    held = service.held.get(planned.topic)
    return service.trouble or (held.reason if held else progress.refused.get(planned.topic))
