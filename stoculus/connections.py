"""Where broker and registry are, and how to log in there: what the libraries of their clients take."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from pydantic import SecretStr

Protocol = Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"]
Mechanism = Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"]


@dataclass(frozen=True, slots=True)
class Kafka:
    """Brokers that are asked first, as `host:port,…`. Over TLS their names are checked against their certificates."""

    bootstrap: str
    protocol: Protocol = "PLAINTEXT"
    mechanism: Mechanism = "SCRAM-SHA-512"
    username: str = ""
    password: SecretStr | None = None
    ca_file: Path | None = None
    """Certificates that are trusted; none: those that this machine trusts."""

    @property
    def is_plain(self) -> bool:
        """Whether there is neither TLS nor a login."""
        return self.protocol == "PLAINTEXT"

    @property
    def config(self) -> dict[str, Any]:
        """What every client of librdkafka is given."""
        if self.is_plain:
            return {"bootstrap.servers": self.bootstrap}
        config = {"bootstrap.servers": self.bootstrap, "security.protocol": self.protocol}
        if self.ca_file:
            config["ssl.ca.location"] = str(self.ca_file)
        if self.password:
            config |= {
                "sasl.mechanism": self.mechanism,
                "sasl.username": self.username,
                "sasl.password": self.password.get_secret_value(),
            }
        return config


@dataclass(frozen=True, slots=True)
class Registry:
    """The Confluent API of a schema registry at a URL such as `http://127.0.0.1:8081/apis/ccompat/v7`."""

    url: str
    username: str = ""
    password: SecretStr | None = None
    ca_file: Path | None = None
    """Certificates that are trusted; none: those of the package certifi."""

    @property
    def config(self) -> dict[str, Any]:
        """What the registry's client is given."""
        config = {"url": self.url}
        if self.ca_file:
            config["ssl.ca.location"] = str(self.ca_file)
        if self.password:
            config["basic.auth.user.info"] = f"{self.username}:{self.password.get_secret_value()}"
        return config
