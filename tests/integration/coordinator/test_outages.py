"""What dies, dies at any moment: nothing is lost, nothing is half created, and all goes on by itself."""

import os
import signal
import sqlite3
from pathlib import Path

import httpx2
import pytest

from stoculus.kafka import admin
from tests.conftest import Broker, Registry
from tests.integration.coordinator.stack import Stack, request, running_stack, until

SLOW = {"kind": "slow", "bytes_per_s": 300_000}
DAYS_OF_QUOTES = {
    "start": "2024-01-02",
    "end": "2024-01-05",
    "data": [{"asset": "stock", "symbols": ["XOM"], "schema": "quote"}],
}


def test_with_the_service_away_a_submission_is_refused_and_nothing_is_stored(own_stack: Stack) -> None:
    own_stack.coordinator.start(ready=False)
    until(lambda: own_stack.api.get("/v1/backtests").status_code == 200, "the topics are read")

    answer = own_stack.api.post("/v1/backtests", json=request(backtest_id="away"))

    assert answer.status_code == 503
    assert int(answer.headers["retry-after"]) > 0
    assert "does not answer" in answer.json()["detail"]
    assert own_stack.api.get("/readyz").status_code == 503
    own_stack.service.start()
    until(lambda: own_stack.coordinator.answers("/readyz"), "the coordinator is ready")
    own_stack.submit(backtest_id="away")
    own_stack.wait_for("away", "completed")


def test_with_the_vendor_away_a_submission_is_refused_and_nothing_is_stored(
    broker: Broker, registry: Registry, tmp_path: Path
) -> None:
    with running_stack(broker, registry.url, "http://127.0.0.1:9", tmp_path) as stack:
        stack.service.start()
        stack.coordinator.start()

        answer = stack.api.post("/v1/backtests", json=request(backtest_id="novendor"))

        assert (answer.status_code, "retry-after" in answer.headers) == (503, True), answer.text
        assert stack.api.get("/v1/backtests/novendor").status_code == 404


@pytest.mark.chaos
def test_a_backtest_survives_kill_9_of_coordinator_and_service(own_stack: Stack) -> None:
    own_stack.service.start()
    own_stack.coordinator.start()
    own_stack.fault(match={"symbol": "XOM"}, times=1, fault=SLOW)
    own_stack.submit(backtest_id="killed", **DAYS_OF_QUOTES)
    own_stack.wait_for("killed", "running")

    own_stack.coordinator.kill9()
    own_stack.service.kill9()
    own_stack.coordinator.start(ready=False)
    assert own_stack.wait_for("killed", "running", "queued")
    own_stack.service.start()

    done = own_stack.wait_for("killed", "completed", "failed")
    assert done["state"] == "completed", done


@pytest.mark.chaos
def test_what_was_paused_stays_paused_over_a_restart(own_stack: Stack) -> None:
    own_stack.service.start()
    own_stack.coordinator.start()
    own_stack.fault(match={"symbol": "XOM"}, times=1, fault=SLOW)
    own_stack.submit(backtest_id="asleep", **DAYS_OF_QUOTES)
    own_stack.wait_for("asleep", "running")
    own_stack.api.post("/v1/backtests/asleep:pause").raise_for_status()

    own_stack.coordinator.kill9()
    own_stack.coordinator.start()

    own_stack.wait_for("asleep", "paused")
    held = httpx2.get(f"{own_stack.service.url}/v1/tasks", trust_env=False).json()["tasks"]
    assert not [task for task in held if task["state"] != "stopping"]
    own_stack.api.post("/v1/backtests/asleep:resume").raise_for_status()
    own_stack.wait_for("asleep", "completed")


@pytest.mark.chaos
def test_a_deletion_goes_on_after_a_restart(own_stack: Stack) -> None:
    own_stack.service.start()
    own_stack.coordinator.start()
    own_stack.submit(backtest_id="doomed")
    own_stack.wait_for("doomed", "completed")
    own_stack.service.end()
    until(lambda: "historical-stock" in own_stack.api.get("/readyz").text, "it is seen")
    with pytest.raises(httpx2.HTTPError):
        own_stack.api.delete("/v1/backtests/doomed", timeout=1)
    own_stack.coordinator.kill9()

    own_stack.coordinator.start(ready=False)
    own_stack.service.start()

    kafka = admin.connect(own_stack.broker.kafka)
    until(lambda: "stock-aapl-ohlcv1m-historical-doomed" not in admin.partition_counts(kafka), "its topic is gone")
    assert own_stack.api.post("/v1/backtests", json=request(backtest_id="doomed")).status_code == 409


