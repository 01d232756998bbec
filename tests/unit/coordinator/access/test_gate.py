"""The coordinator's app as it answers, without a broker: who is let in is decided before anything is asked of it."""

import re
from pathlib import Path
from typing import Any, cast

import httpx2
import pytest
from fastapi import FastAPI
from fastapi.routing import iter_route_contexts
from fastapi.testclient import TestClient

from coordinator.access.gate import Gate
from coordinator.access.scopes import WITHOUT_KEY, Caller, Scope
from coordinator.app import build_app
from services.kit.app import PROBES
from stoculus.settings import CoordinatorSettings

ADMIN_KEY = "5f2e8c1d-an-admin-key-of-a-test"
ADMIN = {"Authorization": f"Bearer {ADMIN_KEY}"}


def app_of(folder: Path, **settings: Any) -> FastAPI:
    values = {"store_url": f"sqlite:///{folder / 'store.sqlite'}", "kafka_bootstrap": "127.0.0.1:1"}
    return build_app(CoordinatorSettings.model_validate(values | settings))


@pytest.fixture
def locked(tmp_path: Path) -> TestClient:
    """A coordinator that asks for keys, and whose store has not been read."""
    return TestClient(app_of(tmp_path, access="keys", admin_key=ADMIN_KEY))


@pytest.fixture
def opened(tmp_path: Path) -> TestClient:
    return TestClient(app_of(tmp_path), base_url="http://127.0.0.1:8000")


def problem_of(answer: httpx2.Response, status: int) -> dict[str, Any]:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    body: dict[str, Any] = answer.json()
    assert body["remedy"]
    assert body["request_id"]
    return body


def api_routes(client: TestClient) -> list[tuple[str, str]]:
    """Method and path of every route that is no probe and no page of the documentation."""
    found = [
        (method, str(one.path))
        for one in iter_route_contexts(cast("FastAPI", client.app).routes)
        for method in one.methods or {"?"}
    ]
    hidden = {"/docs", "/docs/oauth2-redirect", "/openapi.json"} | PROBES
    return [(method, re.sub(r"\{\w+\}", "some", path)) for method, path in found if path not in hidden]


