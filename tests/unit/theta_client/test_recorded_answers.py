"""Every recorded stock answer, each value compared with what csv.DictReader and Decimal read."""

import csv
import json
from datetime import datetime
from decimal import Decimal
from io import StringIO
from itertools import chain
from pathlib import Path

import pyarrow as pa
import pytest

from theta_client.body import read_blocks

pytestmark = pytest.mark.recordings

EOD = (
    "created,last_trade,open,high,low,close,volume,count,bid_size,bid_exchange,bid,bid_condition,"
    "ask_size,ask_exchange,ask,ask_condition"
)
QUOTE = "timestamp,bid_size,bid_exchange,bid,bid_condition,ask_size,ask_exchange,ask,ask_condition"
TIMES = {"created", "last_trade", "timestamp", "trade_timestamp", "quote_timestamp"}
PRICES = {"open", "high", "low", "close", "bid", "ask", "price", "strike"}
TEXTS = {"symbol", "expiration", "right"}


def schema(names: str) -> pa.Schema:
    columns = pa.schema([])
    for name in names.split(","):
        kind: pa.DataType = pa.int64()
        if name in TIMES:
            kind = pa.timestamp("us")
        elif name in PRICES:
            kind = pa.float64()
        elif name in TEXTS:
            kind = pa.string()
        columns = columns.append(pa.field(name, kind, nullable=False))
    return columns


def assert_every_value(body: bytes, names: str, rows: int, *, block_bytes: int = 4096) -> None:
    blocks = list(read_blocks([body], schema(names), "recorded", block_bytes=block_bytes))
    assert [bad for block in blocks for bad in block.bad_rows] == []
    parsed = list(chain.from_iterable(block.batch.to_pylist() for block in blocks))
    said = list(csv.DictReader(StringIO(body.decode())))
    assert len(parsed) == len(said) == rows
    for row, texts in zip(parsed, said, strict=True):
        assert row.keys() == texts.keys()
        for name, text in texts.items():
            if name in TIMES:
                assert row[name] == datetime.fromisoformat(text)
            elif name in TEXTS:
                assert row[name] == text
            else:
                assert Decimal(repr(row[name])) == Decimal(text)


def as_csv(capture: Path, names: str) -> bytes:
    """The rows of a JSON capture in the CSV column order of the endpoint (rest.md 3, 5)."""
    rows = json.loads(capture.read_bytes(), parse_float=str)["response"]["body"]["response"]
    return "\r\n".join([names, *(",".join(str(row[name]) for name in names.split(",")) for row in rows), ""]).encode()


@pytest.mark.parametrize("line_end", [b"\n", b"\r\n"])
def test_eod_as_csv(theta_recorded: Path, line_end: bytes) -> None:
    body = (theta_recorded / "v3-csv/spy-chain-2026-05-15/theta_v3_stock_eod_spy.csv").read_bytes()
    assert_every_value(body.replace(b"\n", line_end), EOD, 6)


def test_eod_as_json(theta_recorded: Path) -> None:
    capture = theta_recorded / "v3-json/aapl-spy-2026-01/stock-history-eod.json"
    assert_every_value(as_csv(capture, EOD), EOD, 7)


def test_quotes_as_json(theta_recorded: Path) -> None:
    capture = theta_recorded / "v3-json/aapl-spy-2026-01/stock-history-quote.json"
    assert_every_value(as_csv(capture, QUOTE), QUOTE, 7)


@pytest.mark.parametrize(("name", "rows"), [("stock_history_eod.csv", 4), ("stock_history_trade_quote.csv", 8192)])
def test_decoded_captures(theta_recorded: Path, name: str, rows: int) -> None:
    body = (theta_recorded / "mdds/decoded-csv" / name).read_bytes()
    assert_every_value(body, body.partition(b"\n")[0].decode(), rows, block_bytes=65536)


def test_quoted_text_cells_of_a_live_terminal(theta_recorded: Path) -> None:
    body = (theta_recorded / "v3-csv/spy-chain-2026-05-15/theta_v3_option_quote_spy.csv").read_bytes()
    assert b'"SPY"' in body
    assert_every_value(body, body.partition(b"\n")[0].decode().strip(), 482)
