"""What all tests share: one real broker and registry per run, started by the launcher of the local stack."""

import gc
import os
import shutil
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import httpcore2
import pytest
from hypothesis import settings
from xdist.scheduler import LoadScopeScheduling

from local.broker import broker as kafka
from local.java import Artifacts, fetch
from local.processes import Program, Supervisor
from local.registry import registry as apicurio
from local.registry import url as registry_url
from stoculus import connections
from stoculus.kafka.registry import register_all
from tests.standin.build import build

CHECKOUT = Path(__file__).resolve().parents[1]
LONGEST = ("services", "coordinator", "live", "simulator", "cli", "theta_client")
MARKET_DATA = CHECKOUT.parent / "shared" / "market-data"

# As many as the time of a test run allows; HYPOTHESIS_PROFILE=default takes the library's 100.
settings.register_profile("suite", max_examples=40)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "suite"))
# Topics as lists of records are millions of objects and no cycles: looking through them costs more than the tests.
gc.set_threshold(200_000, 50, 50)
# Each HTTP client reads all certificates for a TLS that no test speaks, which costs more than most requests.
httpcore2.default_ssl_context = cache(httpcore2.default_ssl_context)
# No Java program of a test lives long enough to be worth more than the first compiler: it halves their CPU time.
os.environ["JDK_JAVA_OPTIONS"] = "-XX:TieredStopAtLevel=1"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest packages first: at the end there are short files for every worker."""
    places = {CHECKOUT / "tests" / "integration" / name: place for place, name in enumerate(LONGEST)}
    items.sort(key=lambda item: places.get(item.path.parent, len(places)))


class ByPackage(LoadScopeScheduling):  # type: ignore[misc]
    """Gives a worker a package of tests, whose files share programs, or a file that is in none."""

    def _split_scope(self, nodeid: str) -> str:
        path = Path(nodeid.split("::")[0])
        return str(path.parent if (CHECKOUT / path).with_name("__init__.py").exists() else path)


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> ByPackage:
    return ByPackage(config, log)


@dataclass(frozen=True, slots=True)
class Member:
    """A program of the stack that a test may kill and start again; its data and its port stay."""

    supervisor: Supervisor
    program: Program

    def kill9(self) -> None:
        self.supervisor.kill(self.program.name)

    def start(self) -> None:
        """Return when it is ready; harmless while it runs."""
        self.supervisor.start(self.program)

    @property
    def pid(self) -> int | None:
        return self.supervisor.pid(self.program.name)


@dataclass(frozen=True, slots=True)
class Broker(Member):
    """Kafka; it does not create topics by itself."""

    @property
    def bootstrap(self) -> str:
        return f"127.0.0.1:{self.program.ports[0]}"

    @property
    def kafka(self) -> connections.Kafka:
        return connections.Kafka(self.bootstrap)


@dataclass(frozen=True, slots=True)
class Registry(Member):
    """The schema registry, with the schemas of `schemas/` registered."""

    @property
    def url(self) -> str:
        return registry_url(self.program.ports[0])

    @property
    def connection(self) -> connections.Registry:
        return connections.Registry(self.url)


def free_ports(count: int) -> list[int]:
    """Ports of 127.0.0.1 that nobody listens on, all different."""
    sockets = [socket.socket() for _ in range(count)]
    try:
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]
    finally:
        for each in sockets:
            each.close()


@pytest.fixture(scope="session")
def java_artifacts() -> Artifacts:
    """Kafka and the registry as fetched for the local stack; the first run of a checkout fetches them."""
    return fetch(CHECKOUT / "var" / "java", print)


@pytest.fixture(scope="session")
def standin_jar() -> Path:
    """What stands in for the vendor's jar; the first run of a checkout compiles it."""
    return build(CHECKOUT / "var" / "standin")


@pytest.fixture(scope="session")
def stack_var(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The state and logs of the run's broker and registry; their logs are at `<this>/log`."""
    var = tmp_path_factory.mktemp("stack")
    yield var
    shutil.rmtree(var / "kafka", ignore_errors=True)


@pytest.fixture(scope="session")
def broker(java_artifacts: Artifacts, stack_var: Path) -> Iterator[Broker]:
    """The run's Kafka. A test that kills it starts it again."""
    port, controller_port = free_ports(2)
    program = kafka(stack_var, java_artifacts.kafka, os.environ, port, controller_port)
    member = Broker(Supervisor(stack_var), program)
    try:
        member.start()
        yield member
    finally:
        member.supervisor.stop(program.name)


@pytest.fixture(scope="session")
def registry(java_artifacts: Artifacts, stack_var: Path) -> Iterator[Registry]:
    """The run's schema registry. A test that kills it starts it again."""
    program = apicurio(stack_var, java_artifacts.registry, os.environ, *free_ports(1))
    member = Registry(Supervisor(stack_var), program)
    try:
        member.start()
        register_all(member.connection)
        yield member
    finally:
        member.supervisor.stop(program.name)


@pytest.fixture(scope="session")
def recordings() -> Path:
    """The recorded market data in LEAN's layout."""
    return _beside_the_checkout("lean")


@pytest.fixture(scope="session")
def theta_recorded() -> Path:
    """Recorded answers of the vendor."""
    return _beside_the_checkout("theta-recorded")


def _beside_the_checkout(name: str) -> Path:
    folder = MARKET_DATA / name
    if not folder.is_dir():
        pytest.skip(f"NOT TESTED ON REAL DATA: the recordings are not there ({folder.relative_to(CHECKOUT.parent)})")
    return folder
