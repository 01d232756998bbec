"""Settings of every program of the suite, read from `STOCULUS_…` variables.

They stand in one module so that a variable that no program knows can be refused, with the nearest name.
"""

import difflib
import ipaddress
import tempfile
from collections.abc import Iterable, Mapping
from datetime import date, datetime
from pathlib import Path
from typing import Annotated, Any, Final, Literal, Self, get_args

from pydantic import BaseModel, ConfigDict, Field, SecretStr, StringConstraints, ValidationError, model_validator

from stoculus.connections import Kafka, Mechanism, Protocol, Registry
from stoculus.errors import SettingsInvalid
from stoculus.secret import FILE, HOW_TO_MAKE_ONE, Own, Sent, read_secret

PREFIX = "STOCULUS_"

Tier = Literal["free", "value", "standard", "pro"]
Sha256 = Annotated[str, StringConstraints(pattern="^[0-9a-fA-F]{64}$", to_lower=True)]
Access = Literal["keys", "open"]
LogFormat = Literal["text", "json"]

_KAFKA_LOGIN: Final = (
    "KAFKA_SECURITY_PROTOCOL",
    "KAFKA_SASL_USERNAME",
    "KAFKA_SASL_PASSWORD",
    "KAFKA_SASL_PASSWORD_FILE",
    "KAFKA_CA_FILE",
)
_REGISTRY_LOGIN: Final = (
    "REGISTRY_URL",
    "REGISTRY_USERNAME",
    "REGISTRY_PASSWORD",
    "REGISTRY_PASSWORD_FILE",
    "REGISTRY_CA_FILE",
)


def is_loopback(host: str) -> bool:
    """Whether only programs of this machine reach what listens there."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


class SuiteSettings(BaseModel):
    """What each program's settings share: the prefix, the form of its logs, and `load`."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    log_format: LogFormat = Field(default="text", description="how a line of the logs is written")

    @classmethod
    def load(cls, environ: Mapping[str, str]) -> Self:
        """Read the settings from the environment; raise SettingsInvalid for unknown names and wrong values.

        A variable that is set to nothing counts as not set. A secret `x` is also read from the file that
        `STOCULUS_X_FILE` names. The `field` of the error has the names of the variables at fault.
        """
        refuse_unknown(environ)
        secrets = cls.secret_fields()
        given: dict[str, str | SecretStr] = {}
        for name in cls.model_fields:
            variable = PREFIX + name.upper()
            value = read_secret(variable, environ) if name in secrets else environ.get(variable)
            if value:
                given[name] = value
        try:
            return cls.model_validate(given)
        except ValidationError as error:
            first = error.errors(include_input=False)[0]
            name = PREFIX + str(first["loc"][0]).upper()
            remedy = first.get("ctx", {}).get("remedy", "Correct it or unset it.")
            raise SettingsInvalid(f"{name} is wrong: {first['msg']}.", remedy=remedy, field=name) from error

    @classmethod
    def secret_fields(cls) -> set[str]:
        """The names of the fields that hold secrets: those of the type SecretStr, or SecretStr | None."""
        kinds = {name: field.annotation for name, field in cls.model_fields.items()}
        return {name for name, kind in kinds.items() if kind is SecretStr or SecretStr in get_args(kind)}

    @classmethod
    def variables(cls) -> set[str]:
        """Every variable that is read."""
        names = {PREFIX + name.upper() for name in cls.model_fields}
        return names | {PREFIX + name.upper() + FILE for name in cls.secret_fields()}


