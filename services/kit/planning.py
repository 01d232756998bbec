"""Checks a task before it runs, and says what it will cost."""

from collections.abc import Sequence
from typing import Protocol

from stoculus.tasks import StockTask, TaskPlan


class Planner(Protocol):
    """What a service knows of its tasks beforehand."""

    def check_days(self, task: StockTask) -> None:
        """Raise InvalidRequest where the task's days cannot be served."""
        ...

    def plan(self, tasks: Sequence[StockTask]) -> list[TaskPlan]:
        """An estimate a task; raise InvalidRequest with field `tasks[i].…`, or TierTooLow, or a vendor error."""
        ...
