"""A service of the suite, over HTTP."""

from dataclasses import dataclass, field
from typing import Any, Final, Generic, TypeVar

import httpx2
import orjson
from pydantic import BaseModel, SecretStr, ValidationError

from stoculus import errors, logs
from stoculus.bearer import authorization
from stoculus.errors import InvalidRequest, ServiceUnavailable, StoculusError

T = TypeVar("T")
M = TypeVar("M", bound=BaseModel)
PLAN_TIMEOUT_S: Final = 30
"""Planning asks the vendor; all else is answered from memory."""
TIMEOUT_S: Final = 5

_CODE_PREFIX: Final = "urn:stoculus:error:"


@dataclass(slots=True)
class ServiceView(Generic[T]):
    """What a service said last: the tasks or streams that it has, by id; `trouble` says why it does not answer."""

    held: dict[str, T] = field(default_factory=dict)
    trouble: str | None = "A service has not been asked yet."


class RemoteService:
    """A service at a URL, asked with a token. What it says in problem+json is raised as the same error of the tree."""

    def __init__(self, name: str, url: str, token: SecretStr | None = None) -> None:
        self._name = f"{name} at {url}"
        # The proxies of the environment are for the world outside, not for a service beside this one.
        self._client = httpx2.AsyncClient(
            base_url=url, headers=authorization(token), timeout=TIMEOUT_S, trust_env=False
        )

    async def close(self) -> None:
        await self._client.aclose()

    async def read(
        self, model: type[M], method: str, path: str, body: bytes | None = None, timeout_s: float = TIMEOUT_S
    ) -> M:
        """What a request is answered with; raise ServiceUnavailable where no service answers."""
        answer = await self.ask(method, path, body, timeout_s)
        try:
            return model.model_validate_json(answer.content)
        except ValidationError as error:
            raise ServiceUnavailable(
                f"What answers for {self._name} is no service of this version.",
                remedy="Correct its address.",
                detail=str(error),
            ) from error

    async def ask(
        self, method: str, path: str, body: bytes | None = None, timeout_s: float = TIMEOUT_S
    ) -> httpx2.Response:
        """The answer to a request; raise what it says of an error, or ServiceUnavailable where nobody answers."""
        headers = {"Content-Type": "application/json"} if body else {}
        if asked_by := logs.request_id():
            headers["X-Request-ID"] = asked_by
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


def _error(answer: httpx2.Response, name: str) -> StoculusError:
    try:
        problem: dict[str, Any] = orjson.loads(answer.content)
        code, detail = problem["type"].removeprefix(_CODE_PREFIX), problem["detail"]
    except (orjson.JSONDecodeError, KeyError, TypeError, AttributeError):
        return ServiceUnavailable(f"The service {name} answered {answer.status_code} and no problem+json.")
    if answer.status_code == httpx2.codes.UNAUTHORIZED:
        # It is not the user who is refused.
        return ServiceUnavailable(
            f"The service {name} refuses the coordinator's token.", remedy="Give both the same STOCULUS_SERVICE_TOKEN."
        )
    # Names of the tree in snake case are what `StoculusError.code` gives.
    kind = getattr(errors, "".join(part.capitalize() for part in code.split("_")), None)
    if not (isinstance(kind, type) and issubclass(kind, StoculusError)):
        kind = ServiceUnavailable if answer.status_code >= 500 else InvalidRequest
    return kind(detail, remedy=problem.get("remedy", ""), field=problem.get("field"))


def as_json(model: BaseModel) -> bytes:
    """A model as a request's body."""
    return model.model_dump_json(by_alias=True).encode()
