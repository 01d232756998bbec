"""A local stack of the bench's own: real broker and registry, simulator, service and coordinator, on free ports."""

import os
import socket
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from confluent_kafka.admin import AdminClient

from local.java import Artifacts, fetch
from local.registry import url as registry_url
from local.stack import Stack
from stoculus.connections import Kafka, Registry
from stoculus.kafka.admin import DATA_CONFIG, create_topics, delete_topics
from stoculus.settings import PREFIX, LocalSettings

CHECKOUT: Final = Path(__file__).resolve().parents[2]
VAR: Final = CHECKOUT / "var"
_PORTS: Final = tuple(name for name in LocalSettings.model_fields if name.endswith("_port"))


@dataclass(frozen=True, slots=True)
class Bench:
    """Where the programs are; `say` is told what is done."""

    settings: LocalSettings
    artifacts: Artifacts
    admin: AdminClient
    broker_pid: int
    say: Callable[[str], None]

    @property
    def bootstrap(self) -> str:
        return f"127.0.0.1:{self.settings.kafka_port}"

    @property
    def registry_url(self) -> str:
        return registry_url(self.settings.registry_port)

    @property
    def kafka(self) -> Kafka:
        return Kafka(self.bootstrap)

    @property
    def registry(self) -> Registry:
        return Registry(self.registry_url)

    @property
    def simulator_url(self) -> str:
        return f"http://127.0.0.1:{self.settings.sim_port}"

    @property
    def coordinator_url(self) -> str:
        return f"http://127.0.0.1:{self.settings.coordinator_port}"

    @property
    def broker_data(self) -> Path:
        """The folder that holds a folder for each partition."""
        return self.settings.var_dir / "kafka" / "data"

    def environment(self, **settings: object) -> dict[str, str]:
        """For one more program of the suite on this stack."""
        chosen = {
            "kafka_bootstrap": self.bootstrap,
            "registry_url": self.registry_url,
            "theta_url": self.simulator_url,
            "theta_tier": "pro",
            **settings,
        }
        return _foreign() | _variables(**chosen)

    @contextmanager
    def topic(self, name: str) -> Iterator[str]:
        """An empty topic with the settings of history, deleted in the end."""
        create_topics(self.admin, [name], DATA_CONFIG)
        try:
            yield name
        finally:
            delete_topics(self.admin, [name])


@contextmanager
def running(say: Callable[[str], None]) -> Iterator[Bench]:
    """Start all, stop all; nothing of it stays."""
    VAR.mkdir(exist_ok=True)
    artifacts = fetch(VAR / "java", say)
    with tempfile.TemporaryDirectory(dir=VAR, prefix="bench-", ignore_cleanup_errors=True) as folder:
        (Path(folder) / "java").symlink_to(VAR / "java")
        ports = dict(zip(_PORTS, free_ports(len(_PORTS)), strict=True))
        settings = LocalSettings.load(_variables(var_dir=folder, **ports))
        stack = Stack(settings, _foreign(), lambda _: None)
        try:
            stack.up()
            broker_pid = next(program.pid for program in stack.status() if program.name == "broker")
            assert broker_pid is not None
            # Silent: its connections outlive the broker.
            admin = AdminClient({"bootstrap.servers": f"127.0.0.1:{settings.kafka_port}", "log_level": 0})
            yield Bench(settings, artifacts, admin, broker_pid, say)
        finally:
            stack.down()


def free_ports(count: int) -> list[int]:
    """Ports of 127.0.0.1 that nobody listens on, all different."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    try:
        return [int(each.getsockname()[1]) for each in sockets]
    finally:
        for each in sockets:
            each.close()


def _variables(**settings: object) -> dict[str, str]:
    return {PREFIX + name.upper(): str(value) for name, value in settings.items()}


def _foreign() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith(PREFIX)}
