import csv
import io
import json
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.cells import Cell
from simulator.formats import Columns, Dialect, Format, document, render
from simulator.history import eod_block
from simulator.market import Eod
from simulator.tables import EOD

COLUMNS: Columns = (
    ("timestamp", Cell.TIME),
    ("symbol", Cell.TEXT),
    ("size", Cell.INTEGER),
    ("bid", Cell.QUOTE_PRICE),
    ("price", Cell.TRADE_PRICE),
)
TIMES = np.array(["2024-01-02T09:30:00.000", "2024-01-02T09:30:00.430", "2024-01-02T16:00:00.011"], "datetime64[ms]")
BLOCK: list[Any] = [TIMES, ["BRK.B", None, "A"], np.array([1, -5, 99_999]), np.array([0, 1_814_200, 7_510]), TIMES]
BLOCK[4] = np.array([1_871_800, 1, 20_000_000])


def body(form: Format, dialect: Dialect | None = None) -> str:
    runs = [render(form, COLUMNS, BLOCK, dialect or Dialect())]
    return b"".join(document(form, COLUMNS, runs)).decode()


def test_csv_quotes_text_ends_lines_with_crlf_and_ends_with_an_empty_line() -> None:
    assert body("csv") == (
        "timestamp,symbol,size,bid,price\r\n"
        '2024-01-02T09:30:00.000,"BRK.B",1,0.00,187.1800\r\n'
        "2024-01-02T09:30:00.430,,-5,181.42,0.0001\r\n"
        '2024-01-02T16:00:00.011,"A",99999,0.7510,2000.0000\r\n'
        "\r\n"
    )


def test_an_older_dialect_has_bare_text_and_no_zeros_at_the_end_of_times() -> None:
    lines = body("csv", Dialect(quoted=False, trimmed_times=True)).splitlines()

    assert lines[1] == "2024-01-02T09:30:00,BRK.B,1,0.00,187.1800"
    assert lines[2].startswith("2024-01-02T09:30:00.43,,")


def test_json_has_the_vendors_layout_and_numbers_with_their_zeros() -> None:
    text = body("json")

    assert text.startswith('{\n\t"response": [\n\t\t{"timestamp":"2024-01-02T09:30:00","symbol":"BRK.B",')
    assert text.endswith("}\n\t]\n}\n\n")
    assert '"price":187.1800}' in text
    rows = json.loads(text)["response"]
    assert [row["symbol"] for row in rows] == ["BRK.B", None, "A"]


def test_ndjson_has_one_object_a_line() -> None:
    rows = [json.loads(line) for line in body("ndjson").splitlines()]

    assert rows[1] == {
        "timestamp": "2024-01-02T09:30:00.43",
        "symbol": None,
        "size": -5,
        "bid": 181.42,
        "price": 0.0001,
    }


def test_html_is_a_table() -> None:
    assert body("html").count("<tr>") == 4


@pytest.mark.parametrize(
    ("cell", "units", "text"),
    [
        (Cell.TRADE_PRICE, 1_871_800, "187.1800"),
        (Cell.QUOTE_PRICE, 1_871_050, "187.1050"),
        (Cell.QUOTE_PRICE, 1_871_000, "187.10"),
        (Cell.BAR_PRICE, 0, "0.0"),
        (Cell.BAR_PRICE, 1_882_984, "188.2984"),
        (Cell.BAR_PRICE, 1_880_500, "188.050"),
        (Cell.VWAP, 1_872_549, "187.25"),
        (Cell.VWAP, 1_872_550, "187.26"),
    ],
)
def test_prices_have_the_decimals_of_their_column(cell: Cell, units: int, text: str) -> None:
    run = render("csv", (("timestamp", Cell.TIME), ("x", cell)), [TIMES[:2], np.array([units, 5])], Dialect())

    assert bytes(run).decode().splitlines()[0].split(",")[1] == text


rows = st.lists(
    st.tuples(st.integers(0, 2**41), st.integers(-(2**31), 2**31), st.integers(0, 2**31)), min_size=1, max_size=50
)


@given(rows)
def test_every_value_survives_the_csv(rows: list[tuple[int, int, int]]) -> None:
    columns: Columns = (("timestamp", Cell.TIME), ("size", Cell.INTEGER), ("bid", Cell.QUOTE_PRICE))
    ms, size, bid = np.array(rows, np.int64).T

    run = render("csv", columns, [ms.astype("datetime64[ms]"), size, bid], Dialect())

    read = list(csv.reader(io.StringIO(bytes(run).decode(), newline="")))
    assert [
        (int(np.datetime64(at, "ms").astype("int64")), int(n), round(float(p) * 10_000)) for at, n, p in read
    ] == rows


@pytest.mark.recordings
def test_a_recorded_eod_body_is_spelled_as_the_vendor_spelled_it(theta_recorded: Path) -> None:
    """But for line ends, which the recording's keeper normalised, and one row that has a zero too many."""
    lines = (theta_recorded / "v3-csv/spy-chain-2026-05-15/theta_v3_stock_eod_spy.csv").read_text().split("\n")
    rows = [line.split(",") for line in lines[1:] if line]

    run = render("csv", EOD, eod_block([report_of(row) for row in rows]), Dialect())

    ours = b"".join(document("csv", EOD, [run])).decode().split("\r\n")
    different = [(mine, theirs) for mine, theirs in zip(ours, lines, strict=True) if mine != theirs]
    [(mine, theirs)] = different
    assert [float(cell) for cell in mine.split(",")[2:]] == [float(cell) for cell in theirs.split(",")[2:]]


def report_of(row: list[str]) -> tuple[date, Eod]:
    created, last_trade, *numbers = row
    units = [round(float(cell) * 10_000) if "." in cell else int(cell) for cell in numbers]
    day = date.fromisoformat(created[:10])
    midnight = np.datetime64(day, "ms")
    created_ms, last_ms = (int((np.datetime64(at, "ms") - midnight).astype("int64")) for at in (created, last_trade))
    bid_size, bid_exchange, bid, bid_condition, ask_size, ask_exchange, ask, ask_condition = units[6:]
    quote = (bid_size, bid_exchange, bid, bid_condition, ask_size, ask_exchange, ask, ask_condition)
    opening, high, low, close, volume, count = units[:6]
    return day, Eod(created_ms, last_ms, opening, high, low, close, volume, count, quote)


def test_greeks_are_cut_off_after_four_decimals() -> None:
    values = np.array([0.29, -0.29, 0.99999, -0.00001, 261.93049, 100.0, np.nan])

    run = render("csv", (("delta", Cell.GREEK),), [values], Dialect())

    assert bytes(run).decode().split() == ["0.2900", "-0.2900", "0.9999", "0.0000", "261.9304", "100.0000", "0.0000"]


def test_prices_of_option_bars_have_two_decimals_and_none_is_zero() -> None:
    run = render("csv", (("open", Cell.OPTION_BAR_PRICE),), [np.array([0, 44_800, 1_005_050])], Dialect())

    assert bytes(run).decode().split() == ["0.0", "4.48", "100.5050"]


def test_a_dictionary_is_spelled_as_its_words() -> None:
    rights = pa.array(["CALL", "PUT"]).dictionary_encode().take(pa.array([1, 0, 1]))

    assert bytes(render("csv", (("right", Cell.TEXT),), [rights], Dialect())).decode().split() == [
        '"PUT"',
        '"CALL"',
        '"PUT"',
    ]
