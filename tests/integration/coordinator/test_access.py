"""A coordinator and services that let in only who has a key or the token."""

import json
import os
import runpy
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx2
import pytest

from stoculus import logs
from tests.conftest import Broker, Registry
from tests.integration.coordinator.stack import Stack, request, running_stack, until

ADMIN_KEY = "canary-admin-5c0ffee5c0ffee"
TOKEN = "canary-token-1f2e3d4c5b6a7988"
ALL = ["backtests:read", "backtests:write", "streams:read", "streams:write"]
SLOW = {"kind": "slow", "bytes_per_s": 100_000}
DAYS_OF_QUOTES: dict[str, Any] = {
    "start": "2024-01-02",
    "end": "2024-01-05",
    "data": [{"asset": "stock", "symbols": ["KO"], "schema": "quote"}],
}


@pytest.fixture(scope="module")
def locked(
    broker: Broker, registry: Registry, simulator_url: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Stack]:
    folder = tmp_path_factory.mktemp("locked")
    (folder / "admin.key").write_text(f"{ADMIN_KEY}\n")
    settings = {
        "STOCULUS_ACCESS": "keys",
        "STOCULUS_ADMIN_KEY_FILE": str(folder / "admin.key"),
        "STOCULUS_SERVICE_TOKEN": TOKEN,
        "STOCULUS_EVENT_STREAMS": "2",
        "STOCULUS_REQUESTS_PER_S": "20",
        "STOCULUS_REQUESTS_BURST": "100",
    }
    with running_stack(broker, registry.url, simulator_url, folder, **settings) as stack:
        for service in (stack.service, stack.options):
            service.environment["STOCULUS_SERVICE_TOKEN"] = TOKEN
            service.start()
        stack.coordinator.start()
        stack.api.headers["Authorization"] = f"Bearer {ADMIN_KEY}"
        yield stack


def made(stack: Stack, name: str, *scopes: str, **more: Any) -> dict[str, Any]:
    answer = stack.api.post("/v1/keys", json={"name": name, "scopes": scopes or ALL, **more})
    assert answer.status_code == 201, answer.text
    return dict(answer.json())


def holder(stack: Stack, key: str) -> httpx2.Client:
    headers = {"Authorization": f"Bearer {key}"}
    return httpx2.Client(base_url=stack.coordinator.url, headers=headers, timeout=30, trust_env=False)


def test_a_key_is_made_used_rotated_and_deleted_and_outlives_a_restart(locked: Stack) -> None:
    key = made(locked, "research", ttl="90d")
    with holder(locked, key["key"]) as research:
        assert research.post("/v1/backtests", json=request(backtest_id="withkey")).status_code == 202
        locked.wait_for("withkey", "completed")
        assert len(research.get("/v1/backtests/withkey/records").text.splitlines()) == 390
        assert research.get("/v1/keys").status_code == 403

        rotated = locked.api.post(f"/v1/keys/{key['key_id']}:rotate", json={"overlap": "1h"})
        assert rotated.status_code == 201
        assert rotated.headers["cache-control"] == "no-store"
        locked.coordinator.end(signal.SIGKILL)
        locked.coordinator.start()

        with holder(locked, rotated.json()["key"]) as changed_over:
            assert changed_over.get("/v1/backtests").status_code == research.get("/v1/backtests").status_code == 200
            listed = {one["key_id"]: one for one in locked.api.get("/v1/keys").json()["keys"]}
            old, new = listed[key["key_id"]], listed[rotated.json()["key_id"]]
            assert (old["name"], old["scopes"], old["state"]) == (new["name"], new["scopes"], new["state"])
            assert old["last_used_on"] is not None
            assert old["expires_at"] < new["expires_at"]
            assert "key" not in old
            assert "digest" not in old

            assert locked.api.delete(f"/v1/keys/{old['key_id']}").json()["state"] == "ended"
            assert research.get("/v1/backtests").status_code == 401
            assert changed_over.get("/v1/backtests").status_code == 200


