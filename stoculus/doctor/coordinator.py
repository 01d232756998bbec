"""The coordinator, the services as it sees them, and the clock of this machine against those of the others."""

import re
import time
from collections.abc import Iterable, Iterator, Mapping
from email.utils import parsedate_to_datetime
from typing import Any, Final

import httpx2
import orjson
from pydantic import SecretStr

from stoculus.bearer import authorization
from stoculus.doctor.probe import ANSWER_S, Level, Line
from stoculus.errors import ServiceUnavailable

_PART: Final = "coordinator"
_SERVICES: Final = "services"
_ACCESS: Final = "access"
_CLOCK: Final = "clock"
_MOST_OFF_S: Final = 2.0
_CLOCK_S: Final = 1.0
_AWAY = re.compile(r'^stoculus_service_away\{service="([^"]+)"\} ([\d.]+)', re.MULTILINE)


def probe_coordinator(url: str, api_key: SecretStr | None = None) -> Iterator[Line]:
    """Raise ServiceUnavailable where it does not answer."""
    answer = _get(f"{url.rstrip('/')}/readyz")
    told = _json(answer)
    if answer.status_code == httpx2.codes.OK and "ready" in told:
        yield Line("ok", _PART, f"{url} is ready")
    elif answer.status_code == httpx2.codes.SERVICE_UNAVAILABLE and "errors" in told:
        for missing in told["errors"]:
            yield Line("failed", _PART, f"it is not ready: {missing['detail']}")
    else:
        raise ServiceUnavailable(
            f"what answers at {url} is no coordinator: {answer.status_code} to GET /readyz",
            remedy="Correct STOCULUS_COORDINATOR_URL.",
        )
    yield from _access(url, api_key)
    yield from _services(_get(f"{url.rstrip('/')}/metrics").text, told.get("remarks", []))


def _access(url: str, api_key: SecretStr | None) -> Iterator[Line]:
    answer = _get(f"{url.rstrip('/')}/v1/backtests?limit=1", headers=authorization(api_key))
    told = _json(answer)
    if answer.status_code in (httpx2.codes.UNAUTHORIZED, httpx2.codes.FORBIDDEN):
        level: Level = "failed" if answer.status_code == httpx2.codes.UNAUTHORIZED else "warning"
        yield Line(level, _ACCESS, told.get("detail", "it refuses requests"), told.get("remedy", ""))
    elif answer.status_code == httpx2.codes.OK and api_key:
        yield Line("ok", _ACCESS, "the coordinator takes the API key of this shell")


def _services(metrics: str, remarks: list[str]) -> Iterator[Line]:
    seen = _AWAY.findall(metrics)
    for name, away in seen:
        if not float(away):
            yield Line("ok", _SERVICES, f"{name} answers the coordinator")
            continue
        why = next((remark for remark in remarks if name in remark), f"{name} does not answer the coordinator.")
        remedy = "Start it, or correct its URL in the coordinator's settings; work goes on by itself."
        yield Line("failed", _SERVICES, why, remedy)
    for remark in remarks:
        if not any(name in remark for name, _ in seen):
            yield Line("warning", _SERVICES, remark)


def probe_clock(urls: Iterable[str]) -> Iterator[Line]:
    """The first of the URLs that tells its time (to the second) is compared with."""
    for url in urls:
        try:
            sent_s = time.time()
            told = _get(url, _CLOCK_S).headers.get("date")
            received_s = time.time()
        except ServiceUnavailable:
            continue
        if not told:
            continue
        # It was that second when it was told: anything up to one later is the same.
        there_s = parsedate_to_datetime(told).timestamp()
        off_s = max(there_s - received_s, sent_s - there_s - 1, 0.0)
        if off_s > _MOST_OFF_S:
            remedy = "Let both machines set their clocks by NTP: days are judged to be settled by the clock."
            yield Line("warning", _CLOCK, f"this machine's clock and that of {url} are {off_s:.0f} s apart", remedy)
        else:
            yield Line("ok", _CLOCK, f"this machine's clock agrees with that of {url}")
        return
    yield Line("note", _CLOCK, "there is nobody to compare the clock with")


def _get(url: str, timeout_s: float = ANSWER_S, headers: Mapping[str, str] | None = None) -> httpx2.Response:
    try:
        return httpx2.get(url, headers=headers, timeout=timeout_s, trust_env=False)
    except (httpx2.HTTPError, httpx2.InvalidURL) as error:
        raise ServiceUnavailable(
            f"{url} does not answer: {error or type(error).__name__}",
            remedy="Start it: `make local-up`. Or set STOCULUS_COORDINATOR_URL.",
        ) from error


def _json(answer: httpx2.Response) -> dict[str, Any]:
    try:
        told = orjson.loads(answer.content)
    except orjson.JSONDecodeError:
        return {}
    return told if isinstance(told, dict) else {}
