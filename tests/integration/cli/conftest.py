"""The command line in this process, against a suite of real processes."""

import io
import os
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import httpx2
import pytest

from local.probe import http_ok
from local.processes import Program, Supervisor
from simulator.testing import running_simulator
from stoculus import connections
from stoculus.cli.main import main
from tests.conftest import free_ports

LIVE_DAY = "2024-01-03"


class Broker(Protocol):
    """The fixture `broker`."""

    @property
    def bootstrap(self) -> str: ...

    @property
    def kafka(self) -> connections.Kafka: ...


class Registry(Protocol):
    """The fixture `registry`."""

    @property
    def url(self) -> str: ...

    @property
    def connection(self) -> connections.Registry: ...


Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def stoculus(
    broker: Broker, registry: Registry, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Run:
    """`stoculus(…)`: exit code, stdout, stderr."""
    monkeypatch.setenv("STOCULUS_KAFKA_BOOTSTRAP", broker.bootstrap)
    monkeypatch.setenv("STOCULUS_REGISTRY_URL", registry.url)

    def run(*arguments: str, stdin: bytes = b"") -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["stoculus", *arguments])
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin)))
        code = 0
        try:
            main()
        except SystemExit as end:
            code = int(end.code or 0)
        shown = capsys.readouterr()
        return code, shown.out, shown.err

    return run


@dataclass(frozen=True, slots=True)
class Suite:
    """A coordinator with both historical services and a simulator; the live service is its own thing to start."""

    coordinator_url: str
    supervisor: Supervisor
    live_stream: Program


@pytest.fixture(scope="package")
def suite(broker: Broker, registry: Registry, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Suite]:
    var = tmp_path_factory.mktemp("suite")
    supervisor = Supervisor(var)
    stock_port, option_port, live_port, port = free_ports(4)
    with running_simulator(sim_live_date=LIVE_DAY, sim_live_speed=60) as theta_url:
        environment = {name: value for name, value in os.environ.items() if not name.startswith("STOCULUS_")} | {
            "STOCULUS_KAFKA_BOOTSTRAP": broker.bootstrap,
            "STOCULUS_REGISTRY_URL": registry.url,
            "STOCULUS_THETA_URL": theta_url,
            "STOCULUS_THETA_STREAM_URL": httpx2.get(f"{theta_url}/__stream", trust_env=False).json()["url"],
            "STOCULUS_THETA_TIER": "pro",
            "STOCULUS_HISTORICAL_STOCK_PORT": str(stock_port),
            "STOCULUS_HISTORICAL_STOCK_URL": f"http://127.0.0.1:{stock_port}",
            "STOCULUS_HISTORICAL_OPTION_PORT": str(option_port),
            "STOCULUS_HISTORICAL_OPTION_URL": f"http://127.0.0.1:{option_port}",
            "STOCULUS_LIVE_STREAM_PORT": str(live_port),
            "STOCULUS_LIVE_STREAM_URL": f"http://127.0.0.1:{live_port}",
            "STOCULUS_LIVE_DATE": LIVE_DAY,
            "STOCULUS_SPILL_DIR": str(var / "spill"),
            "STOCULUS_COORDINATOR_PORT": str(port),
            "STOCULUS_STORE_URL": f"sqlite:///{var / 'store.sqlite'}",
        }
        programs = [
            _python("stock", "services.historical_stock", stock_port, environment),
            _python("option", "services.historical_option", option_port, environment),
            _python("coordinator", "coordinator", port, environment),
        ]
        try:
            for program in programs:
                supervisor.start(program)
            live_stream = _python("live", "services.live_stream", live_port, environment)
            yield Suite(f"http://127.0.0.1:{port}", supervisor, live_stream)
        finally:
            for program in reversed(programs):
                supervisor.stop(program.name)


@pytest.fixture(scope="package")
def coordinator_url(suite: Suite) -> str:
    return suite.coordinator_url


def _python(name: str, module: str, port: int, environment: dict[str, str]) -> Program:
    command = (sys.executable, "-m", module)
    return Program(name, command, environment, (port,), ready=lambda: http_ok(port, "/readyz"))


@pytest.fixture
def request_file(tmp_path: Path) -> Path:
    """A request of two topics."""
    path = tmp_path / "request.json"
    path.write_text(
        '{"backtest_id": "file", "start": "2024-01-02", "end": "2024-01-03", "data": ['
        '{"asset": "stock", "symbols": ["AAPL"], "schema": "ohlcv"},'
        '{"asset": "stock", "symbols": ["AAPL"], "schema": "trade"}]}'
    )
    return path