class Connections(SuiteSettings):
    """Where broker and registry are, and how to log in there. What does not go together is refused."""

    kafka_bootstrap: str = "127.0.0.1:9092"
    kafka_security_protocol: Protocol = "PLAINTEXT"
    kafka_sasl_mechanism: Mechanism = "SCRAM-SHA-512"
    kafka_sasl_username: str = ""
    kafka_sasl_password: SecretStr | None = None
    kafka_ca_file: Path | None = Field(
        default=None, description="PEM: who may sign the broker's certificate; none: whom this machine trusts"
    )
    registry_url: str = "http://127.0.0.1:8081/apis/ccompat/v7"
    registry_username: str = ""
    registry_password: SecretStr | None = None
    registry_ca_file: Path | None = Field(
        default=None, description="PEM: who may sign the registry's certificate; none: whom browsers trust"
    )

    @property
    def kafka(self) -> Kafka:
        """The broker's address and login."""
        return Kafka(
            self.kafka_bootstrap,
            self.kafka_security_protocol,
            self.kafka_sasl_mechanism,
            self.kafka_sasl_username,
            self.kafka_sasl_password,
            self.kafka_ca_file,
        )

    @property
    def registry(self) -> Registry:
        """The registry's address and login."""
        return Registry(self.registry_url, self.registry_username, self.registry_password, self.registry_ca_file)

    @model_validator(mode="after")
    def _kafka_agrees(self) -> Self:
        protocol = self.kafka_security_protocol
        said = f"STOCULUS_KAFKA_SECURITY_PROTOCOL is {protocol}"
        login = {
            "STOCULUS_KAFKA_SASL_USERNAME": (bool(self.kafka_sasl_username), "Set it."),
            "STOCULUS_KAFKA_SASL_PASSWORD": (
                self.kafka_sasl_password is not None,
                "Set STOCULUS_KAFKA_SASL_PASSWORD_FILE to a file with it.",
            ),
        }
        for name, (is_set, remedy) in login.items():
            if protocol.startswith("SASL") and not is_set:
                raise _disagree(_KAFKA_LOGIN, f"{said}, and {name} is not set.", remedy)
            if is_set and not protocol.startswith("SASL"):
                remedy = "Set the protocol to SASL_SSL, or unset what is not used."
                raise _disagree(_KAFKA_LOGIN, f"{name} is set, and {said}: nobody would log in.", remedy)
        if self.kafka_ca_file and not protocol.endswith("SSL"):
            raise _disagree(
                _KAFKA_LOGIN,
                f"STOCULUS_KAFKA_CA_FILE is set, and {said}, without TLS.",
                "Set the protocol to SASL_SSL or SSL.",
            )
        _check_certificates("STOCULUS_KAFKA_CA_FILE", self.kafka_ca_file)
        return self

    @model_validator(mode="after")
    def _registry_agrees(self) -> Self:
        is_tls = self.registry_url.startswith("https://")
        if "@" in self.registry_url.partition("://")[2].partition("/")[0]:
            raise _disagree(
                _REGISTRY_LOGIN,
                "STOCULUS_REGISTRY_URL has a login in it, which would stand in logs.",
                "Set STOCULUS_REGISTRY_USERNAME and STOCULUS_REGISTRY_PASSWORD_FILE instead.",
            )
        if bool(self.registry_username) != (self.registry_password is not None):
            raise _disagree(
                _REGISTRY_LOGIN,
                "Of STOCULUS_REGISTRY_USERNAME and STOCULUS_REGISTRY_PASSWORD one alone is set.",
                "Set both or none.",
            )
        if self.registry_ca_file and not is_tls:
            raise _disagree(
                _REGISTRY_LOGIN,
                "STOCULUS_REGISTRY_CA_FILE is set, and STOCULUS_REGISTRY_URL is without TLS.",
                "Begin the URL with https://.",
            )
        _check_certificates("STOCULUS_REGISTRY_CA_FILE", self.registry_ca_file)
        return self


class ClientSettings(Connections):
    """The command line's."""

    coordinator_url: str = "http://127.0.0.1:8000"
    api_key: Sent = Field(default=None, description="of the coordinator, where STOCULUS_ACCESS is keys")


