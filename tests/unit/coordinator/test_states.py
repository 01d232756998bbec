"""Wanted and observed states."""

from datetime import UTC, datetime
from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from coordinator.backtests.states import (
    Action,
    Observed,
    TaskState,
    Wanted,
    after,
    is_finished,
    observed_state,
    task_state,
)
from stoculus.checkpoints import Checkpoint
from stoculus.errors import Conflict
from stoculus.tasks import TaskStatus


def checkpoint(state: Literal["running", "completed", "failed"], attempt: int = 1) -> Checkpoint:
    return Checkpoint(
        task_id="t",
        backtest_id="b",
        record="io.stoculus.StockOhlcv",
        schema="ohlcv1m",
        symbol="AAPL",
        state=state,
        attempt=attempt,
        updated_at=datetime(2024, 1, 3, tzinfo=UTC),
    )


def status(state: Literal["queued", "running", "waiting", "stopping"], attempt: int = 1) -> TaskStatus:
    return TaskStatus(task_id="t", state=state, attempt=attempt)


def test_terminality_is_part_of_the_member() -> None:
    assert {state for state in Observed if state.is_terminal} == {"completed", "failed", "cancelled"}
    assert TaskState("completed") is TaskState.COMPLETED  # type: ignore[call-arg]


def test_a_failed_task_is_finished_only_for_the_attempt_it_failed_in() -> None:
    assert is_finished(checkpoint("failed", 1), 1)
    assert not is_finished(checkpoint("failed", 1), 2)
    assert is_finished(checkpoint("completed", 1), 2)
    assert not is_finished(checkpoint("running"), 1)
    assert not is_finished(None, 1)


def test_a_task_that_no_service_holds_shows_what_is_wanted() -> None:
    assert task_state(Wanted.RUN, 1, None, None) is TaskState.QUEUED
    assert task_state(Wanted.PAUSE, 1, checkpoint("running"), None) is TaskState.PAUSED
    assert task_state(Wanted.CANCEL, 1, checkpoint("running"), None) is TaskState.CANCELLED
    assert task_state(Wanted.PAUSE, 1, checkpoint("completed"), None) is TaskState.COMPLETED


def test_a_retried_task_runs_again() -> None:
    assert task_state(Wanted.RUN, 2, checkpoint("failed", 1), status("running", 2)) is TaskState.RUNNING


@pytest.mark.parametrize(
    ("wanted", "tasks", "begun", "expected"),
    [
        (Wanted.RUN, [TaskState.QUEUED, TaskState.QUEUED], False, Observed.QUEUED),
        (Wanted.RUN, [TaskState.QUEUED, TaskState.QUEUED], True, Observed.RUNNING),
        (Wanted.RUN, [TaskState.FAILED, TaskState.WAITING], True, Observed.RUNNING),
        (Wanted.RUN, [TaskState.FAILED, TaskState.COMPLETED], True, Observed.FAILED),
        (Wanted.PAUSE, [TaskState.STOPPING, TaskState.PAUSED], True, Observed.RUNNING),
        (Wanted.PAUSE, [TaskState.COMPLETED, TaskState.PAUSED], True, Observed.PAUSED),
        (Wanted.PAUSE, [TaskState.COMPLETED, TaskState.FAILED], True, Observed.FAILED),
        (Wanted.CANCEL, [TaskState.STOPPING, TaskState.CANCELLED], True, Observed.RUNNING),
        (Wanted.CANCEL, [TaskState.COMPLETED, TaskState.CANCELLED], True, Observed.CANCELLED),
        (Wanted.CANCEL, [TaskState.COMPLETED, TaskState.COMPLETED], True, Observed.COMPLETED),
    ],
)
def test_the_state_of_a_backtest_follows_from_its_tasks(
    wanted: Wanted, tasks: list[TaskState], begun: bool, expected: Observed
) -> None:
    assert observed_state(wanted, tasks, begun=begun) is expected


@given(
    st.sampled_from(Wanted),
    st.lists(
        st.sampled_from([TaskState.COMPLETED, TaskState.FAILED, TaskState.CANCELLED, TaskState.PAUSED]), min_size=1
    ),
)
def test_a_backtest_without_held_tasks_never_runs(wanted: Wanted, tasks: list[TaskState]) -> None:
    assert observed_state(wanted, tasks, begun=True) not in (Observed.QUEUED, Observed.RUNNING)


@pytest.mark.parametrize("action", [Action.PAUSE, Action.RESUME, Action.RETRY])
def test_a_backtest_that_is_being_cancelled_takes_nothing_back(action: Action) -> None:
    with pytest.raises(Conflict, match="being cancelled"):
        after(action, Wanted.CANCEL, Observed.RUNNING)


def test_a_refusal_says_what_is_possible() -> None:
    with pytest.raises(Conflict) as refused:
        after(Action.PAUSE, Wanted.RUN, Observed.FAILED)

    assert "cancel, retry, delete" in refused.value.remedy


class Life(RuleBasedStateMachine):
    """A backtest of three tasks: users act at any moment, services take, end and lose tasks at any moment."""

    @initialize()
    def submit(self) -> None:
        self.wanted = Wanted.RUN
        self.attempt = 1
        self.checkpoints: dict[int, Checkpoint] = {}
        self.held: dict[int, TaskStatus] = {}
        self.was_cancelled = False
        self.was_completed = False

    @property
    def tasks(self) -> list[TaskState]:
        return [task_state(self.wanted, self.attempt, self.checkpoints.get(n), self.held.get(n)) for n in range(3)]

    @property
    def observed(self) -> Observed:
        return observed_state(self.wanted, self.tasks, begun=bool(self.checkpoints))

    @rule(action=st.sampled_from(Action))
    def act(self, action: Action) -> None:
        before = self.observed
        try:
            self.wanted = after(action, self.wanted, before)
        except Conflict:
            return
        assert before is not Observed.COMPLETED
        assert action is Action.CANCEL or before is not Observed.CANCELLED
        self.attempt += action is Action.RETRY

    @rule(n=st.integers(0, 2))
    def the_dispatcher_starts(self, n: int) -> None:
        if self.wanted is Wanted.RUN and n not in self.held and not is_finished(self.checkpoints.get(n), self.attempt):
            self.held[n] = status("running", self.attempt)

    @rule(n=st.integers(0, 2))
    def the_dispatcher_stops(self, n: int) -> None:
        if self.wanted is not Wanted.RUN and n in self.held:
            self.held[n] = self.held[n].model_copy(update={"state": "stopping"})

    @rule(n=st.integers(0, 2), how=st.sampled_from(["running", "completed", "failed"]))
    def a_task_writes_a_checkpoint(self, n: int, how: Literal["running", "completed", "failed"]) -> None:
        before = self.checkpoints.get(n)
        if n in self.held and (before is None or before.state != "completed"):
            self.checkpoints[n] = checkpoint(how, self.held[n].attempt)

    @rule(n=st.integers(0, 2))
    def a_task_is_lost_or_ends(self, n: int) -> None:
        self.held.pop(n, None)

    @invariant()
    def what_is_over_stays_over(self) -> None:
        state = self.observed
        self.was_completed = self.was_completed or state is Observed.COMPLETED
        self.was_cancelled = self.was_cancelled or self.wanted is Wanted.CANCEL
        assert not self.was_completed or state is Observed.COMPLETED
        assert not self.was_cancelled or self.wanted is Wanted.CANCEL
        # A task of an earlier attempt that is still held may fail late: then it is started again, in this attempt.
        if state is Observed.FAILED:
            assert TaskState.FAILED in self.tasks


TestLife = Life.TestCase
