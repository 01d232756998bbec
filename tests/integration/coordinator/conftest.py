"""Stacks of the suite's own processes, on the run's broker and registry."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from simulator.testing import running_simulator
from tests.conftest import Broker, Registry
from tests.integration.coordinator.stack import Stack, running_stack


@pytest.fixture(scope="package")
def simulator_url() -> Iterator[str]:
    with running_simulator() as url:
        yield url


@pytest.fixture(scope="package")
def shared_stack(
    broker: Broker, registry: Registry, simulator_url: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Stack]:
    """One stack for the tests that break nothing."""
    with running_stack(broker, registry.url, simulator_url, tmp_path_factory.mktemp("suite")) as stack:
        stack.service.start()
        stack.options.start()
        stack.coordinator.start()
        yield stack


@pytest.fixture
def stack(shared_stack: Stack) -> Stack:
    return shared_stack


@pytest.fixture
def own_stack(broker: Broker, registry: Registry, simulator_url: str, tmp_path: Path) -> Iterator[Stack]:
    """A stack of the test's own, not started."""
    with running_stack(broker, registry.url, simulator_url, tmp_path) as stack:
        yield stack
