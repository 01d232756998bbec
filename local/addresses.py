"""Where the programs of a stack are."""

from dataclasses import dataclass

from local.registry import url
from stoculus.settings import Connections, LocalSettings


@dataclass(frozen=True, slots=True)
class Addresses:
    """Bootstrap servers of Kafka, and URLs."""

    kafka: str
    registry: str
    coordinator: str

    @property
    def connections(self) -> Connections:
        return Connections(kafka_bootstrap=self.kafka, registry_url=self.registry)


def addresses(settings: LocalSettings) -> Addresses:
    """The addresses of the stack of these settings."""
    return Addresses(
        kafka=f"127.0.0.1:{settings.kafka_port}",
        registry=url(settings.registry_port),
        coordinator=f"http://127.0.0.1:{settings.coordinator_port}",
    )