@pytest.mark.parametrize("header", [None, "Bearer stoc_wrong", f"Basic {ADMIN_KEY}"])
def test_without_a_key_or_with_a_wrong_one_nothing_is_done(locked: Stack, header: str | None) -> None:
    headers = {"Authorization": header} if header else {}
    url = f"{locked.coordinator.url}/v1/backtests"

    answer = httpx2.post(url, json=request(backtest_id="nokey"), headers=headers, trust_env=False)

    assert (answer.status_code, answer.headers["www-authenticate"]) == (401, "Bearer")
    assert answer.headers["content-type"] == "application/problem+json"
    assert "STOCULUS_API_KEY" in answer.json()["remedy"]
    assert locked.api.get("/v1/backtests/nokey").status_code == 404


def test_a_key_does_what_its_scopes_say_and_no_more(locked: Stack) -> None:
    with holder(locked, made(locked, "reader", "backtests:read")["key"]) as reader:
        assert reader.get("/v1/backtests").status_code == 200
        assert reader.post("/v1/backtests:estimate", json=request()).status_code == 200
        refused = reader.post("/v1/backtests", json=request(backtest_id="byreader"))
        assert refused.status_code == 403
        assert "backtests:write" in refused.json()["detail"]
        assert reader.get("/v1/streams").status_code == 403


def test_who_asks_too_fast_waits_and_others_do_not(locked: Stack) -> None:
    with holder(locked, made(locked, "hasty")["key"]) as hasty, holder(locked, made(locked, "calm")["key"]) as calm:
        answers = [hasty.get("/v1/backtests/none") for _ in range(200)]
        refused = [answer for answer in answers if answer.status_code == 429]

        assert refused
        assert {answer.status_code for answer in answers} == {404, 429}
        assert refused[0].json()["type"] == "urn:stoculus:error:too_many_requests"
        assert calm.get("/v1/backtests/none").status_code == 404
        time.sleep(int(refused[-1].headers["retry-after"]))
        assert hasty.get("/v1/backtests/none").status_code == 404


def test_a_key_follows_so_many_event_streams_and_no_more(locked: Stack) -> None:
    locked.fault(match={"symbol": "KO"}, times=1, fault=SLOW)
    locked.submit(backtest_id="followed", **DAYS_OF_QUOTES)
    path = "/v1/backtests/followed/events"
    with holder(locked, made(locked, "wall", "backtests:read")["key"]) as wall, ExitStack() as open_streams:
        streams = [open_streams.enter_context(wall.stream("GET", path)) for _ in range(2)]
        assert [stream.status_code for stream in streams] == [200, 200]

        answer = wall.get(path)

        assert answer.status_code == 429
        assert int(answer.headers["retry-after"]) > 0
        assert "2 event streams" in answer.json()["detail"]
        with locked.api.stream("GET", path) as other:
            assert other.status_code == 200
        streams[0].close()
        until(lambda: _is_open(wall, path), "the seat is free again")
    locked.api.delete("/v1/backtests/followed")


def _is_open(client: httpx2.Client, path: str) -> bool:
    with client.stream("GET", path) as stream:
        return stream.status_code == 200


def test_services_answer_the_coordinator_alone(locked: Stack) -> None:
    for service in (locked.service, locked.options):
        refused = [
            httpx2.request(method, service.url + path, headers=headers, trust_env=False)
            for method, path in (
                ("GET", "/v1/tasks"),
                ("POST", "/v1/tasks"),
                ("DELETE", "/v1/tasks/x"),
                ("GET", "/docs"),
            )
            for headers in ({}, {"Authorization": "Bearer wrong"}, {"Authorization": f"Bearer {ADMIN_KEY}"})
        ]
        assert {answer.status_code for answer in refused} == {401}
        for path in ("/livez", "/readyz", "/metrics"):
            assert service.answers(path)


