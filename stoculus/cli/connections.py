"""Where broker, registry and coordinator are, and a quick word when the broker is not."""

import os
import socket
from typing import TYPE_CHECKING, Final

from stoculus.errors import BrokerUnavailable

if TYPE_CHECKING:
    from stoculus.settings import ClientSettings

_CONNECT_S: Final = 2


def settings() -> "ClientSettings":
    """The settings of the command line, from the environment."""
    from stoculus.settings import ClientSettings

    return ClientSettings.load(os.environ)


def reachable_kafka(bootstrap: str) -> str:
    """The bootstrap servers; raise BrokerUnavailable where none takes a connection (librdkafka tries much longer)."""
    for server in bootstrap.split(","):
        host, _, port = server.strip().rpartition(":")
        try:
            socket.create_connection((host.strip("[]"), int(port)), _CONNECT_S).close()
        except (OSError, ValueError):
            continue
        return bootstrap
    raise BrokerUnavailable(
        f"Kafka at {bootstrap} does not answer.",
        remedy="Start it: `make local-up`. Or set STOCULUS_KAFKA_BOOTSTRAP (host:port).",
    )
