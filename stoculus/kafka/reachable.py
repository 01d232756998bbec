"""A quick word when the broker is away: librdkafka tries much longer."""

import socket
from typing import Final

from stoculus.errors import BrokerUnavailable

_CONNECT_S: Final = 2


def reachable_kafka(bootstrap: str) -> str:
    """The bootstrap servers; raise BrokerUnavailable where none of them takes a connection."""
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
