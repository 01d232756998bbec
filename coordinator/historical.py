"""A historical service, over HTTP."""

from collections.abc import Sequence
from typing import Any, Final, TypeVar

import httpx2
import orjson
from pydantic import BaseModel, TypeAdapter, ValidationError

from stoculus import errors
from stoculus.errors import InvalidRequest, ServiceUnavailable, StoculusError
from stoculus.records.catalog import Asset
from stoculus.tasks import HistoricalTask, TaskPlan, TaskStatus

T = TypeVar("T")
PLAN_TIMEOUT_S: Final = 30
"""Planning asks the vendor; all else is answered from memory."""
TIMEOUT_S: Final = 5

_CODE_PREFIX: Final = "urn:stoculus:error:"
_STATUS: Final = TypeAdapter(TaskStatus)
_STATUSES: Final = TypeAdapter(dict[str, list[TaskStatus]])
_PLANS: Final = TypeAdapter(dict[str, list[TaskPlan]])


class HistoricalService:
    """The task API of an asset's service at a URL. Every method raises ServiceUnavailable where it does not answer.

    What the service says in problem+json is raised as the same error of the tree, with its field and remedy.
    """

    def __init__(self, asset: Asset, url: str) -> None:
        self.asset: Final[Asset] = asset
        self._name = f"historical-{asset} at {url}"
        # The proxies of the environment are for the world outside, not for a service beside this one.
        self._client = httpx2.AsyncClient(base_url=url, timeout=TIMEOUT_S, trust_env=False)

    async def plan(self, tasks: Sequence[HistoricalTask]) -> list[TaskPlan]:
        """What tasks will cost; raise InvalidRequest (field `tasks[3].ticker`), TierTooLow, a vendor's Transient."""
        body = _json({"tasks": [_body(task) for task in tasks]})
        answer = await self._ask("POST", "/v1/tasks:plan", body, timeout_s=PLAN_TIMEOUT_S)
        return _read(_PLANS, answer, self._name)["plans"]

    async def tasks(self) -> dict[str, TaskStatus]:
        """The tasks that the service holds now, by id."""
        answer = await self._ask("GET", "/v1/tasks")
        return {status.task_id: status for status in _read(_STATUSES, answer, self._name)["tasks"]}

    async def start(self, task: HistoricalTask) -> TaskStatus:
        """Give a task to the service; one that it has stays as it is."""
        answer = await self._ask("POST", "/v1/tasks", _json(_body(task)))
        return _read(_STATUS, answer, self._name)

    async def stop(self, task_id: str) -> None:
        """Have a task stopped at its next block; one that the service has not is fine."""
        try:
            await self._ask("DELETE", f"/v1/tasks/{task_id}")
        except errors.NotFound:
            return

    async def close(self) -> None:
        await self._client.aclose()

    async def _ask(
        self, method: str, path: str, body: bytes | None = None, timeout_s: float = TIMEOUT_S
    ) -> httpx2.Response:
        headers = {"Content-Type": "application/json"} if body else {}
        try:
            answer = await self._client.request(method, path, content=body, headers=headers, timeout=timeout_s)
        except (httpx2.HTTPError, httpx2.InvalidURL) as error:
            raise ServiceUnavailable(
                f"The service {self._name} does not answer: {error or type(error).__name__}.",
                remedy="Start it; work goes on by itself.",
            ) from error
        if answer.status_code >= 400:
            raise _error(answer, self._name)
        return answer


def _read(adapter: TypeAdapter[T], answer: httpx2.Response, name: str) -> T:
    try:
        return adapter.validate_json(answer.content)
    except ValidationError as error:
        raise ServiceUnavailable(
            f"What answers for {name} is no service of this version.", remedy="Correct its address.", detail=str(error)
        ) from error


def _error(answer: httpx2.Response, name: str) -> StoculusError:
    try:
        problem: dict[str, Any] = orjson.loads(answer.content)
        code, detail = problem["type"].removeprefix(_CODE_PREFIX), problem["detail"]
    except (orjson.JSONDecodeError, KeyError, TypeError, AttributeError):
        return ServiceUnavailable(f"The service {name} answered {answer.status_code} and no problem+json.")
    # Names of the tree in snake case are what `StoculusError.code` gives.
    kind = getattr(errors, "".join(part.capitalize() for part in code.split("_")), None)
    if not (isinstance(kind, type) and issubclass(kind, StoculusError)):
        kind = ServiceUnavailable if answer.status_code >= 500 else InvalidRequest
    return kind(detail, remedy=problem.get("remedy", ""), field=problem.get("field"))


def _body(task: BaseModel) -> dict[str, Any]:
    return task.model_dump(mode="json", by_alias=True)


def _json(value: Any) -> bytes:
    return orjson.dumps(value)
