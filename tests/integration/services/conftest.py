"""One service per simulator for the session; tests that kill one start their own."""

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from simulator.testing import running_simulator
from stoculus.kafka.admin import connect, create_control_topics
from tests.conftest import Broker, Registry, free_ports
from tests.integration.kafka.conftest import Record, read_all
from tests.integration.services.harness import Checkpoints, Service, Simulator

_NUMBERS = count(1)
Read = Callable[[str], list[Record]]
ServiceOf = Callable[..., Service]


@pytest.fixture(scope="package")
def simulator(broker: Broker) -> Iterator[Simulator]:
    """The synthetic market."""
    with running_simulator() as url:
        yield Simulator(url)


@pytest.fixture(scope="package")
def new_service(broker: Broker, registry: Registry, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServiceOf]:
    """Makes services, not started."""
    folder = tmp_path_factory.mktemp("services")
    with ExitStack() as stack:

        def make(theta_url: str, program: str = "historical_stock", **settings: Any) -> Service:
            [port] = free_ports(1)
            chosen = {
                "kafka_bootstrap": broker.bootstrap,
                "registry_url": registry.url,
                f"{program}_port": port,
                "theta_url": theta_url,
                "theta_tier": "pro",
                "theta_idle_timeout_s": 3,
                "memory_budget_mb": 64,
                "spill_dir": folder / "spill",
                **settings,
            }
            environment = {name: value for name, value in os.environ.items() if not name.startswith("STOCULUS_")}
            environment |= {f"STOCULUS_{name.upper()}": str(value) for name, value in chosen.items()}
            service = Service(f"services.{program}", environment, port, folder / f"{port}.log")
            stack.callback(service.close)
            return service

        yield make


@pytest.fixture(scope="package")
def shared_service(new_service: ServiceOf, simulator: Simulator) -> Service:
    return new_service(simulator.url).start()


@pytest.fixture
def service(shared_service: Service, simulator: Simulator) -> Iterator[Service]:
    """The service of the synthetic market; faults are healed afterwards."""
    yield shared_service
    simulator.heal()


@pytest.fixture
def own_service(new_service: ServiceOf, simulator: Simulator) -> Iterator[Service]:
    """A started service of the test's own, to be killed."""
    made = new_service(simulator.url).start()
    yield made
    made.close()
    simulator.heal()


@pytest.fixture(scope="package")
def recorded_market(recordings: Path) -> Iterator[str]:
    """The URL of a simulator on the recordings."""
    with running_simulator(sim_recordings=recordings) as url:
        yield url


@pytest.fixture(scope="package")
def recorded_service(new_service: ServiceOf, recorded_market: str) -> Service:
    """The service of the recorded market."""
    return new_service(recorded_market).start()


@pytest.fixture(scope="package")
def recorded_option_service(new_service: ServiceOf, recorded_market: str) -> Service:
    """The option service of the recorded market."""
    return new_service(recorded_market, "historical_option").start()


@pytest.fixture(scope="package")
def option_service(new_service: ServiceOf, simulator: Simulator) -> Service:
    """The option service of the synthetic market, which takes seconds to report on a whole chain."""
    return new_service(simulator.url, "historical_option", theta_idle_timeout_s=10).start()


@pytest.fixture(scope="package")
def checkpoints(broker: Broker) -> Iterator[Checkpoints]:
    create_control_topics(connect(broker.kafka))
    made = Checkpoints(broker.kafka)
    yield made
    made.close()


@pytest.fixture(scope="package")
def read(broker: Broker) -> Read:
    """Every committed record of a topic."""
    return lambda topic: read_all(broker.kafka, topic)


@pytest.fixture
def backtest_id(request: pytest.FixtureRequest) -> str:
    return f"t{next(_NUMBERS)}"


@pytest.fixture(scope="package")
def reference(shared_service: Service, checkpoints: Checkpoints, read: Read) -> list[Record]:
    """The undisturbed topic of `quotes`: one chunk of three blocks."""
    task_id = shared_service.start_task(quotes("reference"))
    assert checkpoints.completed(task_id).chunks_total == 1
    return read(task_id)


def quotes(backtest_id: str, **changes: Any) -> dict[str, Any]:
    """The task of a day's quotes at each tenth of a second: 234,001 rows, 12 MB at the vendor."""
    day = "2024-01-03"
    return {
        "backtest_id": backtest_id,
        "ticker": "AAPL",
        "start": day,
        "end": day,
        "schema": "quote",
        "interval": "100ms",
    } | changes