class TerminalSettings(SuiteSettings):
    """How the vendor's terminal is run: by theta-terminal, or by each service that asks it (`embedded`)."""

    host: str = "127.0.0.1"
    service_token: Own = Field(default=None, description="who does not send it is refused")
    theta_mode: Literal["shared", "embedded"] = Field(
        default="shared", description="embedded: a service runs a terminal of its own, with an account of its own"
    )
    theta_email: SecretStr | None = None
    theta_password: SecretStr | None = None
    terminal_dir: Path = Field(default=Path("var/terminal"), description="the jar's own: it writes beside itself")
    terminal_jar: Path | None = Field(default=None, description="a jar that is copied into the folder")
    terminal_sha256: Sha256 | None = Field(default=None, description="of the jar; no other is started")
    terminal_url: str | None = Field(default=None, description="where the jar is fetched from, if it is not there")
    terminal_heap_mb: int = Field(default=2048, ge=64)
    terminal_java: str = Field(default="java", description="Java 21 or newer")
    terminal_port: int = Field(default=8104, description="of theta-terminal's own /readyz and /metrics")
    terminal_rest_port: int = Field(default=25503, description="of the jar, on loopback")
    terminal_stream_port: int = Field(default=25520, description="of the jar, on loopback")


class VendorSettings(Connections, TerminalSettings):
    """What the services that ask the terminal share."""

    theta_url: str = "http://127.0.0.1:25503"
    theta_tier: Tier = "free"
    theta_idle_timeout_s: float = Field(
        default=60, gt=0, description="seconds without a byte before a request is given up"
    )

    @model_validator(mode="before")
    @classmethod
    def _at_own_terminal(cls, given: dict[str, Any]) -> dict[str, Any]:
        """A terminal of its own is on loopback, whatever the address of a shared one is."""
        if given.get("theta_mode") != "embedded":
            return given
        rest, stream = (
            given.get(name, TerminalSettings.model_fields[name].default)
            for name in ("terminal_rest_port", "terminal_stream_port")
        )
        urls = {"theta_url": f"http://127.0.0.1:{rest}", "theta_stream_url": f"ws://127.0.0.1:{stream}/v1/events"}
        return given | {name: url for name, url in urls.items() if name in cls.model_fields}


class ServiceSettings(VendorSettings):
    """A historical service's."""

    historical_stock_port: int = 8101
    historical_option_port: int = 8102
    memory_budget_mb: int = Field(default=256, ge=32, description="for rows on their way from the vendor to the broker")
    concurrent_tasks: int = Field(default=16, ge=1, le=128)
    spill_dir: Path = Field(
        default_factory=lambda: Path(tempfile.gettempdir()) / "stoculus-spill",
        description="where days of options that outgrow the memory budget are sorted",
    )


class LiveSettings(VendorSettings):
    """The live service's."""

    live_stream_port: int = 8103
    theta_stream_url: str = "ws://127.0.0.1:25520/v1/events"
    live_grace_ms: int = Field(
        default=2000, ge=0, le=60_000, description="how long after its end a bar waits for trades that come late"
    )
    live_date: date | None = Field(
        default=None, description="the day that is played, where the terminal plays one; none: today's tape"
    )
    live_silence_s: float = Field(
        default=20, gt=0, description="seconds without data in market hours before a connection counts as dead"
    )
    live_buffer_messages: int = Field(
        default=200_000, ge=1000, description="messages that may wait for a slow broker; more are dropped and healed"
    )


