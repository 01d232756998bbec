from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest

from simulator.testing import running_simulator


@pytest.fixture(scope="package")
def simulator_url() -> Iterator[str]:
    with running_simulator() as url:
        yield url


@pytest.fixture
def terminal(simulator_url: str) -> Iterator[httpx2.Client]:
    """A synthetic PRO terminal without faults, on the real clock."""
    with httpx2.Client(base_url=simulator_url, timeout=30) as client:
        yield client
        client.delete("/__faults")
        client.post("/__clock", json={"now": None})
        client.post("/__dialect", json={})
        client.delete("/__requests")


@pytest.fixture(scope="package")
def recorded_terminal(recordings: Path) -> Iterator[httpx2.Client]:
    """A terminal that answers from the recordings."""
    with running_simulator(sim_recordings=recordings) as url, httpx2.Client(base_url=url, timeout=60) as client:
        yield client
