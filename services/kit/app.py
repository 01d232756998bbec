"""The web app that every program of the suite shares: problem+json, request ids, probes, metrics, a graceful server.

An error answer is RFC 9457 problem+json: `type` (`urn:stoculus:error:<code>`), `title`, `status`, `detail`,
`request_id`, and where it fits `field` (a JSON path such as `data[0].symbols[1]`), `remedy` and `errors` (further wrong
fields).
"""

import difflib
import json
import logging
import os
import re
import signal
import sys
import threading
import time
from collections.abc import Callable, Sequence
from http import HTTPStatus
from typing import Any, Final, TypeVar, get_args
from uuid import uuid4

import uvicorn
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from prometheus_client import (
    CollectorRegistry,
    Counter,
    Histogram,
    Info,
    ProcessCollector,
    disable_created_metrics,
    generate_latest,
)
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from pydantic import BaseModel
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Lifespan, Message, Receive, Scope, Send

from stoculus import logs
from stoculus.errors import SettingsInvalid, StoculusError, TooManyRequests, Transient, Unauthenticated
from stoculus.located import Located as Located
from stoculus.settings import CoordinatorSettings, LiveSettings, ServiceSettings, TerminalSettings

AnySettings = TypeVar("AnySettings", CoordinatorSettings, TerminalSettings, ServiceSettings, LiveSettings)

MAX_BODY_BYTES: Final = 1 << 20
"""1,000 selections of some 30 contracts each, named one by one, are less."""
MAX_SERVICE_BODY_BYTES: Final = 8 * MAX_BODY_BYTES
"""Each task that the coordinator tells a service repeats what the request for all of them says once."""
RETRY_AFTER_S: Final = 5
GRACE_S: Final = 5
"""Seconds that open requests get at SIGTERM; what the lifespan then does has to fit in 2.5 more."""
LAST_S: Final = 0.3
"""Seconds that threads get after that."""
PROBES: Final = frozenset({"/livez", "/readyz", "/metrics"})

_REQUEST_ID = re.compile(r"[A-Za-z0-9._:-]{1,64}")
_READING: Final = frozenset({"GET", "HEAD", "OPTIONS"})
"""These are not logged: those who look often would hide those who change something."""
_METHODS: Final = _READING | {"POST", "PUT", "PATCH", "DELETE"}
_REMEDIES: Final = {
    "missing": "Add it.",
    "json_invalid": "Send valid JSON.",
    "date_from_datetime_parsing": "Use a date such as 2024-01-02.",
    "date_from_datetime_inexact": "Use a date such as 2024-01-02, without a time.",
    "date_parsing": "Use a date such as 2024-01-02.",
}
log = logging.getLogger(__name__)
# A second series of each counter, which nothing reads.
disable_created_metrics()  # type: ignore[no-untyped-call]


def create_app(
    title: str,
    *,
    version: str,
    ready: Callable[[], Sequence[str]],
    remarks: Callable[[], Sequence[str]] = list,
    lifespan: Lifespan[FastAPI] | None = None,
    admit: Callable[[Request], None] = lambda _: None,
    max_body_bytes: int = MAX_BODY_BYTES,
    new_request_id: Callable[[], str] = lambda: uuid4().hex,
) -> FastAPI:
    """A FastAPI app with /livez, /readyz, /metrics and /docs, whose every error is problem+json.

    `ready` says what is missing (empty: ready), `remarks` what is amiss and yet no reason to be not ready; both run in
    a thread at each /readyz. `admit` raises what a request is refused with, before its body is read; probes are open to
    all. Metrics of the program go into `app.state.metrics`, a CollectorRegistry.
    """
    app = FastAPI(title=title, version=version, lifespan=lifespan, redoc_url=None, strict_content_type=False)
    app.state.metrics = CollectorRegistry()
    ProcessCollector(registry=app.state.metrics)
    Info("stoculus_build", "What runs", registry=app.state.metrics).info({"version": version})
    app.add_middleware(  # type: ignore[call-arg,unused-ignore]
        _Edge, metrics=app.state.metrics, admit=admit, max_body_bytes=max_body_bytes, new_request_id=new_request_id
    )
    app.add_exception_handler(StoculusError, _stoculus_error)
    app.add_exception_handler(RequestValidationError, _validation_error)
    app.add_exception_handler(HTTPException, _http_error)
    _add_probes(app, ready, remarks)
    return app