def test_a_coordinator_with_another_token_says_so(
    broker: Broker, registry: Registry, simulator_url: str, tmp_path: Path
) -> None:
    with running_stack(broker, registry.url, simulator_url, tmp_path) as stack:
        stack.service.environment["STOCULUS_SERVICE_TOKEN"] = TOKEN
        stack.service.start()
        stack.options.start()
        stack.coordinator.start(ready=False)

        until(lambda: "refuses the coordinator's token" in stack.api.get("/readyz").text, "the service is away")
        answer = until(
            lambda: (
                (found := stack.api.post("/v1/backtests", json=request())).status_code == 503
                and "token" in found.text
                and found
            ),
            "the submission is refused for the token",
        )

        assert "STOCULUS_SERVICE_TOKEN" in answer.json()["remedy"]


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ({"STOCULUS_HOST": "0.0.0.0"}, "STOCULUS_ACCESS is not set"),
        ({"STOCULUS_HOST": "coordinator"}, "STOCULUS_ACCESS is not set"),
        ({"STOCULUS_ACCESS": "keys"}, "STOCULUS_ADMIN_KEY is not set"),
        ({"STOCULUS_ACCESS": "none"}, "STOCULUS_ACCESS is wrong"),
        ({"STOCULUS_ACCESS": "keys", "STOCULUS_ADMIN_KEY": "changethis"}, "STOCULUS_ADMIN_KEY is wrong"),
        ({"STOCULUS_SERVICE_TOKEN": "changethis-changethis"}, "STOCULUS_SERVICE_TOKEN is wrong"),
        ({"STOCULUS_STORE_URL": "nothing://canary:canary@host/x"}, "STOCULUS_STORE_URL names no database"),
    ],
)
def test_a_coordinator_with_wrong_settings_ends_at_once_with_78(
    settings: dict[str, str], named: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(os, "environ", _clean() | settings)
    monkeypatch.setattr(logs, "configure", lambda *_: None)  # it would be that of all tests

    with pytest.raises(SystemExit) as ended:
        runpy.run_module("coordinator", run_name="__main__")

    told = capsys.readouterr().err
    assert ended.value.code == os.EX_CONFIG
    assert told.startswith(named)
    assert len(told.splitlines()) == 1
    assert "canary" not in told


def test_the_command_line_manages_keys_and_sends_its_own(locked: Stack, tmp_path: Path) -> None:
    key_file = tmp_path / "key"

    def stoculus(*arguments: str) -> subprocess.CompletedProcess[str]:
        environment = _clean() | {
            "STOCULUS_COORDINATOR_URL": locked.coordinator.url,
            "STOCULUS_API_KEY_FILE": str(key_file),
        }
        command = [sys.executable, "-c", "from stoculus.cli.main import main; main()", *arguments]
        return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60)

    key_file.write_text(ADMIN_KEY)
    created = stoculus("key", "create", "laptop", "--scopes", "backtests:read,backtests:write")
    listed = json.loads(stoculus("key", "list", "--json").stdout)
    (laptop,) = [one for one in listed if one["name"] == "laptop"]
    rotated = stoculus("key", "rotate", laptop["key_id"], "--overlap", "0s")

    assert (created.returncode, rotated.returncode) == (0, 0), rotated.stderr
    key_file.write_text(created.stdout)
    ended = stoculus("backtest", "list")
    assert ended.returncode == 1
    assert "has ended" in ended.stderr
    key_file.write_text(rotated.stdout)
    assert stoculus("backtest", "list", "--json").returncode == 0
    refused = stoculus("key", "list")
    assert refused.returncode == 1
    assert "lacks the scope admin" in refused.stderr
    key_file.write_text(ADMIN_KEY)
    assert stoculus("key", "delete", laptop["key_id"]).returncode == 0
    for said in (ended, refused):
        assert created.stdout.strip() not in said.stderr
        assert rotated.stdout.strip() not in said.stderr


def test_no_secret_is_in_a_log(locked: Stack) -> None:
    key = made(locked, "canary")["key"]
    with holder(locked, key) as canary:
        canary.get("/v1/backtests")
        canary.get(f"/v1/backtests?key={key}")
        canary.post(f"/v1/backtests/{key}:cancel")
        canary.post("/v1/backtests", content=f'{{"{key}": 1')
    logs = [each.log for each in (locked.coordinator, locked.service, locked.options)]
    store = [path.read_bytes() for path in locked.store.parent.iterdir()]

    told = b"".join([*(log.read_bytes() for log in logs), *store])

    assert b"key canary (stoc_" in told
    for secret in (ADMIN_KEY, TOKEN, key):
        assert secret.encode() not in told


def _clean() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith("STOCULUS_")}
