"""Vendor columns to record columns, for stocks. A new schema: one .avsc, one line in the catalog, one mapping here."""

from typing import Any, Final

import pyarrow as pa

from services.kit.columns import BAR, QUOTE, TIME, TRADE, Mapping, converted, fields
from stoculus.records.catalog import Kind, RecordType
from theta_client.client import Kind as Endpoint

MAPPINGS: Final[dict[Kind, Mapping[Endpoint]]] = {
    "ohlcv": Mapping(
        "ohlc",
        pa.schema([*fields("timestamp", TIME), *BAR, *fields("vwap", pa.float64())]),
        "timestamp",
        391,
    ),
    "quote": Mapping("quote", pa.schema([*fields("timestamp", TIME), *QUOTE]), "timestamp", 500_000),
    "trade": Mapping("trade", pa.schema([*fields("timestamp", TIME), *TRADE]), "timestamp", 100_000),
    "tradequote": Mapping(
        "trade_quote",
        pa.schema(
            [*fields("trade_timestamp", TIME), pa.field("quote_timestamp", TIME), *TRADE, *QUOTE],
        ),
        "trade_timestamp",
        100_000,
    ),
    "eod": Mapping("eod", pa.schema([*fields("created last_trade", TIME), *BAR, *QUOTE]), "created", 1),
}


def to_records(vendor: pa.RecordBatch, mapping: Mapping[Endpoint], record: RecordType, symbol: str) -> pa.RecordBatch:
    """The record columns of a vendor batch, row by row: times to UTC, 255 to no condition, the symbol added."""
    arrays: list[Any] = []
    for field in record.arrow:
        if field.name == "symbol":
            arrays.append(pa.repeat(symbol, vendor.num_rows))
            continue
        arrays.append(converted(vendor[mapping.ts_event if field.name == "ts_event" else field.name], field.name))
    return pa.RecordBatch.from_arrays(arrays, schema=record.arrow)
