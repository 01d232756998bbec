"""A quick word when the broker is away, or does not let us in: librdkafka tries much longer."""

import socket
from typing import TYPE_CHECKING, Final

from stoculus.errors import BrokerUnavailable

if TYPE_CHECKING:
    from stoculus.connections import Kafka

_CONNECT_S: Final = 2


def reachable_kafka(kafka: "Kafka") -> "Kafka":
    """The same. Raise BrokerUnavailable where nobody takes a connection, BrokerRefused where the login is refused."""
    if not any(_connects(server.strip()) for server in kafka.bootstrap.split(",")):
        raise BrokerUnavailable(
            f"Kafka at {kafka.bootstrap} does not answer.",
            remedy="Start it: `make local-up`. Or set STOCULUS_KAFKA_BOOTSTRAP (host:port).",
        )
    if not kafka.is_plain:
        from stoculus.kafka import admin

        admin.check(admin.connect(kafka))
    return kafka


def _connects(server: str) -> bool:
    host, _, port = server.rpartition(":")
    try:
        socket.create_connection((host.strip("[]"), int(port)), _CONNECT_S).close()
    except (OSError, ValueError):
        return False
    return True
