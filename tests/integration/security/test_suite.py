"""The suite on a broker and a registry over TLS, each program with a login and the rights of docs/security.md."""

import io
import sys
from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest

import stoculus
from stoculus.cli.main import main
from stoculus.doctor.broker import probe_broker
from stoculus.doctor.registry import probe_registry
from stoculus.kafka import admin
from stoculus.settings import ClientSettings
from tests.integration.coordinator.stack import Stack, until
from tests.integration.security.broker import SecureBroker, denied
from tests.integration.security.conftest import logs_of

pytestmark = pytest.mark.chaos

Run = Callable[..., tuple[int, str]]


@pytest.fixture(scope="package")
def backtest(suite: Stack) -> dict[str, Any]:
    """One that has come to its end."""
    suite.submit(backtest_id="tls", data=[{"asset": "stock", "symbols": ["AAPL", "MSFT"], "schema": "ohlcv"}])
    return suite.wait_for("tls", "completed", "failed")


@pytest.fixture
def command(research: dict[str, str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """`stoculus …` as a reader: exit code, and what it printed."""
    for name, value in research.items():
        monkeypatch.setenv(name, value)

    def run(*arguments: str) -> tuple[int, str]:
        monkeypatch.setattr(sys, "argv", ["stoculus", *arguments])
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO()))
        code = 0
        try:
            main()
        except SystemExit as end:
            code = int(end.code or 0)
        return code, "".join(capsys.readouterr())

    return run


def test_a_backtest_comes_to_its_receipt(suite: Stack, backtest: dict[str, Any]) -> None:
    assert backtest["state"] == "completed", backtest
    page = suite.api.get("/v1/backtests/tls/records?topic=stock-aapl-ohlcv1m-historical-tls&limit=5").raise_for_status()
    assert len(page.text.splitlines()) == 5


def test_readers_with_rights_to_read_alone_get_all_of_it(backtest: dict[str, Any], where: ClientSettings) -> None:
    topics = [task["topic"] for task in backtest["tasks"]]
    group = stoculus.subscribe(topics, group=f"research-{uuid4().hex}", until_end=True, settings=where)

    assert sum(batch.num_rows for batch in stoculus.read("tls", settings=where)) == backtest["records"]
    assert sum(batch.num_rows for batch in group) == backtest["records"]


@pytest.mark.parametrize(
    "arguments",
    [
        ("topics",),
        ("verify", "tls"),
        ("consume", "stock-aapl-ohlcv1m-historical-tls", "--from", "2024-01-02T10:00", "--limit", "3"),
        ("schemas", "check"),
    ],
)
def test_commands_log_in(backtest: dict[str, Any], command: Run, arguments: tuple[str, ...]) -> None:
    code, shown = command(*arguments)

    assert backtest["state"] == "completed"
    assert code == 0, shown
    assert "canary" not in shown


def test_the_doctor_says_how_it_is_connected_and_what_it_does_not_ask(where: ClientSettings) -> None:
    lines = [*probe_broker(where.kafka, 4000), *probe_registry(where.registry)]
    found = "\n".join(line.found for line in lines)

    assert "failed" not in {line.level for line in lines}, found
    assert "over SASL_SSL as research" in found
    assert "how full its disks are is not asked" in found
    assert "research may not write in transactions" in found


def test_a_stream_is_written(suite: Stack) -> None:
    body = {"stream_id": "tls", "data": [{"asset": "stock", "symbols": ["AAPL"], "schema": "trade"}]}
    suite.api.post("/v1/streams", json=body).raise_for_status()

    def records() -> bool:
        [topic] = suite.api.get("/v1/streams/tls").raise_for_status().json()["topics"]
        return bool(topic["records"])

    until(records, "the stream has records")
    suite.api.delete("/v1/streams/tls").raise_for_status()


@pytest.mark.parametrize("is_running", [False, True])
def test_a_stream_without_the_right_to_write_says_so_and_goes_on_with_it(
    suite: Stack, secure: SecureBroker, is_running: bool
) -> None:
    ticker = "MSFT" if is_running else "KO"
    topic, stream = f"stock-{ticker.lower()}-quote-live", f"rights-{ticker.lower()}"
    body = {"stream_id": stream, "data": [{"asset": "stock", "symbols": [ticker], "schema": "quote"}]}

    def shown() -> dict[str, Any]:
        found: dict[str, Any] = suite.api.get(f"/v1/streams/{stream}").raise_for_status().json()
        return found

    def records() -> int:
        return int(sum(each["records"] or 0 for each in shown()["topics"]))

    if is_running:
        suite.api.post("/v1/streams", json=body).raise_for_status()
        until(records, "it has records")
    with denied(admin.connect(secure.kafka), "services", topic):
        suite.api.post("/v1/streams", json=body).raise_for_status()
        until(lambda: "write to" in str(shown().get("reason")) and topic in shown()["reason"], "it says why")
    until(lambda: shown()["state"] == "running" and records(), "it goes on")
    suite.api.delete(f"/v1/streams/{stream}").raise_for_status()


def test_a_backtest_is_deleted_with_its_topics(suite: Stack) -> None:
    suite.submit(backtest_id="gone")
    suite.wait_for("gone", "completed")

    suite.api.delete("/v1/backtests/gone").raise_for_status()

    until(lambda: not [topic for topic in suite.topics() if topic.endswith("-gone")], "its topics are gone")


def test_no_secret_is_logged(suite: Stack, secure: SecureBroker) -> None:
    logs = [*logs_of(suite), secure.supervisor.log(secure.program.name)]

    assert len(logs) >= 4
    assert not [log for log in logs if b"canary" in log.read_bytes()]
