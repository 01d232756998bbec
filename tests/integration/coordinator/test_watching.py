"""What a backtest leaves in logs and metrics of the programs that were at it."""

import json
from pathlib import Path
from typing import Any

import httpx2
from prometheus_client.parser import text_string_to_metric_families

from tests.integration.coordinator.stack import Process, Stack, until

TOPIC = "stock-aapl-ohlcv1m-historical-watched"
CANARY = "hunter2-canary"


def lines_of(log: Path) -> list[dict[str, Any]]:
    """Every line is an object; the last may be half written."""
    return [json.loads(line) for line in log.read_text().splitlines(keepends=True) if line.endswith("\n")]


def metrics_of(program: Process) -> dict[tuple[str, tuple[str, ...]], float]:
    """Values by name and the labels' values, as they are sorted by name."""
    text = httpx2.get(f"{program.url}/metrics", trust_env=False).text
    return {
        (sample.name, tuple(value for _, value in sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def test_one_id_finds_all_that_a_submission_set_off(stack: Stack) -> None:
    before = metrics_of(stack.service)
    body = {"start": "2024-01-02", "end": "2024-01-02", "backtest_id": "watched"}
    data = [{"asset": "stock", "symbols": ["AAPL"], "schema": "ohlcv"}]
    headers = {"X-Request-ID": "find-me", "Authorization": f"Bearer {CANARY}", "Cookie": f"session={CANARY}"}
    answer = stack.api.post("/v1/backtests", json=body | {"data": data}, headers=headers)
    assert answer.headers["x-request-id"] == "find-me"
    done = stack.wait_for("watched", "completed")

    asked = [line for line in lines_of(stack.coordinator.log) if line.get("request_id") == "find-me"]
    assert [line["service"] for line in asked] == ["coordinator"] * len(asked)
    assert any(line["message"].startswith("POST /v1/backtests: 202 ") for line in asked)
    assert any(line.get("backtest_id") == "watched" for line in asked)
    worked = [line for line in lines_of(stack.service.log) if line.get("request_id") == "find-me"]
    assert {line["service"] for line in worked} == {"historical-stock"}
    assert any(line["message"].startswith("POST /v1/tasks:plan: 200 ") for line in worked)
    assert any(line["message"].startswith("POST /v1/tasks: 202 ") for line in worked)
    of_task = [line["message"] for line in worked if line.get("task_id") == TOPIC and line["backtest_id"] == "watched"]
    assert of_task[0] == f"{TOPIC} starts, attempt 1"

    after = metrics_of(stack.service)
    counted = {key: after[key] - before.get(key, 0) for key in after}
    assert counted["stoculus_records_total", ("ohlcv1m",)] == done["records"]
    assert counted["stoculus_vendor_requests_total", ("stock/history/ohlc", "200")] >= 1
    assert counted["stoculus_txn_commit_seconds_count", ()] >= 2
    assert counted["stoculus_txn_aborts_total", ()] == 0


def test_the_end_of_a_backtest_is_logged_by_its_id(stack: Stack) -> None:
    stack.submit(backtest_id="told")
    stack.wait_for("told", "completed")

    def told() -> bool:
        said = [line["message"] for line in lines_of(stack.coordinator.log) if line.get("backtest_id") == "told"]
        return "told is completed" in said

    until(told, "the log says that it is completed")


def test_an_open_backtest_is_told_of_and_a_closed_one_is_not(stack: Stack) -> None:
    stack.fault(match={"symbol": "KO"}, times=1, fault={"kind": "slow", "bytes_per_s": 20_000})
    data = [{"asset": "stock", "symbols": ["KO"], "schema": "quote"}]
    stack.submit(backtest_id="watched-open", data=data)

    until(
        lambda: ("stoculus_backtest_state", ("watched-open", "running")) in metrics_of(stack.coordinator), "it is open"
    )
    assert metrics_of(stack.coordinator)["stoculus_partitions", ()] > 0
    stack.api.post("/v1/backtests/watched-open:cancel").raise_for_status()
    stack.wait_for("watched-open", "cancelled")
    until(
        lambda: all("watched-open" not in labels for _, labels in metrics_of(stack.coordinator)), "it is told no more"
    )


def test_no_secret_that_was_sent_is_in_a_log(stack: Stack) -> None:
    stack.api.get(f"/v1/backtests/nobody?api_key={CANARY}", headers={"Authorization": f"Bearer {CANARY}"})
    stack.api.delete(f"/v1/backtests/password={CANARY}")

    for program in (stack.coordinator, stack.service, stack.options):
        assert CANARY not in program.log.read_text()