def run(
    name: str, kind: type[AnySettings], build: Callable[[AnySettings], FastAPI], port_of: Callable[[AnySettings], int]
) -> int:
    """Serve what `build` makes of settings of a kind until SIGTERM.

    Exit code 78 (EX_CONFIG) for a wrong setting, 75 (EX_TEMPFAIL) for a jar that cannot be fetched now.
    """
    try:
        settings = kind.load(os.environ)
        logs.configure(name, settings)
        app = build(settings)
    except (SettingsInvalid, Transient) as error:
        sys.stderr.write(f"{error}\n")
        return os.EX_TEMPFAIL if isinstance(error, Transient) else os.EX_CONFIG
    serve(app, settings.host, port_of(settings))
    return 0


def serve(app: FastAPI, host: str, port: int) -> None:
    """Run the app until SIGTERM or SIGINT, then end within 8 s with exit code 0."""
    # uvicorn raises the signal again when all is closed: that would end the process as killed.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    signal.signal(signal.SIGINT, lambda *_: sys.exit(0))
    code = 1
    try:
        uvicorn.run(app, host=host, port=port, log_config=None, access_log=False, timeout_graceful_shutdown=GRACE_S)
        code = 0
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else 1
        raise
    finally:
        _leave_threads_behind(code)


def _leave_threads_behind(code: int) -> None:
    """End at once where a thread still waits for something that is away: the interpreter would wait for the thread."""
    deadline = time.monotonic() + LAST_S
    for thread in threading.enumerate():
        if thread is not threading.current_thread() and not thread.daemon:
            thread.join(max(0.0, deadline - time.monotonic()))
            if thread.is_alive():
                log.warning("%s is left behind", thread.name)
                logging.shutdown()
                os._exit(code)


def problem(
    request: Request,
    status: int,
    code: str,
    detail: str,
    *,
    field: str | None = None,
    remedy: str = "",
    errors: Sequence[dict[str, str]] = (),
    headers: dict[str, str] | None = None,
) -> Response:
    """An RFC 9457 answer."""
    body: dict[str, Any] = {
        "type": f"urn:stoculus:error:{code}",
        "title": code.replace("_", " ").capitalize(),
        "status": status,
        "detail": detail,
        "request_id": request.scope.get("state", {}).get("request_id", ""),
    }
    body |= {k: v for k, v in (("field", field), ("remedy", remedy), ("errors", list(errors))) if v}
    if status == HTTPStatus.SERVICE_UNAVAILABLE:
        headers = {"Retry-After": str(RETRY_AFTER_S), **(headers or {})}
    # json escapes what orjson refuses: lone surrogates of a request that is quoted.
    return Response(json.dumps(body), status, headers, "application/problem+json")