def test_without_room_a_submission_is_refused_with_the_numbers(
    broker: Broker, registry: Registry, simulator_url: str, tmp_path: Path
) -> None:
    taken = sum(admin.partition_counts(admin.connect(broker.kafka)).values())
    room = {"STOCULUS_MAX_PARTITIONS": str(taken + 10)}
    with running_stack(broker, registry.url, simulator_url, tmp_path, **room) as stack:
        stack.service.start()
        stack.coordinator.start()
        symbols = [
            "AAPL", "MSFT", "IBM", "GE", "F", "T", "KO", "XOM", "BAC", "SPY", "A", "C",
            "JPM", "WMT", "PG", "JNJ", "CVX", "PFE", "INTC", "CSCO", "ORCL", "VZ",
        ]  # fmt: skip
        data = [{"asset": "stock", "symbols": symbols[:12], "schema": schema} for schema in ("ohlcv", "quote")]

        answer = stack.api.post("/v1/backtests", json=request(data=data))

        assert (answer.status_code, answer.json()["field"]) == (422, "data"), answer.text
        assert "24 new topics" in answer.json()["detail"]
        assert f"of {taken + 10} partitions" in answer.json()["detail"]


def test_a_topic_that_is_there_already_is_not_written_to(stack: Stack) -> None:
    kafka = admin.connect(stack.broker.kafka)
    admin.create_topics(kafka, ["stock-aapl-ohlcv1m-historical-foreign"], admin.DATA_CONFIG)

    answer = stack.api.post("/v1/backtests", json=request(backtest_id="foreign"))

    assert (answer.status_code, answer.json()["field"]) == (409, "backtest_id")


def test_a_store_that_cannot_be_written_refuses_changes_and_still_answers(own_stack: Stack) -> None:
    own_stack.service.start()
    own_stack.coordinator.start()
    own_stack.submit(backtest_id="before")
    own_stack.wait_for("before", "completed")
    lock = sqlite3.connect(own_stack.store, isolation_level=None)
    lock.execute("BEGIN IMMEDIATE")
    try:
        answer = own_stack.api.post("/v1/backtests", json=request(backtest_id="during"))
        assert answer.status_code == 503
        assert "store" in answer.json()["detail"]
        assert str(own_stack.store) in answer.json()["remedy"]
        assert own_stack.show("before")["state"] == "completed"
    finally:
        lock.close()
    own_stack.submit(backtest_id="during")


def test_a_corrupt_store_is_named_and_the_coordinator_lives(own_stack: Stack) -> None:
    own_stack.store.parent.mkdir(parents=True)
    own_stack.store.write_bytes(os.urandom(8192))
    own_stack.service.start()
    own_stack.coordinator.start(ready=False)

    assert own_stack.api.get("/v1/backtests").status_code == 503
    until(lambda: str(own_stack.store) in own_stack.api.get("/readyz").text, "it says which store")
    own_stack.store.unlink()
    until(lambda: own_stack.coordinator.answers("/readyz"), "it goes on with a sound one")


def test_sigterm_ends_it_at_once_with_code_0_even_with_watchers(own_stack: Stack) -> None:
    own_stack.service.start()
    own_stack.coordinator.start()
    own_stack.fault(match={"symbol": "XOM"}, times=1, fault=SLOW)
    own_stack.submit(backtest_id="watched", **DAYS_OF_QUOTES)

    with own_stack.api.stream("GET", "/v1/backtests/watched/events") as stream:
        next(stream.iter_lines())
        assert own_stack.coordinator.end(signal.SIGTERM) == 0


@pytest.mark.chaos
def test_a_broker_that_is_down_at_start_and_dies_in_the_middle_is_waited_for(own_stack: Stack) -> None:
    own_stack.broker.kill9()
    try:
        own_stack.coordinator.start(ready=False)
        assert "Kafka" in own_stack.api.get("/readyz").json()["detail"]
        assert own_stack.api.post("/v1/backtests", json=request(backtest_id="nobroker")).status_code == 503
    finally:
        own_stack.broker.start()
    own_stack.service.start()
    until(lambda: own_stack.coordinator.answers("/readyz"), "the coordinator is ready")
    own_stack.fault(match={"symbol": "XOM"}, times=1, fault=SLOW)
    own_stack.submit(backtest_id="nobroker", **DAYS_OF_QUOTES)
    own_stack.wait_for("nobroker", "running")

    own_stack.broker.kill9()
    try:
        answer = own_stack.api.post("/v1/backtests", json=request(backtest_id="second"))
        assert (answer.status_code, "retry-after" in answer.headers) == (503, True)
        assert own_stack.api.get("/v1/backtests").status_code == 200
    finally:
        own_stack.broker.start()

    done = own_stack.wait_for("nobroker", "completed", "failed")
    assert done["state"] == "completed", done
