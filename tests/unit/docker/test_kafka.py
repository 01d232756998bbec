"""Broker and registry in containers are set as those of the local stack."""

import re
from pathlib import Path
from typing import Final

from local.broker import PROPERTIES
from local.registry import registry
from tests.conftest import CHECKOUT

KAFKA: Final = CHECKOUT / "docker" / "kafka"
OF_THE_NETWORK: Final = {
    "controller.quorum.voters",
    "listeners",
    "advertised.listeners",
    "inter.broker.listener.name",
    "listener.security.protocol.map",
    "log.dirs",
}
OF_THE_PLACE: Final = ("quarkus.http.host", "quarkus.http.port", "apicurio.datasource.url")


def properties(text: str) -> dict[str, str]:
    """Kafka's settings but for names and addresses."""
    pairs = dict(line.split("=", 1) for line in text.splitlines() if line and not line.startswith("#"))
    return {name: value for name, value in pairs.items() if name not in OF_THE_NETWORK}


def test_kafka_is_set_as_in_the_local_stack() -> None:
    assert properties((KAFKA / "server.properties").read_text()) == properties(PROPERTIES)


def test_apicurio_is_set_as_in_the_local_stack() -> None:
    script = (KAFKA / "apicurio").read_text()
    command = registry(Path("var"), Path("quarkus-run.jar"), {}).command
    wanted = [
        word for word in command if word.startswith("-D") and not word.startswith(tuple(f"-D{n}" for n in OF_THE_PLACE))
    ]

    assert len(wanted) > 5
    assert [word for word in wanted if word not in re.findall(r"-D[^\s']+", script)] == []
    assert "WRITE_DELAY=0" in script