def bearer(request: Request) -> str:
    """The token of `Authorization: Bearer …`; empty where there is none. It is taken from nowhere else."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""


def _stoculus_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, StoculusError)  # noqa: S101
    status = error.http_status
    if status >= 500:
        log.warning("%s %s: %s %s", request.method, request.url.path, error, error.detail)
    headers = {}
    if isinstance(error, TooManyRequests):
        headers["Retry-After"] = str(error.retry_after_s)
    if isinstance(error, Unauthenticated):
        headers["WWW-Authenticate"] = "Bearer"
    return problem(request, status, error.code, error.message, field=error.field, remedy=error.remedy, headers=headers)


def _http_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101
    status = HTTPStatus(error.status_code)
    code = {404: "not_found", 405: "method_not_allowed", 413: "request_too_large"}.get(status, "bad_request")
    remedy = {
        404: "See /docs for what exists.",
        405: f"Use {(error.headers or {}).get('allow') or (error.headers or {}).get('Allow', 'another method')}.",
        413: "Send less at once.",
    }.get(status, "")
    detail = error.detail if status == 413 else f"{request.method} {request.url.path}: {error.detail}."
    return problem(request, status, code, detail, remedy=remedy, headers=dict(error.headers or {}))


def _validation_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)  # noqa: S101
    raw = error.errors()
    if raw[0]["type"] == "json_invalid":
        return problem(request, 400, "invalid_json", f"The body is no JSON: {raw[0]['ctx']['error']}.")
    content_type = request.headers.get("content-type", "application/json").split(";")[0]
    if tuple(raw[0]["loc"]) == ("body",) and not content_type.endswith("json"):
        detail = f"The body is {content_type!r}, not JSON."
        return problem(request, 415, "unsupported_media_type", detail, remedy="Send Content-Type: application/json.")
    found = [_field_error(request, one) for one in raw[:20]]
    first = found[0]
    rest = found if len(found) > 1 else ()
    return problem(
        request,
        422,
        "invalid_request",
        first["detail"],
        field=first["field"],
        remedy=first.get("remedy", ""),
        errors=rest,
    )


def _field_error(request: Request, error: dict[str, Any]) -> dict[str, str]:
    where, *path = error["loc"]
    context = error.get("ctx", {})
    if error["type"] == "invalid_request":
        inner = [context["field"]] if context["field"] else []
        return {"field": json_path([*path, *inner]), "detail": error["msg"], "remedy": context["remedy"]}
    field = json_path(path) or str(where)
    if error["type"] == "extra_forbidden":
        known = _known_fields(request, path[:-1]) if where == "body" else []
        near = difflib.get_close_matches(str(path[-1]), known, n=1)
        remedy = f"Did you mean {near[0]!r}?" if near else f"Leave it out; known are {', '.join(known)}."
        return {"field": field, "detail": f"{field} is not a field of this request.", "remedy": remedy}
    given = error.get("input")
    shown = f" (given: {str(given)[:60]!r})" if isinstance(given, str | int | float | bool) else ""
    remedy = _REMEDIES.get(error["type"], "Correct it.")
    return {"field": field, "detail": f"{field}: {error['msg']}{shown}.", "remedy": remedy}


def json_path(parts: Sequence[str | int]) -> str:
    """`["data", 0, "symbols", 1]` as `data[0].symbols[1]`."""
    return "".join(f"[{p}]" if isinstance(p, int) else f".{p}" for p in parts).lstrip(".")


def _known_fields(request: Request, path: Sequence[str | int]) -> list[str]:
    """The field names of the body's model at a path, as JSON has them."""
    body = getattr(request.scope.get("route"), "body_field", None)
    models = _models(body.field_info.annotation) if body else []
    for part in path:
        if isinstance(part, str):
            fields = [f for m in models for name, f in m.model_fields.items() if part in (name, f.alias)]
            models = [model for f in fields for model in _models(f.annotation)]
    return [f.alias or name for model in models for name, f in model.model_fields.items()]


def _models(annotation: Any) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [model for inner in get_args(annotation) for model in _models(inner)]


