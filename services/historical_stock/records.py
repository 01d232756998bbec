"""Vendor columns to record columns, for stocks. A new schema: one .avsc, one line in the catalog, one mapping here."""

from dataclasses import dataclass
from typing import Any, Final, cast

import pyarrow as pa
import pyarrow.compute as pc

from services.kit.new_york import to_utc
from stoculus.records.catalog import Kind, RecordType
from theta_client.client import Kind as Endpoint

_TIME: Final = pa.timestamp("us")
_NO_CONDITION: Final = 255


def _fields(text: str, kind: pa.DataType) -> list[Any]:
    return [pa.field(name, kind, nullable=False) for name in text.split()]


_QUOTE: Final = [
    *_fields("bid_size", pa.int64()),
    *_fields("bid_exchange", pa.int32()),
    *_fields("bid", pa.float64()),
    *_fields("bid_condition", pa.int32()),
    *_fields("ask_size", pa.int64()),
    *_fields("ask_exchange", pa.int32()),
    *_fields("ask", pa.float64()),
    *_fields("ask_condition", pa.int32()),
]
_TRADE: Final = [
    *_fields("sequence", pa.int64()),
    *_fields("ext_condition1 ext_condition2 ext_condition3 ext_condition4 condition", pa.int32()),
    *_fields("size", pa.int64()),
    *_fields("exchange", pa.int32()),
    *_fields("price", pa.float64()),
]
_BAR: Final = [*_fields("open high low close", pa.float64()), *_fields("volume count", pa.int64())]


@dataclass(frozen=True, slots=True)
class Mapping:
    """How a kind of record comes from the vendor: endpoint, columns wanted, and which of them is `ts_event`."""

    endpoint: Endpoint
    columns: pa.Schema
    ts_event: str
    typical_rows_a_day: int


MAPPINGS: Final[dict[Kind, Mapping]] = {
    "ohlcv": Mapping(
        "ohlc",
        pa.schema([*_fields("timestamp", _TIME), *_BAR, *_fields("vwap", pa.float64())]),
        "timestamp",
        391,
    ),
    "quote": Mapping("quote", pa.schema([*_fields("timestamp", _TIME), *_QUOTE]), "timestamp", 500_000),
    "trade": Mapping("trade", pa.schema([*_fields("timestamp", _TIME), *_TRADE]), "timestamp", 100_000),
    "tradequote": Mapping(
        "trade_quote",
        pa.schema(
            [*_fields("trade_timestamp", _TIME), pa.field("quote_timestamp", _TIME), *_TRADE, *_QUOTE],
        ),
        "trade_timestamp",
        100_000,
    ),
    "eod": Mapping("eod", pa.schema([*_fields("created last_trade", _TIME), *_BAR, *_QUOTE]), "created", 1),
}


def to_records(vendor: pa.RecordBatch, mapping: Mapping, record: RecordType, symbol: str) -> pa.RecordBatch:
    """The record columns of a vendor batch, row by row: times to UTC, 255 to no condition, the symbol added."""
    arrays: list[Any] = []
    for field in record.arrow:
        if field.name == "symbol":
            arrays.append(pa.repeat(symbol, vendor.num_rows))
            continue
        column = vendor[mapping.ts_event if field.name == "ts_event" else field.name]
        if pa.types.is_timestamp(field.type):
            arrays.append(to_utc(cast(pa.TimestampArray, column)))
        elif field.name.startswith("ext_condition"):
            none = pa.scalar(None, column.type)
            arrays.append(pc.if_else(pc.equal(column, pa.scalar(_NO_CONDITION, column.type)), none, column))
        else:
            arrays.append(column)
    return pa.RecordBatch.from_arrays(arrays, schema=record.arrow)


def empty_bars(bars: pa.RecordBatch) -> pa.BooleanArray:
    """Bars in which nothing was traded: the vendor fills its grid with them (rest.md 10.2)."""
    return pc.and_(pc.equal(bars["volume"], pa.scalar(0)), pc.equal(bars["count"], pa.scalar(0)))


def empty_quotes(quotes: pa.RecordBatch) -> pa.BooleanArray:
    """Quotes at a grid time with neither price nor size on either side: nobody had quoted yet."""
    sides = [pc.equal(quotes[name], pa.scalar(0, quotes[name].type)) for name in ("bid", "ask", "bid_size", "ask_size")]
    return pc.and_(pc.and_(sides[0], sides[1]), pc.and_(sides[2], sides[3]))
