"""The task API, the same for every historical service."""

from typing import Annotated, Generic, TypeVar

from fastapi import APIRouter, Response, status
from pydantic import BaseModel, ConfigDict, Field

from services.kit.app import Located
from services.kit.planning import Planner
from services.kit.pool import TaskPool
from stoculus.tasks import HistoricalTask, TaskPlan, TaskStatus

MOST_PLANNED = 2000

AnyTask = TypeVar("AnyTask", bound=HistoricalTask)


class PlanRequest(BaseModel, Generic[AnyTask]):
    """Tasks to check and to estimate."""

    model_config = ConfigDict(extra="forbid")

    tasks: Annotated[list[Annotated[AnyTask, Located]], Field(min_length=1, max_length=MOST_PLANNED)]


class Plans(BaseModel):
    """An estimate a task, in the order asked."""

    plans: list[TaskPlan]


class Tasks(BaseModel):
    """The tasks that the service holds now."""

    tasks: list[TaskStatus]


def task_routes(task_type: type[AnyTask], pool: TaskPool[AnyTask], planner: Planner[AnyTask]) -> APIRouter:
    """The routes below /v1 of a service for one type of tasks."""
    routes = APIRouter(prefix="/v1", tags=["tasks"])

    @routes.post("/tasks:plan")
    def plan(request: PlanRequest[task_type]) -> Plans:  # type: ignore[valid-type]
        """Check tasks against the vendor and say what they will cost. Nothing is stored or started."""
        return Plans(plans=planner.plan(request.tasks))

    @routes.post("/tasks", status_code=status.HTTP_202_ACCEPTED)
    def start(task: Annotated[task_type, Located], response: Response) -> TaskStatus:  # type: ignore[valid-type]
        """Run a task. Doing it again changes nothing (200); a finished task ends at once by its checkpoint."""
        planner.check_days(task)
        held, is_new = pool.submit(task)
        if not is_new:
            response.status_code = status.HTTP_200_OK
        return held

    @routes.get("/tasks")
    def show_all() -> Tasks:
        """The tasks that the service holds now; checkpoints tell of ended ones."""
        return Tasks(tasks=pool.statuses())

    @routes.get("/tasks/{task_id}")
    def show(task_id: str) -> TaskStatus:
        """One task, while the service holds it."""
        return pool.status(task_id)

    @routes.delete("/tasks/{task_id}", status_code=status.HTTP_202_ACCEPTED)
    def stop(task_id: str) -> None:
        """End a task at its next block boundary. What is written stays; running it again goes on from there."""
        pool.stop(task_id)

    return routes