def _add_probes(app: FastAPI, ready: Callable[[], Sequence[str]], remarks: Callable[[], Sequence[str]]) -> None:
    @app.get("/livez", tags=["probes"], summary="The process answers")
    async def livez() -> dict[str, bool]:
        return {"alive": True}

    @app.get("/readyz", tags=["probes"], summary="All that is needed answers; 503 says what is missing")
    def readyz(request: Request) -> Response:
        if not (missing := list(ready())):
            body = {"ready": True} | ({"remarks": found} if (found := list(remarks())) else {})
            return Response(json.dumps(body, separators=(",", ":")), media_type="application/json")
        return problem(request, 503, "not_ready", " ".join(missing), errors=[{"detail": text} for text in missing])

    @app.get("/metrics", tags=["probes"], summary="Prometheus metrics")
    def metrics() -> Response:
        return Response(generate_latest(app.state.metrics), media_type=CONTENT_TYPE_PLAIN_0_0_4)


class _Edge:
    """Outermost: request id, admission, body limit, request metrics, and an answer for errors that nobody expected."""

    def __init__(
        self,
        app: ASGIApp,
        metrics: CollectorRegistry,
        admit: Callable[[Request], None],
        max_body_bytes: int,
        new_request_id: Callable[[], str],
    ) -> None:
        self._app = app
        self._admit = admit
        self._max_body_bytes = max_body_bytes
        self._new_request_id = new_request_id
        labels = ["method", "route", "status"]
        self._count = Counter("stoculus_http_requests", "Requests answered", labels, registry=metrics)
        self._latency = Histogram(
            "stoculus_http_request_seconds", "Time to the answer's end", ["route"], registry=metrics
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self._app(scope, receive, send)
        given = dict(scope["headers"]).get(b"x-request-id", b"").decode("latin-1")
        request_id = given if _REQUEST_ID.fullmatch(given) else self._new_request_id()
        scope.setdefault("state", {})["request_id"] = request_id
        status = 0

        async def send_with_id(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message.get("headers", []), (b"x-request-id", request_id.encode())]
            await send(message)

        started = time.perf_counter()
        with logs.about(request_id=request_id):
            try:
                if refusal := self._refusal(scope):
                    await refusal(scope, receive, send_with_id)
                else:
                    await self._app(scope, self._limited(scope, receive), send_with_id)
            except Exception:
                log.exception("%s %s failed, request %s", scope["method"], scope["path"], request_id)
                if status:
                    raise  # the answer is under way: only a broken connection tells that it is not whole
                detail = "Stoculus failed in a way that nobody foresaw."
                remedy = f"Report it with request id {request_id}; the log has the details."
                await problem(Request(scope), 500, "internal", detail, remedy=remedy)(scope, receive, send_with_id)
            finally:
                self._note(scope, status, time.perf_counter() - started)

    def _note(self, scope: Scope, status: int, seconds: float) -> None:
        route = getattr(scope.get("route"), "path", "unmatched")
        method = scope["method"] if scope["method"] in _METHODS else "other"
        self._count.labels(method, route, status).inc()
        self._latency.labels(route).observe(seconds)
        if method not in _READING:
            named = scope.get("path_params", {})
            belongs = {name: named[name] for name in logs.FIELDS if name in named}
            log.info("%s %s: %d in %.3f s", method, scope["path"], status, seconds, extra=belongs)

    def _refusal(self, scope: Scope) -> Response | None:
        request = Request(scope)
        try:
            if scope["path"] not in PROBES:
                self._admit(request)
        except StoculusError as error:
            return _stoculus_error(request, error)
        return None

    def _limited(self, scope: Scope, receive: Receive) -> Receive:
        announced = dict(scope["headers"]).get(b"content-length", b"0")
        taken = int(announced) if announced.isdigit() else 0
        counted = 0

        async def limited() -> Message:
            nonlocal counted
            if taken > self._max_body_bytes:
                raise self._too_large()
            message = await receive()
            counted += len(message.get("body", b""))
            if counted > self._max_body_bytes:
                raise self._too_large()
            return message

        return limited

    def _too_large(self) -> HTTPException:
        # An HTTPException is the only error that FastAPI lets through while it reads the body.
        return HTTPException(413, f"The body is over {self._max_body_bytes} bytes.", {"Connection": "close"})