class CoordinatorSettings(Connections):
    """The coordinator's."""

    host: str = "127.0.0.1"
    access: Access | None = Field(
        default=None,
        description="open: whoever reaches the port may use it; unset: open, on a host that this machine alone reaches",
    )
    admin_key: Own = Field(default=None, description="a key for all, to make others")
    service_token: Own = Field(default=None, description="sent to the services")
    requests_per_s: float = Field(default=100, gt=0, description="of each key, or each address where access is open")
    requests_burst: int = Field(default=400, ge=1, description="requests at once that are taken after a rest")
    event_streams: int = Field(default=100, ge=1, description="followed at once by each key or address")
    coordinator_port: int = 8000
    historical_stock_url: str = "http://127.0.0.1:8101"
    historical_option_url: str = "http://127.0.0.1:8102"
    live_stream_url: str = "http://127.0.0.1:8103"
    live_retention_bytes: int = Field(
        default=-1, ge=-1, description="size at which a live topic loses its oldest records; -1: never"
    )
    store_url: SecretStr = Field(
        default=SecretStr("sqlite:///var/coordinator.sqlite"), description="a secret: PostgreSQL's has a password in it"
    )
    max_partitions: int = Field(
        default=4000, ge=1, description="partitions that the broker can hold, all topics together"
    )

    @model_validator(mode="after")
    def _access_is_said(self) -> Self:
        if self.access is None and not is_loopback(self.host):
            raise SettingsInvalid(
                f"STOCULUS_ACCESS is not set, and the coordinator listens on {self.host}, which others may reach.",
                remedy="Set it to keys, with STOCULUS_ADMIN_KEY_FILE; or to open, where all who reach it may use it.",
                field="STOCULUS_ACCESS STOCULUS_HOST",
            )
        if self.access == "keys" and self.admin_key is None:
            raise SettingsInvalid(
                "STOCULUS_ADMIN_KEY is not set, and with STOCULUS_ACCESS=keys nobody could make a key without it.",
                remedy=f"Set STOCULUS_ADMIN_KEY_FILE to a file with a random text: {HOW_TO_MAKE_ONE}.",
                field="STOCULUS_ACCESS STOCULUS_ADMIN_KEY",
            )
        return self


class SimulatorSettings(SuiteSettings):
    """The simulator's."""

    host: str = "127.0.0.1"
    sim_port: int = 25503
    sim_tier: Tier = "pro"
    sim_recordings: Path | None = None
    sim_queue_length: int = Field(default=16, ge=0, le=128)
    sim_clock: datetime | None = None
    sim_ws_port: int = Field(default=25520, description="the stream's: ws://<host>:<port>/v1/events")
    sim_live_date: date | None = Field(
        default=None,
        description="the day that the stream plays, from its first tick; none: the clock's day, from the clock's time",
    )
    sim_live_speed: Annotated[float, Field(gt=0)] | Literal["max"] = Field(
        default=1, description="market seconds a second, or as fast as the client takes them"
    )
    sim_bulk_symbols: str = Field(
        default="AAPL,MSFT", description="stocks and option roots that the full trade streams hold"
    )


class LocalSettings(SuiteSettings):
    """The local stack's."""

    var_dir: Path = Path("var")
    kafka_port: int = 9092
    kafka_controller_port: int = 9093
    registry_port: int = 8081
    sim_port: int = 25503
    sim_ws_port: int = 25520
    historical_stock_port: int = 8101
    historical_option_port: int = 8102
    live_stream_port: int = 8103
    coordinator_port: int = 8000


def all_settings() -> list[type[SuiteSettings]]:
    """The settings of every program of the suite, and what they share."""
    found: list[type[SuiteSettings]] = [SuiteSettings]
    for settings in found:
        found += settings.__subclasses__()
    return found


def known_names() -> set[str]:
    """Every variable that some program of the suite reads."""
    return {name for settings in all_settings() for name in settings.variables()}


def refuse_unknown(environ: Mapping[str, str]) -> None:
    """Raise SettingsInvalid for a `STOCULUS_…` variable that no program of the suite knows."""
    known = known_names()
    for name in sorted(environ):
        if name.startswith(PREFIX) and name not in known:
            near = difflib.get_close_matches(name.removeprefix(PREFIX), [n.removeprefix(PREFIX) for n in known], n=1)
            hint = f"Did you mean {PREFIX}{near[0]}?" if near else "Unset it."
            raise SettingsInvalid(f"{name} is not a setting of Stoculus.", remedy=hint)


def _disagree(names: Iterable[str], message: str, remedy: str) -> SettingsInvalid:
    """Of settings of one connection, which are at fault together."""
    return SettingsInvalid(message, remedy=remedy, field=" ".join(PREFIX + name for name in names))


def _check_certificates(variable: str, path: Path | None) -> None:
    if path is None:
        return
    import ssl

    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(path)
    except OSError as error:
        cause = "it holds no certificate" if isinstance(error, ssl.SSLError) else error.strerror
        raise SettingsInvalid(
            f"{variable} names {path}, which cannot be used: {cause}.",
            remedy="Name a file with certificates of authorities in PEM.",
            field=variable,
        ) from error
