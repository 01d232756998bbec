"""Option answers of the vendor as rows of a topic, straight from their CSV."""

import csv
import io
from collections.abc import Iterator
from datetime import UTC, date, datetime
from typing import Any

from tests.integration.services.harness import NEW_YORK, Simulator
from tests.integration.services.vendor import Row
from tests.integration.services.vendor_options import in_order

ENDPOINTS = {
    "ohlcv": "ohlc",
    "quote": "quote",
    "trade": "trade",
    "tradequote": "trade_quote",
    "eod": "eod",
    "openinterest": "open_interest",
    "greeksfirst": "greeks/first_order",
    "greeksall": "greeks/all",
    "iv": "greeks/implied_volatility",
    "greekseod": "greeks/eod",
    "tradegreeks": "trade_greeks/all",
}
_TS_EVENT = {"eod": "created", "tradequote": "trade_timestamp"}
_REPORTS = ("eod", "greekseod", "openinterest")


def rows(simulator: Simulator, schema: dict[str, Any], kind: str, days: list[date], **query: str) -> list[Row]:
    """All rows of some days in the order of a topic, empty ones too; `schema` is the record's."""
    hours = {} if kind in _REPORTS else {"start_time": "09:30:00.000", "end_time": "16:15:00.000"}
    if kind == "tradequote":
        hours["exclusive"] = "false"
    if kind == "quote" and "interval" not in query:
        query["interval"] = "tick"
    found: list[Row] = []
    for day in days:
        dates = {"start_date": f"{day:%Y%m%d}", "end_date": f"{day:%Y%m%d}"}
        body = simulator.csv(ENDPOINTS[kind], "option", **dates, **hours, **query)
        found += _read(body, schema, _TS_EVENT.get(kind, "timestamp"))
    return sorted(found, key=in_order)


def _read(body: bytes, schema: dict[str, Any], ts_event: str) -> Iterator[Row]:
    types = {field["name"]: _type(field["type"]) for field in schema["fields"]}
    for row in csv.DictReader(io.StringIO(body.decode())):
        expiration, strike = date.fromisoformat(row["expiration"]), round(float(row["strike"]) * 1000)
        root, right = row["symbol"], row["right"]
        given = row | {
            "root": root,
            "symbol": f"{root:6}{expiration:%y%m%d}{right[0]}{strike:08}",
            "ts_event": row[ts_event],
        }
        yield {name: _value(name, given[name], kind) for name, kind in types.items()}


def _type(avro: Any) -> str:
    """The name of a field's type, whether it may be null or not."""
    inner = next(one for one in avro if one != "null") if isinstance(avro, list) else avro
    return str(inner.get("logicalType", inner["type"])) if isinstance(inner, dict) else str(inner)


def _value(name: str, text: str, kind: str) -> Any:
    if name.startswith("ext_condition") and text == "255":
        return None
    if kind == "timestamp-micros":
        return datetime.fromisoformat(text).replace(tzinfo=NEW_YORK).astimezone(UTC)
    if kind == "date":
        return date.fromisoformat(text)
    return {"double": float, "long": int, "int": int}.get(kind, str)(text)
