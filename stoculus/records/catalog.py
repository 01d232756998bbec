"""The catalog: record types (the .avsc files) and the schemas a request may name."""

import hashlib
import json
import re
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources
from typing import Any, Final, Literal, cast

import pyarrow as pa
import pyruhvro

from stoculus.errors import InvalidRequest

Asset = Literal["stock", "option"]
Kind = Literal[
    "ohlcv", "quote", "trade", "tradequote", "eod", "openinterest", "greeksfirst", "greeksall", "iv", "greekseod",
    "tradegreeks",
]  # fmt: skip

INTERVAL_US: Final = {
    "10ms": 10_000,
    "100ms": 100_000,
    "500ms": 500_000,
    "1s": 1_000_000,
    "5s": 5_000_000,
    "10s": 10_000_000,
    "15s": 15_000_000,
    "30s": 30_000_000,
    "1m": 60_000_000,
    "5m": 300_000_000,
    "10m": 600_000_000,
    "15m": 900_000_000,
    "30m": 1_800_000_000,
    "1h": 3_600_000_000,
}
"""The vendor's intervals and their lengths in microseconds (rest.md 4)."""

RECORDS: Final[dict[Asset, dict[Kind, str]]] = {
    "stock": {
        "ohlcv": "StockOhlcv",
        "quote": "StockQuote",
        "trade": "StockTrade",
        "tradequote": "StockTradeQuote",
        "eod": "StockEod",
    },
    "option": {
        "ohlcv": "OptionOhlcv",
        "quote": "OptionQuote",
        "trade": "OptionTrade",
        "tradequote": "OptionTradeQuote",
        "eod": "OptionEod",
        "openinterest": "OptionOpenInterest",
        "greeksfirst": "OptionGreeksFirstOrder",
        "greeksall": "OptionGreeksAll",
        "iv": "OptionImpliedVolatility",
        "greekseod": "OptionGreeksEod",
        "tradegreeks": "OptionTradeGreeksAll",
    },
}
"""The record type of each kind of data."""

ALWAYS_ON_GRID: Final[frozenset[Kind]] = frozenset({"ohlcv", "greeksfirst", "greeksall", "iv"})
"""Kinds that are nothing without an interval; one minute where none is named."""

_SCHEMA = re.compile(r"([a-z]+?)(\d+(?:ms|s|m|h))?")


@dataclass(frozen=True, slots=True)
class RecordType:
    """A record type: its Avro schema and the Arrow schema of its columns (timestamps in UTC)."""

    name: str
    avro: str
    arrow: pa.Schema

    @property
    def subject(self) -> str:
        """The registry subject: the full record name (RecordNameStrategy)."""
        return f"io.stoculus.{self.name}"

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the schema as JSON without white space, keys sorted."""
        return fingerprint(json.loads(self.avro))


@dataclass(frozen=True, slots=True)
class Schema:
    """A kind of record with its interval, as topics name it: `ohlcv1m`, `quote`."""

    kind: Kind
    interval: str | None
    asset: Asset = "stock"

    @property
    def name(self) -> str:
        return self.kind + (self.interval or "")

    @property
    def record(self) -> RecordType:
        """The record type of a topic of this schema."""
        return record_type(RECORDS[self.asset][self.kind])

    @property
    def available_column(self) -> str:
        """The column that says, with `delay_us` added, when a strategy could have known the record (available_at).

        Greeks at the end of a day are known when the vendor's report is made, not at the last quote.
        """
        return "underlying_timestamp" if self.kind == "greekseod" else "ts_event"

    @property
    def delay_us(self) -> int:
        """Microseconds from `available_column` to available_at.

        A bar is known when it is over; ticks, quotes at a grid time and reports are known at their own time.
        """
        return INTERVAL_US[self.interval] if self.kind == "ohlcv" and self.interval else 0


def fingerprint(avro: dict[str, Any]) -> str:
    """SHA-256 of an Avro schema as JSON without white space, keys sorted."""
    text = json.dumps(avro, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


@lru_cache
def record_type(name: str) -> RecordType:
    """The record type of a .avsc file, by its name such as `StockQuote`."""
    avro = (resources.files("schemas") / f"{name}.avsc").read_text()
    fields = [
        pa.field(f.name, pa.timestamp("us", "UTC") if pa.types.is_timestamp(f.type) else f.type, f.nullable)
        for f in pyruhvro.avro_to_arrow_schema(avro)
    ]
    return RecordType(name, json.dumps(json.loads(avro)), pa.schema(fields))


def asset_of(record: str) -> Asset:
    """The asset of a record type, by its name such as `OptionQuote` or `io.stoculus.OptionQuote`."""
    return "option" if record.rpartition(".")[2] in RECORDS["option"].values() else "stock"


def record_types() -> list[RecordType]:
    """Every record type of the suite, by name."""
    names = sorted(f.name for f in resources.files("schemas").iterdir() if f.name.endswith(".avsc"))
    return [record_type(name.removesuffix(".avsc")) for name in names]


def parse_schema(text: str, interval: str | None = None, *, asset: Asset = "stock", field: str = "schema") -> Schema:
    """Read what a request names: `ohlcv` (one minute), `quote` with interval `1m`, `ohlcv5m`, `greeksfirst1m`, `eod`.

    Raise InvalidRequest for a schema that is unknown or has no such interval.
    """
    match = _SCHEMA.fullmatch(text.strip().lower())
    if not match or match[1] not in RECORDS[asset]:
        raise InvalidRequest(
            f"{text[:40]!r} is not a schema of {asset}s.",
            remedy=f"Use one of {', '.join(RECORDS[asset])}.",
            field=field,
        )
    kind = cast(Kind, match[1])
    if match[2] and interval and match[2] != interval:
        raise InvalidRequest(
            f"Schema {text!r} and interval {interval!r} differ.", remedy="Name the interval once.", field="interval"
        )
    interval = match[2] or interval
    if interval == "tick":
        interval = None
        if kind in ALWAYS_ON_GRID:
            raise InvalidRequest(f"{kind} needs an interval.", remedy=f"Use one of {_intervals()}.", field="interval")
    if kind in ALWAYS_ON_GRID:
        interval = interval or "1m"
    if interval and kind != "quote" and kind not in ALWAYS_ON_GRID:
        raise InvalidRequest(f"{kind} has no interval.", remedy="Leave the interval out.", field="interval")
    if interval and interval not in INTERVAL_US:
        raise InvalidRequest(
            f"{interval[:20]!r} is not an interval of the vendor.",
            remedy=f"Use one of {_intervals()}.",
            field="interval",
        )
    return Schema(kind, interval, asset)


def _intervals() -> str:
    return ", ".join(INTERVAL_US)
