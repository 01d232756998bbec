"""One healthy backtest for all tests of verify."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from simulator.testing import running_simulator
from stoculus.kafka import admin
from tests.conftest import Broker, Registry
from tests.integration.verify.planting import DATA, Copy, Desk


@pytest.fixture(scope="package")
def desk(broker: Broker, registry: Registry, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    """A desk at a simulated vendor."""
    spill: Path = tmp_path_factory.mktemp("spill")
    with running_simulator() as theta_url:
        environment = {
            "STOCULUS_KAFKA_BOOTSTRAP": broker.bootstrap,
            "STOCULUS_REGISTRY_URL": registry.url,
            "STOCULUS_THETA_URL": theta_url,
            "STOCULUS_THETA_TIER": "pro",
            "STOCULUS_SPILL_DIR": str(spill),
        }
        admin.create_control_topics(admin.connect(broker.kafka))
        yield Desk(broker.kafka, registry.connection, environment)


@pytest.fixture(scope="package")
def healthy(desk: Desk) -> str:
    """The id of a backtest of bars and a chain."""
    return desk.run([DATA["bars"], DATA["chain"]])


@pytest.fixture(scope="package")
def copies(desk: Desk, healthy: str) -> dict[str, Copy]:
    """What stands on the topics of healthy backtests."""
    of_trades = desk.run([DATA["trades"]])
    return {name: desk.copy(of_trades if name == "trades" else healthy, name) for name in DATA}
