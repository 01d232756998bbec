"""A historical service, over HTTP."""

from collections.abc import Sequence
from typing import Final

from pydantic import BaseModel, SecretStr

from coordinator.remote import PLAN_TIMEOUT_S, RemoteService, as_json
from stoculus.errors import NotFound
from stoculus.records.catalog import Asset
from stoculus.tasks import HistoricalTask, TaskPlan, TaskStatus


class _Held(BaseModel):
    tasks: list[TaskStatus]


class _Plans(BaseModel):
    plans: list[TaskPlan]


class HistoricalService(RemoteService):
    """The task API of an asset's service at a URL. Every method raises ServiceUnavailable where it does not answer."""

    def __init__(self, asset: Asset, url: str, token: SecretStr | None = None) -> None:
        super().__init__(f"historical-{asset}", url, token)
        self.asset: Final[Asset] = asset

    async def plan(self, tasks: Sequence[HistoricalTask]) -> list[TaskPlan]:
        """What tasks will cost; raise InvalidRequest (field `tasks[3].ticker`), TierTooLow, a vendor's Transient."""
        body = b'{"tasks": [' + b",".join(as_json(task) for task in tasks) + b"]}"
        return (await self.read(_Plans, "POST", "/v1/tasks:plan", body, PLAN_TIMEOUT_S)).plans

    async def tasks(self) -> dict[str, TaskStatus]:
        """The tasks that the service holds now, by id."""
        answer = await self.read(_Held, "GET", "/v1/tasks")
        return {status.task_id: status for status in answer.tasks}

    async def start(self, task: HistoricalTask) -> TaskStatus:
        """Give a task to the service; one that it has stays as it is."""
        return await self.read(TaskStatus, "POST", "/v1/tasks", as_json(task))

    async def stop(self, task_id: str) -> None:
        """Have a task stopped at its next block; one that the service has not is fine."""
        try:
            await self.ask("DELETE", f"/v1/tasks/{task_id}")
        except NotFound:
            return