def test_every_route_has_a_scope(locked: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    routes = api_routes(locked)
    holder = Caller("Nobody", frozenset())
    monkeypatch.setattr(Gate, "__call__", lambda _, request: setattr(request.state, "caller", holder))

    assert len(routes) >= 20
    for method, path in routes:
        body = problem_of(locked.request(method, path, json={}), 403)
        assert re.search(r"Nobody lacks the scope (backtests|streams):(read|write)|admin\.", body["detail"]), path


def test_who_only_reads_changes_nothing(locked: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    reader = Caller("Reader", frozenset({Scope.READ_BACKTESTS, Scope.READ_STREAMS}))
    monkeypatch.setattr(Gate, "__call__", lambda _, request: setattr(request.state, "caller", reader))

    refused = {(m, p) for m, p in api_routes(locked) if locked.request(m, p, json={}).status_code == 403}

    assert {(m, p) for m, p in api_routes(locked) if m != "GET"} - refused == {("POST", "/v1/backtests:estimate")}
    assert {(m, p) for m, p in refused if m == "GET"} == {("GET", "/v1/keys")}


def test_the_documentation_names_the_scope_of_each_operation(locked: TestClient) -> None:
    described = locked.get("/openapi.json").json()
    operations = [
        (method, path, operation)
        for path, methods in described["paths"].items()
        for method, operation in methods.items()
        if path.startswith("/v1/")
    ]

    assert described["components"]["securitySchemes"]["API key"]["scheme"] == "bearer"
    for method, path, operation in operations:
        (scopes,) = [one["API key"] for one in operation["security"]]
        assert len(scopes) == 1, (method, path)
    assert locked.get("/docs").status_code == 200


@pytest.mark.parametrize("path", ["/v1/backtests", "/v1/keys", "/v1/unknown", "/", "/v1//backtests", "/metrics/"])
@pytest.mark.parametrize("method", ["GET", "POST", "DELETE", "OPTIONS", "HEAD"])
def test_without_a_key_nothing_is_told(locked: TestClient, method: str, path: str) -> None:
    answer = locked.request(method, path, content=b"{ no json", follow_redirects=False)

    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == "Bearer"
    assert method == "HEAD" or "STOCULUS_API_KEY" in answer.text


@pytest.mark.parametrize(
    "headers",
    [
        {"Authorization": ADMIN_KEY},
        {"Authorization": f"Basic {ADMIN_KEY}"},
        {"Authorization": "Bearer"},
        {"Authorization": "Bearer "},
        {"X-API-Key": ADMIN_KEY},
        {"Cookie": f"api_key={ADMIN_KEY}"},
    ],
)
def test_a_key_is_taken_from_one_header_alone(locked: TestClient, headers: dict[str, str]) -> None:
    problem_of(locked.get("/v1/keys", headers=headers), 401)


def test_a_key_in_a_url_lets_nobody_in_and_is_not_told_again(
    locked: TestClient, caplog: pytest.LogCaptureFixture
) -> None:
    for name in ("key", "api_key", "access_token", "authorization"):
        body = problem_of(locked.get(f"/v1/keys?{name}={ADMIN_KEY}"), 401)
        assert ADMIN_KEY not in str(body) + caplog.text


def test_the_scheme_is_written_as_anybody_likes(locked: TestClient) -> None:
    assert locked.get("/v1/unknown", headers={"Authorization": f"bearer  {ADMIN_KEY}"}).status_code == 404


def test_while_the_store_is_away_other_keys_are_neither_known_nor_refused(locked: TestClient) -> None:
    answer = locked.get("/v1/backtests", headers={"Authorization": "Bearer stoc_any"})

    problem_of(answer, 503)
    assert answer.headers["retry-after"]


def test_probes_need_no_key(locked: TestClient) -> None:
    assert locked.get("/livez").status_code == 200
    assert locked.get("/metrics").status_code == 200
    assert locked.get("/readyz").status_code == 503


def test_where_access_is_open_everybody_may_do_everything_but_make_keys(opened: TestClient) -> None:
    assert {Scope.ADMIN} == set(Scope) - WITHOUT_KEY
    problem_of(opened.get("/v1/backtests"), 503)
    assert "STOCULUS_ACCESS=keys" in problem_of(opened.get("/v1/keys"), 403)["remedy"]
    problem_of(opened.post("/v1/keys", json={"name": "a", "scopes": ["admin"]}), 403)


@pytest.mark.parametrize("origin", ["http://evil.example", "https://127.0.0.1:8000.evil.example", "null", "x"])
def test_pages_of_elsewhere_are_refused(opened: TestClient, locked: TestClient, origin: str) -> None:
    problem_of(opened.post("/v1/backtests/42:cancel", headers={"Origin": origin}), 403)
    problem_of(locked.post("/v1/backtests/42:cancel", headers={"Origin": origin, **ADMIN}), 403)


def test_the_page_of_the_documentation_may_ask(opened: TestClient) -> None:
    assert opened.get("/v1/backtests", headers={"Origin": "http://127.0.0.1:8000"}).status_code == 503


@pytest.mark.parametrize("origin", ["http://evil.example", "http://testserver"])
def test_no_answer_has_a_header_of_cors(locked: TestClient, origin: str) -> None:
    asking = {"Origin": origin, "Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "x"}
    answers = [
        locked.request(method, path, headers=asking)
        for method in ("OPTIONS", "GET", "POST")
        for path in ("/v1/backtests", "/livez", "/docs")
    ]

    assert [name for answer in answers for name in answer.headers if name.startswith("access-control")] == []
    assert {answer.status_code for answer in answers} <= {200, 401, 403, 405}


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example:8000", "evil.example."])
def test_where_access_is_open_a_public_name_is_refused(opened: TestClient, locked: TestClient, host: str) -> None:
    problem_of(opened.get("/v1/backtests", headers={"Host": host}), 403)
    assert locked.get("/v1/unknown", headers={"Host": host, **ADMIN}).status_code == 404


@pytest.mark.parametrize(
    "host", ["127.0.0.1:8000", "[::1]:8000", "localhost", "coordinator:8000", "host.docker.internal"]
)
def test_names_of_this_machine_are_not(opened: TestClient, host: str) -> None:
    assert opened.get("/v1/unknown", headers={"Host": host}).status_code == 404


def test_callers_without_a_key_are_limited_by_their_address(tmp_path: Path) -> None:
    client = TestClient(app_of(tmp_path, access="keys", admin_key=ADMIN_KEY, requests_per_s=0.01, requests_burst=2))

    assert [client.get("/v1/keys").status_code for _ in range(3)] == [401, 401, 429]
    answer = client.get("/v1/keys")
    assert "Retry-After" in problem_of(answer, 429)["remedy"]
    assert 1 <= int(answer.headers["retry-after"]) <= 100
    assert [client.get("/v1/unknown", headers=ADMIN).status_code for _ in range(3)] == [404, 404, 429]
    assert [client.get("/livez").status_code for _ in range(5)] == [200] * 5
