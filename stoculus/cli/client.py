"""The coordinator's API, its problems as errors of the suite."""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final, Literal
from urllib.parse import quote

import httpx2
import orjson
from pydantic import SecretStr

from stoculus.bearer import authorization
from stoculus.cli.connections import settings
from stoculus.errors import InvalidRequest, NotFound, ServiceUnavailable, StoculusError, Transient

_CONNECT_S: Final = 5.0
_RECONNECT_S: Final = 1.0
_RECONNECTS: Final = 60


Kind = Literal["backtest", "stream", "key"]


def path_of(identity: str) -> str:
    """The path of one backtest, stream or key below all of them."""
    return "/" + quote(identity, safe="")


@dataclass(frozen=True, slots=True)
class Coordinator:
    """The coordinator at a URL, of whose API one kind of things is used: `/v1/backtests`, `/v1/streams` or
    `/v1/keys`.

    `timeout_s`: how long it may be silent. `api_key`: what it is asked with; None where access is open.
    Raises what its problem+json says; ServiceUnavailable where it does not answer.
    """

    url: str
    kind: Kind = "backtest"
    timeout_s: float = 60
    api_key: SecretStr | None = None

    def ask(self, method: str, path: str, body: Any = None, params: dict[str, str] | None = None) -> dict[str, Any]:
        """The JSON that a request is answered with; `path` is below all of the kind."""
        try:
            response = httpx2.request(
                method,
                self._at(path),
                json=body,
                params=params,
                headers=authorization(self.api_key),
                timeout=self._timeout,
                trust_env=False,
            )
        except httpx2.TransportError as error:
            raise self._away(error) from error
        if response.is_error:
            raise _problem(response.status_code, response.content)
        try:
            answer: dict[str, Any] = orjson.loads(response.content)
        except orjson.JSONDecodeError as error:
            raise _stranger(response.status_code, response.content) from error
        return answer

    def snapshots(self, identity: str) -> Iterator[dict[str, Any]]:
        """One of them as it is, and at each change, without end. A lost connection is made again for a minute."""
        yield self.ask("GET", path_of(identity))
        failures = 0
        while True:
            try:
                for snapshot in self._events(identity):
                    failures = 0
                    yield snapshot
            except Transient:
                if failures >= _RECONNECTS:
                    raise
            failures += 1
            time.sleep(_RECONNECT_S)

    def _events(self, identity: str) -> Iterator[dict[str, Any]]:
        try:
            url = self._at(path_of(identity) + "/events")
            headers = authorization(self.api_key)
            with httpx2.stream("GET", url, headers=headers, timeout=self._timeout, trust_env=False) as response:
                if response.is_error:
                    raise _problem(response.status_code, response.read())
                for event in httpx2.EventSource(response, max_event_size=None):
                    if event.event == "state":
                        yield orjson.loads(event.data)
                    elif event.event == "deleted":
                        raise NotFound(event.data, remedy=f"`stoculus {self.kind} list` lists those there are.")
        except httpx2.TransportError as error:
            raise self._away(error) from error

    @property
    def _timeout(self) -> httpx2.Timeout:
        return httpx2.Timeout(self.timeout_s, connect=min(self.timeout_s, _CONNECT_S))

    def _at(self, path: str) -> str:
        return f"{self.url.rstrip('/')}/v1/{self.kind}s{path}"

    def _away(self, error: Exception) -> ServiceUnavailable:
        return ServiceUnavailable(
            f"The coordinator at {self.url} does not answer: {error}",
            remedy="Start it: `make local-up`. Or set STOCULUS_COORDINATOR_URL.",
        )


def connect(kind: Kind = "backtest") -> Coordinator:
    """The coordinator of the settings."""
    asked = settings()
    return Coordinator(asked.coordinator_url, kind, api_key=asked.api_key)


def _problem(status: int, body: bytes) -> StoculusError:
    try:
        told = orjson.loads(body)
        code, message = told["type"].rpartition(":")[2], told["detail"]
    except (orjson.JSONDecodeError, KeyError, TypeError, AttributeError):
        return _stranger(status, body)
    kind = _kinds(StoculusError).get(code) or (ServiceUnavailable if status >= 500 else InvalidRequest)
    more = [f"{other.get('field', '')}: {other.get('detail', '')}" for other in told.get("errors", [])[1:]]
    detail = "\n".join([*more, f"request id {told.get('request_id', '')}"])
    return kind(message, remedy=told.get("remedy", ""), field=told.get("field"), detail=detail)


def _stranger(status: int, body: bytes) -> InvalidRequest:
    return InvalidRequest(
        f"Something that is no coordinator answered with {status}: {body[:200]!r}",
        remedy="Check STOCULUS_COORDINATOR_URL.",
    )


def _kinds(base: type[StoculusError]) -> dict[str, type[StoculusError]]:
    """Every leaf of the tree by its code."""
    found = {base("").code: base}
    for kind in base.__subclasses__():
        found |= _kinds(kind)
    return found
