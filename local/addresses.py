"""Where the programs of a stack are."""

from dataclasses import dataclass

from pydantic import SecretStr

from local.registry import url
from stoculus.settings import Connections, LocalSettings


@dataclass(frozen=True, slots=True)
class Addresses:
    """Kafka and the registry, the coordinator's URL, and what it is asked with."""

    connections: Connections
    coordinator: str
    api_key: SecretStr | None = None


def addresses(settings: LocalSettings, api_key: SecretStr | None = None) -> Addresses:
    """The addresses of the stack of these settings."""
    return Addresses(
        connections=Connections(
            kafka_bootstrap=f"127.0.0.1:{settings.kafka_port}", registry_url=url(settings.registry_port)
        ),
        coordinator=f"http://127.0.0.1:{settings.coordinator_port}",
        api_key=api_key,
    )
