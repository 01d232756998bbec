"""Wanted and observed state of a backtest: what is wanted is stored, what is observed is derived and never stored."""

from collections.abc import Collection
from enum import StrEnum, unique
from typing import Final

from coordinator.states import State
from stoculus.checkpoints import Checkpoint
from stoculus.errors import Conflict
from stoculus.tasks import TaskStatus


@unique
class Wanted(StrEnum):
    """What the user wants of a backtest."""

    RUN = "run"
    PAUSE = "pause"
    CANCEL = "cancel"


@unique
class Observed(State):
    """What a backtest is seen to be."""

    QUEUED = ("queued", False)
    RUNNING = ("running", False)
    PAUSED = ("paused", False)
    COMPLETED = ("completed", True)
    FAILED = ("failed", True)
    CANCELLED = ("cancelled", True)


@unique
class TaskState(State):
    """What a task is seen to be. Waiting: the service tries again by itself, the reason stands beside it."""

    QUEUED = ("queued", False)
    RUNNING = ("running", False)
    WAITING = ("waiting", False)
    STOPPING = ("stopping", False)
    PAUSED = ("paused", False)
    COMPLETED = ("completed", True)
    FAILED = ("failed", True)
    CANCELLED = ("cancelled", True)

    @property
    def is_held(self) -> bool:
        """Whether it is, or is about to be, in the hands of a service."""
        return self in (TaskState.QUEUED, TaskState.RUNNING, TaskState.WAITING, TaskState.STOPPING)


@unique
class Action(StrEnum):
    """What a user may do to a backtest that exists."""

    PAUSE = "pause"
    RESUME = "resume"
    CANCEL = "cancel"
    RETRY = "retry"


_OPEN: Final = frozenset({Observed.QUEUED, Observed.RUNNING, Observed.PAUSED})
_ALLOWED: Final = {
    Action.PAUSE: (_OPEN, Wanted.PAUSE),
    Action.RESUME: (_OPEN, Wanted.RUN),
    Action.CANCEL: (_OPEN | {Observed.FAILED, Observed.CANCELLED}, Wanted.CANCEL),
    Action.RETRY: (frozenset({Observed.FAILED}), Wanted.RUN),
}
"""In which observed states an action is allowed, and what is wanted after it."""


def after(action: Action, wanted: Wanted, observed: Observed) -> Wanted:
    """What is wanted after the action; raise Conflict where the state forbids it."""
    states, then = _ALLOWED[action]
    if observed not in states or (wanted is Wanted.CANCEL and action is not Action.CANCEL):
        state = "being cancelled" if wanted is Wanted.CANCEL and not observed.is_terminal else str(observed)
        possible = [a for a, (at, _) in _ALLOWED.items() if observed in at and wanted is not Wanted.CANCEL]
        raise Conflict(
            f"A backtest that is {state} cannot be changed by {action}.",
            remedy=f"Possible now: {', '.join([*possible, 'delete'])}.",
        )
    return then


def is_finished(checkpoint: Checkpoint | None, attempt: int) -> bool:
    """Whether nothing is left to do for a task in this attempt."""
    if checkpoint is None or checkpoint.state == "running":
        return False
    return checkpoint.state == "completed" or checkpoint.attempt >= attempt


def task_state(wanted: Wanted, attempt: int, checkpoint: Checkpoint | None, held: TaskStatus | None) -> TaskState:
    """The state of a task, from its checkpoint and from what the service says of it."""
    if checkpoint and is_finished(checkpoint, attempt):
        return TaskState.COMPLETED if checkpoint.state == "completed" else TaskState.FAILED
    if held:
        return TaskState(held.state)  # type: ignore[call-arg]  # by value
    return {
        Wanted.RUN: TaskState.QUEUED,
        Wanted.PAUSE: TaskState.PAUSED,
        Wanted.CANCEL: TaskState.CANCELLED,
    }[wanted]


def observed_state(wanted: Wanted, tasks: Collection[TaskState], *, begun: bool) -> Observed:
    """The state of a backtest, from those of its tasks. `begun`: a service has been at one of them."""
    kinds = set(tasks)
    if kinds == {TaskState.COMPLETED}:
        return Observed.COMPLETED
    if any(kind.is_held for kind in kinds):
        waits = wanted is Wanted.RUN and not begun and kinds == {TaskState.QUEUED}
        return Observed.QUEUED if waits else Observed.RUNNING
    if wanted is Wanted.CANCEL:
        return Observed.CANCELLED
    return Observed.PAUSED if TaskState.PAUSED in kinds else Observed.FAILED
