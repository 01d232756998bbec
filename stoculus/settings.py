"""Settings of every program of the suite, read from `STOCULUS_…` variables.

They stand in one module so that a variable that no program knows can be refused, with the nearest name.
"""

import difflib
import tempfile
from collections.abc import Mapping
from datetime import date, datetime
from pathlib import Path
from typing import Annotated, Literal, Self, get_args

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError

from stoculus.errors import SettingsInvalid

PREFIX = "STOCULUS_"
FILE = "_FILE"
"""Ends the name of a variable that names the file of a secret."""

Tier = Literal["free", "value", "standard", "pro"]


class SuiteSettings(BaseModel):
    """What each program's settings share: the prefix, and `load`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

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
            value = _secret(variable, environ) if name in secrets else environ.get(variable)
            if value:
                given[name] = value
        try:
            return cls.model_validate(given)
        except ValidationError as error:
            first = error.errors(include_input=False)[0]
            name = PREFIX + str(first["loc"][0]).upper()
            raise SettingsInvalid(
                f"{name} is wrong: {first['msg']}.", remedy="Correct it or unset it.", field=name
            ) from error

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
    """Where broker and registry are."""

    kafka_bootstrap: str = "127.0.0.1:9092"
    registry_url: str = "http://127.0.0.1:8081/apis/ccompat/v7"


class ClientSettings(Connections):
    """The command line's."""

    coordinator_url: str = "http://127.0.0.1:8000"


class VendorSettings(Connections):
    """What the services that ask the terminal share."""

    host: str = "127.0.0.1"
    theta_url: str = "http://127.0.0.1:25503"
    theta_tier: Tier = "free"
    theta_idle_timeout_s: float = Field(
        default=60, gt=0, description="seconds without a byte before a request is given up"
    )


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
    coordinator_port: int = 8000
    historical_stock_url: str = "http://127.0.0.1:8101"
    historical_option_url: str = "http://127.0.0.1:8102"
    live_stream_url: str = "http://127.0.0.1:8103"
    live_retention_bytes: int = Field(
        default=-1, ge=-1, description="size at which a live topic loses its oldest records; -1: never"
    )
    store_url: str = "sqlite:///var/coordinator.sqlite"
    max_partitions: int = Field(
        default=4000, ge=1, description="partitions that the broker can hold, all topics together"
    )


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


def _secret(variable: str, environ: Mapping[str, str]) -> SecretStr | None:
    """A secret, of its variable or of its file without the newline at the end; None where neither is given."""
    file_variable = variable + FILE
    value, path = environ.get(variable), environ.get(file_variable)
    if not path:
        return SecretStr(value) if value else None
    if value:
        raise SettingsInvalid(
            f"{variable} and {file_variable} are both set.",
            remedy=f"Unset one of them; {file_variable} is the safer one.",
            field=f"{variable} {file_variable}",
        )
    try:
        held = Path(path).read_text("utf-8").removesuffix("\n").removesuffix("\r")
    except (OSError, ValueError) as error:
        cause = error.strerror if isinstance(error, OSError) else "it is no text"
        raise SettingsInvalid(
            f"The file that {file_variable} names cannot be read: {cause}.",
            remedy="Name a file with the secret in it, which this user may read.",
            field=file_variable,
        ) from None
    if not held:
        raise SettingsInvalid(
            f"The file that {file_variable} names is empty.",
            remedy="Write the secret into it.",
            field=file_variable,
        )
    return SecretStr(held)
