"""The shared web app: errors, limits, request ids, probes."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Annotated, Any

import httpx2
import pytest
from fastapi.testclient import TestClient
from pydantic import BaseModel, ConfigDict

from services.kit.app import Located, create_app
from stoculus import logs
from stoculus.errors import Conflict, ServiceUnavailable
from stoculus.tasks import StockTask


class Selection(BaseModel):
    model_config = ConfigDict(extra="forbid")

    symbols: list[str]
    interval: str | None = None


class Body(BaseModel):
    model_config = ConfigDict(extra="forbid")

    data: list[Selection]
    tasks: list[Annotated[StockTask, Located]] = []


missing: list[str] = []


@pytest.fixture
def client() -> Iterator[TestClient]:
    app = create_app("test", version="1", ready=lambda: missing, max_body_bytes=2000)

    @app.post("/v1/things")
    def things(body: Body) -> dict[str, int]:
        return {"data": len(body.data)}

    @app.get("/v1/fail/{how}")
    def fail(how: str, limit: int = 1) -> None:
        raise {
            "conflict": Conflict("Taken.", remedy="Use another.", field="backtest_id"),
            "away": ServiceUnavailable("Away."),
        }.get(how, KeyError("secret"))

    with TestClient(app) as client:
        yield client


def problem_of(response: httpx2.Response, status: int) -> dict[str, Any]:
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/problem+json"
    body: dict[str, Any] = response.json()
    assert body["status"] == status
    assert body["request_id"] == response.headers["x-request-id"]
    return body


def test_an_error_of_the_tree_is_a_problem_with_field_and_remedy(client: TestClient) -> None:
    body = problem_of(client.get("/v1/fail/conflict"), 409)

    assert body["type"] == "urn:stoculus:error:conflict"
    assert (body["detail"], body["remedy"], body["field"]) == ("Taken.", "Use another.", "backtest_id")


def test_a_503_says_when_to_come_back(client: TestClient) -> None:
    response = client.get("/v1/fail/away")

    problem_of(response, 503)
    assert int(response.headers["retry-after"]) > 0


def test_an_unforeseen_error_tells_nothing_but_is_logged(client: TestClient, caplog: pytest.LogCaptureFixture) -> None:
    body = problem_of(client.get("/v1/fail/oops"), 500)

    assert "secret" not in str(body)
    assert "KeyError" in caplog.text
    assert body["request_id"] in caplog.text


def test_a_given_request_id_comes_back_and_a_strange_one_does_not(client: TestClient) -> None:
    assert client.get("/livez", headers={"x-request-id": "abc-1"}).headers["x-request-id"] == "abc-1"
    assert client.get("/livez", headers={"x-request-id": "a b\tc"}).headers["x-request-id"] != "a b\tc"


def test_a_wrong_type_names_the_json_path(client: TestClient) -> None:
    body = problem_of(client.post("/v1/things", json={"data": [{"symbols": ["A", None]}]}), 422)

    assert body["field"] == "data[0].symbols[1]"


def test_an_unknown_field_is_answered_with_the_nearest(client: TestClient) -> None:
    body = problem_of(client.post("/v1/things", json={"data": [{"symbols": [], "symbls": ["A"]}]}), 422)

    assert body["field"] == "data[0].symbls"
    assert "'symbols'" in body["remedy"]


def test_an_unknown_field_far_from_all_is_answered_with_the_known(client: TestClient) -> None:
    body = problem_of(client.post("/v1/things", json={"data": [], "zzz": 1}), 422)

    assert "data, tasks" in body["remedy"]


def test_several_wrong_fields_are_all_named(client: TestClient) -> None:
    body = problem_of(client.post("/v1/things", json={"data": [{"symbols": 1}, {}]}), 422)

    assert [e["field"] for e in body["errors"]] == ["data[0].symbols", "data[1].symbols"]


def test_an_error_raised_in_a_validator_keeps_its_remedy_and_gets_its_path(client: TestClient) -> None:
    task = {"backtest_id": "b", "ticker": "AAPL", "start": "2024-01-02", "end": "2024-01-02"}
    body = problem_of(client.post("/v1/things", json={"data": [], "tasks": [task, task | {"ticker": "{a b}"}]}), 422)

    assert body["field"] == "tasks[1].ticker"
    assert "letters" in body["remedy"]


@pytest.mark.parametrize("content", [b"{", b'{"data": [}', b"\xff\xfe{}", b"[" * 1500])
def test_what_is_no_json_is_a_400(client: TestClient, content: bytes) -> None:
    problem_of(client.post("/v1/things", content=content), 400)


def test_a_form_is_told_to_be_json(client: TestClient) -> None:
    body = problem_of(client.post("/v1/things", data={"data": "1"}), 415)

    assert "application/json" in body["remedy"]


def test_a_lone_surrogate_is_a_client_error(client: TestClient) -> None:
    problem_of(client.post("/v1/things", content=b'{"data": [{"symbols": ["\\ud800"], "interval": 5}]}'), 422)


@pytest.mark.parametrize("chunked", [False, True])
def test_a_body_over_the_limit_is_a_413(client: TestClient, chunked: bool) -> None:
    content = b'{"data": "' + b"x" * 5000 + b'"}'
    response = client.post("/v1/things", content=iter([content[:100], content[100:]]) if chunked else content)

    assert "2000" in problem_of(response, 413)["detail"]


def test_unknown_paths_and_methods_are_problems(client: TestClient) -> None:
    problem_of(client.get("/nothing"), 404)
    response = client.delete("/v1/things")

    assert "POST" in problem_of(response, 405)["remedy"]
    assert response.headers["allow"] == "POST"


def test_a_wrong_query_names_the_parameter(client: TestClient) -> None:
    assert problem_of(client.get("/v1/fail/x?limit=abc"), 422)["field"] == "limit"


def test_readiness_names_what_is_missing(client: TestClient) -> None:
    assert client.get("/readyz").status_code == 200
    missing.append("Kafka does not answer.")
    try:
        assert "Kafka" in problem_of(client.get("/readyz"), 503)["detail"]
    finally:
        missing.clear()


def test_what_is_amiss_is_remarked_on_without_being_not_ready() -> None:
    amiss = ["A service is away."]
    app = create_app("Test", version="1", ready=list, remarks=lambda: amiss)

    with TestClient(app) as served:
        assert served.get("/readyz").json() == {"ready": True, "remarks": ["A service is away."]}
        amiss.clear()
        assert served.get("/readyz").json() == {"ready": True}


def test_metrics_count_requests_by_route(client: TestClient) -> None:
    client.get("/v1/fail/conflict")

    assert 'route="/v1/fail/{how}",status="409"' in client.get("/metrics").text


def test_methods_that_nobody_knows_are_one_label(client: TestClient) -> None:
    for method in ("FOO", "BAR"):
        client.request(method, "/v1/things")

    assert 'method="other"' in client.get("/metrics").text
    assert "FOO" not in client.get("/metrics").text


def test_a_change_is_logged_with_its_request_and_a_look_is_not(
    client: TestClient, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", logger="services.kit.app")
    client.get("/v1/fail/conflict", headers={"X-Request-ID": "mine-1"})
    client.post("/v1/things", headers={"X-Request-ID": "mine-2"}, json={"data": []})

    [line] = [record.getMessage() for record in caplog.records if record.name == "services.kit.app"]
    assert line.startswith("POST /v1/things: 200 in ")


def test_what_an_endpoint_logs_belongs_to_its_request() -> None:
    app = create_app("Test", version="1", ready=list)
    seen: list[str | None] = []

    @app.get("/threaded")
    def threaded() -> None:
        seen.append(logs.request_id())

    @app.get("/async")
    async def on_the_loop() -> None:
        seen.append(logs.request_id())

    with TestClient(app) as served:
        served.get("/threaded", headers={"X-Request-ID": "one"})
        served.get("/async", headers={"X-Request-ID": "two"})

    assert [*seen, logs.request_id()] == ["one", "two", None]


def test_docs_are_there(client: TestClient) -> None:
    assert client.get("/docs").status_code == 200


_SERVER = """
import asyncio, sys
from services.kit.app import create_app, serve
from stoculus import logs
from stoculus.settings import SuiteSettings
logs.configure("t", SuiteSettings())
app = create_app("t", version="1", ready=lambda: [])
@app.get("/slow")
async def slow() -> str:
    print("under way", file=sys.stderr, flush=True)
    await asyncio.sleep(0.5)
    return "done"
serve(app, "127.0.0.1", 0)
"""


def test_sigterm_lets_the_open_request_end_and_exits_with_zero() -> None:
    with subprocess.Popen([sys.executable, "-c", _SERVER], stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        url = next(found[0] for line in process.stderr if (found := re.search(r"http://[\d.:]+", line)))
        with ThreadPoolExecutor() as pool:
            answer = pool.submit(httpx2.get, f"{url}/slow")
            assert any("under way" in line for line in process.stderr)
            os.kill(process.pid, signal.SIGTERM)

            assert answer.result().json() == "done"

    assert process.returncode == 0
