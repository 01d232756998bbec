"""A coordinator, historical services and a simulator as real processes, on the run's broker and registry."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2

from stoculus.kafka import admin
from tests.conftest import Broker, free_ports

DEADLINE_S = 60


def until(holds: Callable[[], Any], what: str) -> Any:
    """Wait for a condition; return its true value."""
    deadline = time.monotonic() + DEADLINE_S
    while time.monotonic() < deadline:
        if value := holds():
            return value
        time.sleep(0.05)
    raise AssertionError(f"never: {what}")


@dataclass
class Process:
    """A program of the suite that a test may kill and start again on its port."""

    module: str
    environment: dict[str, str]
    port: int
    log: Path
    running: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self, *, ready: bool = True) -> None:
        """Return when it answers: /readyz, or /livez where it cannot be ready."""
        with self.log.open("ab") as log:
            self.running = subprocess.Popen(
                [sys.executable, "-m", self.module], env=self.environment, stdout=log, stderr=log
            )
        until(lambda: self.answers("/readyz" if ready else "/livez"), f"{self.module}: {self.log.read_text()[-3000:]}")

    def answers(self, path: str) -> bool:
        try:
            return httpx2.get(self.url + path, trust_env=False).status_code == 200
        except httpx2.HTTPError:
            return False

    def end(self, by: signal.Signals = signal.SIGTERM) -> int:
        """Send a signal and wait; return the exit code."""
        assert self.running is not None
        self.running.send_signal(by)
        try:
            return self.running.wait(DEADLINE_S)
        finally:
            self.running = None

    def kill9(self) -> None:
        self.end(signal.SIGKILL)


@dataclass
class Stack:
    """What a test talks to."""

    coordinator: Process
    service: Process
    options: Process
    simulator_url: str
    broker: Broker
    store: Path
    api: httpx2.Client = field(init=False)

    def __post_init__(self) -> None:
        self.api = httpx2.Client(base_url=self.coordinator.url, timeout=30, trust_env=False)

    def submit(self, **body: Any) -> dict[str, Any]:
        answer = self.api.post("/v1/backtests", json=request(**body))
        assert answer.status_code in (200, 202), answer.text
        return dict(answer.json())

    def show(self, backtest_id: str) -> dict[str, Any]:
        return dict(self.api.get(f"/v1/backtests/{backtest_id}").raise_for_status().json())

    def wait_for(self, backtest_id: str, *states: str) -> dict[str, Any]:
        def reached() -> dict[str, Any] | None:
            try:
                now = self.show(backtest_id)
            except httpx2.HTTPError:
                return None
            return now if now["state"] in states else None

        found: dict[str, Any] = until(reached, f"{backtest_id} is {states}")
        return found

    def topics(self) -> set[str]:
        return set(admin.partition_counts(admin.connect(self.broker.kafka)))

    def fault(self, **fault: Any) -> None:
        httpx2.post(f"{self.simulator_url}/__faults", json=fault, trust_env=False).raise_for_status()

    def struck(self) -> bool:
        """Whether the last fault has met a request."""
        rules = httpx2.get(f"{self.simulator_url}/__faults", trust_env=False).json()
        return bool(rules[-1]["fired"])


def request(**changes: Any) -> dict[str, Any]:
    """A request of a day of bars, with changes."""
    body = {
        "start": "2024-01-02",
        "end": "2024-01-02",
        "data": [{"asset": "stock", "symbols": ["AAPL"], "schema": "ohlcv"}],
    }
    return {name: value for name, value in (body | changes).items() if value is not None}


@contextmanager
def running_stack(
    broker: Broker, registry_url: str, simulator_url: str, folder: Path, **settings: str
) -> Iterator[Stack]:
    clean = {name: value for name, value in os.environ.items() if not name.startswith("STOCULUS_")}
    common = clean | {
        "STOCULUS_KAFKA_BOOTSTRAP": broker.bootstrap,
        "STOCULUS_REGISTRY_URL": registry_url,
        "STOCULUS_LOG_FORMAT": "json",
    }
    stock_port, option_port, coordinator_port = free_ports(3)
    at_vendor = {
        "STOCULUS_HISTORICAL_STOCK_PORT": str(stock_port),
        "STOCULUS_HISTORICAL_OPTION_PORT": str(option_port),
        "STOCULUS_THETA_URL": simulator_url,
        "STOCULUS_THETA_TIER": "pro",
    }
    service = Process("services.historical_stock", common | at_vendor, stock_port, folder / "stock.log")
    options = Process("services.historical_option", common | at_vendor, option_port, folder / "option.log")
    store = folder / "deeper" / "coordinator.sqlite"
    coordinator = Process(
        "coordinator",
        common
        | {
            "STOCULUS_COORDINATOR_PORT": str(coordinator_port),
            "STOCULUS_HISTORICAL_STOCK_URL": service.url,
            "STOCULUS_HISTORICAL_OPTION_URL": options.url,
            "STOCULUS_STORE_URL": f"sqlite:///{store}",
        }
        | settings,
        coordinator_port,
        folder / "coordinator.log",
    )
    stack = Stack(coordinator, service, options, simulator_url, broker, store)
    try:
        yield stack
    finally:
        stack.api.close()
        for process in (coordinator, service, options):
            if process.running:
                process.kill9()
