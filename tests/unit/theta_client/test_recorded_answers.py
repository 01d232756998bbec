"""Every recorded answer on stocks and options, each value compared with what csv.DictReader and Decimal read."""

import csv
import json
import re
from datetime import date, datetime
from decimal import Decimal
from io import StringIO
from itertools import chain
from pathlib import Path

import pyarrow as pa
import pytest

from stoculus.errors import VendorRefused
from tests.unit.theta_client.conftest import THREADS
from theta_client.body import read_blocks
from theta_client.lists import day_of, parse_list
from theta_client.option_lists import expiration_of
from theta_client.protocol import error_of

pytestmark = pytest.mark.recordings

EOD = (
    "created,last_trade,open,high,low,close,volume,count,bid_size,bid_exchange,bid,bid_condition,"
    "ask_size,ask_exchange,ask,ask_condition"
)
QUOTE = "timestamp,bid_size,bid_exchange,bid,bid_condition,ask_size,ask_exchange,ask,ask_condition"
CONTRACT = "symbol,expiration,strike,right"
BAR = "timestamp,open,high,low,close,volume,count,vwap"
INTEGERS = re.compile(
    r"(volume|count|sequence|size|exchange|open_interest|.*_(size|exchange|condition)|.*condition\d?)"
)


def kind_of(name: str) -> pa.DataType:
    if name in ("created", "last_trade") or name.endswith("timestamp"):
        return pa.timestamp("us")
    if name in ("symbol", "right"):
        return pa.dictionary(pa.int32(), pa.string())
    if name == "expiration":
        return pa.date32()
    return pa.int64() if INTEGERS.fullmatch(name) else pa.float64()


def assert_every_value(body: bytes, names: str, rows: int, *, block_bytes: int = 4096) -> None:
    columns = pa.schema([pa.field(name, kind_of(name), nullable=False) for name in names.split(",")])
    blocks = list(read_blocks([body], columns, "recorded", block_bytes=block_bytes, readers=THREADS, parsers=THREADS))
    assert [bad for block in blocks for bad in block.bad_rows] == []
    parsed = list(chain.from_iterable(block.batch.to_pylist() for block in blocks))
    said = list(csv.DictReader(StringIO(body.decode())))
    assert len(parsed) == len(said) == rows
    for row, texts in zip(parsed, said, strict=True):
        assert row.keys() == texts.keys()
        assert all(is_what_the_text_says(row[name], text) for name, text in texts.items())


def is_what_the_text_says(value: object, text: str) -> bool:
    if isinstance(value, datetime):
        return value == datetime.fromisoformat(text)
    if isinstance(value, date):
        return f"{value}" == text
    return value == text if isinstance(value, str) else Decimal(repr(value)) == Decimal(text)


def as_csv(capture: Path, names: str) -> bytes:
    """The rows of a JSON capture in the CSV column order of the endpoint (rest.md 3, 5)."""
    answered = json.loads(capture.read_bytes(), parse_float=str)["response"]["body"]["response"]
    rows = [
        part.get("contract", {}) | row  # option rows stand under their contract
        for part in answered
        for row in part.get("data", [part])
    ]
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


@pytest.mark.parametrize(
    ("name", "columns", "rows"),
    [
        ("option-history-eod.json", f"{CONTRACT},{EOD}", 6),
        ("option-history-ohlc.json", f"{CONTRACT},{BAR}", 7),
        ("option-history-quote.json", f"{CONTRACT},{QUOTE}", 7),
    ],
)
def test_option_history_as_json(theta_recorded: Path, name: str, columns: str, rows: int) -> None:
    assert_every_value(as_csv(theta_recorded / "v3-json/aapl-spy-2026-01" / name, columns), columns, rows)


@pytest.mark.parametrize(
    ("name", "rows"),
    [
        ("stock_history_eod.csv", 4),
        ("stock_history_trade_quote.csv", 8192),
        ("option_history_greeks_all.csv", 79),
        ("option_history_greeks_eod.csv", 1),
        ("option_history_trade.csv", 98),
        ("option_history_trade_greeks_all.csv", 1),
        ("option_history_trade_greeks_first_order.csv", 1),
        ("option_history_trade_greeks_implied_volatility.csv", 1),
        ("option_history_trade_greeks_second_order.csv", 1),
        ("option_history_trade_greeks_third_order.csv", 1),
        ("option_history_trade_quote.csv", 98),
        ("option_snapshot_ohlc.csv", 1),
    ],
)
def test_decoded_captures(theta_recorded: Path, name: str, rows: int) -> None:
    body = (theta_recorded / "mdds/decoded-csv" / name).read_bytes()
    # Rebuilt messages carry the expiration as a number; the terminal writes it as a date (rest.md 3.1).
    body = re.sub(rb'",(\d{4})(\d\d)(\d\d),', rb'",\1-\2-\3,', body)
    assert_every_value(body, body.partition(b"\n")[0].decode(), rows, block_bytes=65536)


@pytest.mark.parametrize("line_end", [b"\n", b"\r\n"])
@pytest.mark.parametrize("quotes", [b'"', b""])
@pytest.mark.parametrize("name", ["quote", "open_interest", "greeks_first_order"])
def test_chains_of_a_live_terminal(theta_recorded: Path, name: str, quotes: bytes, line_end: bytes) -> None:
    body = (theta_recorded / f"v3-csv/spy-chain-2026-05-15/theta_v3_option_{name}_spy.csv").read_bytes()
    assert b'"SPY"' in body
    names = body.partition(b"\n")[0].decode().strip()
    assert_every_value(body.replace(b'"', quotes).replace(b"\n", line_end), names, 482)


def test_expirations_as_csv(theta_recorded: Path) -> None:
    body = (theta_recorded / "v3-csv/spy-chain-2026-05-15/theta_v3_option_expirations_spy.csv").read_bytes()
    found = parse_list(body, ("symbol", "expiration"), expiration_of, "recorded")
    assert found == [date.fromisoformat(row["expiration"]) for row in csv.DictReader(StringIO(body.decode()))]
    assert (found[0], found[-1], len(found)) == (date(2012, 6, 1), date(2028, 12, 15), 2046)


def test_expirations_as_json(theta_recorded: Path) -> None:
    body = as_csv(theta_recorded / "v3-json/aapl-spy-2026-01/option-list-expirations.json", "symbol,expiration")
    found = parse_list(body, ("symbol", "expiration"), expiration_of, "recorded")
    assert (found[0], found[-1], len(found)) == (date(2012, 6, 1), date(2028, 12, 15), 1957)


def test_dates_of_an_expiration_as_json(theta_recorded: Path) -> None:
    body = as_csv(theta_recorded / "v3-json/aapl-spy-2026-01/option-list-dates-quote.json", "date")
    found = parse_list(body, ("date",), day_of, "recorded")
    assert (found[0], found[-1], len(found)) == (date(2023, 8, 17), date(2024, 4, 19), 170)


def test_a_v2_parameter_is_refused_with_its_name(theta_recorded: Path) -> None:
    capture = theta_recorded / "v3-json/aapl-spy-2026-01/option-list-strikes.json"
    answer = json.loads(capture.read_bytes())["response"]
    error = error_of(answer["status"], answer["body"].encode(), "option/list/strikes AAPL 20250221")
    assert type(error) is VendorRefused
    assert "exp -> expiration" in error.message
