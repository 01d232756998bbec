import csv
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from io import StringIO

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stoculus.errors import ColumnsMissing, VendorAnswerMalformed
from tests.unit.theta_client.conftest import QUOTE
from theta_client.table import BadRow, Table

NAMES = ["timestamp", "bid_size", "bid", "ask", "note"]
GOOD = b"2024-01-02T09:30:00,17,181.92,181.94,x"


def table(names: list[str] = NAMES, columns: pa.Schema = QUOTE) -> Table:
    return Table(names, columns, "stock/history/quote AAPL")


def test_times_have_none_to_three_fraction_digits() -> None:
    body = b"".join(
        b"2024-01-02T09:30:00%b,1,1,1,x\n" % fraction for fraction in (b"", b".4", b".43", b".433", b".000")
    )
    times = table().block(body, 2).batch.column(0).to_pylist()
    assert [time and time.microsecond for time in times] == [0, 400_000, 430_000, 433_000, 0]
    assert times[0] == datetime(2024, 1, 2, 9, 30)  # noqa: DTZ001


def test_columns_come_as_asked_whatever_their_place_and_extra_ones_are_left_out() -> None:
    block = table(["note", "ask", "bid", "bid_size", "timestamp"]).block(b"x,4,3,2,2024-01-02T09:30:00\n", 2)
    assert block.batch.schema == QUOTE
    assert [column[0].as_py() for column in block.batch.columns[1:]] == [2, 3.0, 4.0]


def test_missing_and_repeated_columns_are_an_error_that_names_both_sides() -> None:
    with pytest.raises(ColumnsMissing, match=r"lacks .*bid_size, ask:") as missing:
        table(["timestamp", "bid", "ask", "ask"])
    assert "expected timestamp,bid_size,bid,ask; got timestamp,bid,ask,ask." in missing.value.message


def test_an_empty_field_is_null_where_the_column_may_be_null() -> None:
    block = table().block(b"2024-01-02T09:30:00,17,181.92,,\r\n", 2)
    assert block.batch.column(3).to_pylist() == [None]
    assert block.bad_rows == []


def test_blank_lines_are_no_rows_but_count_as_lines() -> None:
    block = table().block(b"\r\n" + GOOD + b"\r\n\n\r\n" + GOOD + b"\r\n\r\n", 2)
    assert block.lines.to_pylist() == [3, 6]
    assert block.last_line == 6
    assert block.bad_rows == []
    assert table().block(b"\n\r\n", 9).batch.num_rows == 0


@pytest.mark.parametrize(
    ("row", "cause"),
    [
        (b"2024-01-02T09:30:00,17,181.92,181.94", "4 columns where the header has 5"),
        (GOOD + b",y", "6 columns where the header has 5"),
        (b"   ", "1 columns where the header has 5"),
        (b"2024-01-02T09:30:00,,181.92,181.94,x", "bid_size is empty"),
        (b",17,181.92,181.94,x", "timestamp is empty"),
        (b"2024-01-02T09:30:00,17,NaN,181.94,x", "bid is not finite"),
        (b"2024-01-02T09:30:00,17,181.92,-inf,x", "ask is not finite"),
        (b"2024-01-02T09:30:00,17,1e400,181.94,x", "bid is not finite"),
        (b"2024-01-02T09:30:00,1.5,181.92,181.94,x", "bid_size: int64: invalid value '1.5'"),
        (b"2024-01-02T09:30:00,99999999999999999999,1,1,x", "bid_size: int64: invalid value '99999999999999999999'"),
        (b"2024-02-30T09:30:00,17,181.92,181.94,x", "timestamp: timestamp[us]: invalid value '2024-02-30T09:30:00'"),
        (
            b"2024-01-02T09:30:00Z,17,181.92,181.94,x",
            "timestamp: timestamp[us]: expected no zone offset in '2024-01-02T09:30:00Z'",
        ),
        (b"2024-01-02T09:30:00,17,181.92,181.94,\xff", "not UTF-8"),
        (b'2024-01-02T09:30:00,17,181.92,181.94,"x', "a quote that does not close"),
        (b'"2024-01-02T09:30:00,17,181.92,181.94,x', "a quote that does not close"),
        (b'2024-01-02T09:30:00,"17"",181.92,181.94,x', ""),
        (GOOD + b"\r" + GOOD, "a line end inside the row"),
    ],
)
def test_a_bad_row_is_set_apart_with_line_and_cause_and_the_others_survive(row: bytes, cause: str) -> None:
    body = b"".join(line + b"\r\n" for line in (GOOD, GOOD, row, GOOD, b"", row, GOOD))
    block = table().block(body, 2)
    assert block.lines.to_pylist() == [2, 3, 5, 8]
    assert block.batch.num_rows == 4
    assert [(bad.line, bad.raw) for bad in block.bad_rows] == [(4, row), (7, row)]
    assert block.bad_rows[0].cause.startswith(cause)
    assert block.raw_bytes == len(body)


def test_a_block_of_bad_rows_alone_has_no_row() -> None:
    block = table().block(b"a\nb\n", 2)
    assert block.batch.num_rows == 0
    assert block.batch.schema == QUOTE
    assert [bad.line for bad in block.bad_rows] == [2, 3]


def test_quoted_cells_may_hold_commas_and_a_stray_quote_swallows_no_line() -> None:
    lines = [
        GOOD[:-1] + b'"a,b"',
        GOOD[:-1] + b'"a',
        GOOD,
        GOOD[:-1] + b'a"',
        GOOD[:-1] + b'"a ""b"""',
        GOOD[:-1] + b'"',
    ]
    block = table().block(b"\n".join(lines) + b"\n", 2)
    assert block.lines.to_pylist() == [2, 4, 5, 6]
    assert [bad.line for bad in block.bad_rows] == [3, 7]


CODE = pa.dictionary(pa.int32(), pa.string())
CHAIN = pa.schema(
    [
        pa.field("symbol", CODE, nullable=False),
        pa.field("expiration", pa.date32(), nullable=False),
        pa.field("strike", pa.float64(), nullable=False),
        pa.field("right", CODE, nullable=False),
        pa.field("timestamp", pa.timestamp("us"), nullable=False),
        pa.field("delta", pa.float64(), nullable=False),
    ]
)
BARE = [
    b"SPXW,2026-05-22,800.000,PUT,2026-05-15T14:09:23,-0.9881",
    b"SPXW,2026-05-22,800.000,CALL,2026-05-15T14:09:23.6,0.0017",
    b"BRK.B,2026-06-19,92.143,CALL,2026-05-15T14:09:23.66,1",
    b"SPXW,2026-05-22,800,PUT,2026-05-15T14:09:23.660,0",
]


def quoted(row: bytes) -> bytes:
    symbol, expiration, strike, right, *rest = row.split(b",")
    return b",".join([b'"%b"' % symbol, b'"%b"' % expiration, strike, b'"%b"' % right, *rest])


@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
@pytest.mark.parametrize("text", [pa.string(), CODE])
@pytest.mark.parametrize("bad", [b"", b"SPXW,2026-05-22"])
def test_contracts_of_a_chain_are_the_same_quoted_and_bare(end: bytes, text: pa.DataType, bad: bytes) -> None:
    columns = pa.schema([field.with_type(text) if field.type == CODE else field for field in CHAIN])
    blocks = [
        table(CHAIN.names, columns).block(b"".join(row + end for row in (*rows[:2], bad, *rows[2:])), 2)
        for rows in (BARE, [quoted(row) for row in BARE], [BARE[0], *map(quoted, BARE[1:])])
    ]
    for block in blocks:
        assert block.batch.schema == columns
        assert block.batch.to_pylist() == blocks[0].batch.to_pylist()
        assert block.lines.to_pylist() == [2, 3, 5, 6]
        assert [row.raw for row in block.bad_rows] == [bad] * bool(bad)
    assert blocks[0].batch.to_pylist()[1:3] == [
        {
            "symbol": symbol,
            "expiration": expiration,
            "strike": strike,
            "right": "CALL",
            "timestamp": datetime(2026, 5, 15, 14, 9, 23, microsecond),  # noqa: DTZ001
            "delta": delta,
        }
        for symbol, expiration, strike, microsecond, delta in (
            ("SPXW", date(2026, 5, 22), 800.0, 600_000, 0.0017),
            ("BRK.B", date(2026, 6, 19), 92.143, 660_000, 1.0),
        )
    ]


@pytest.mark.parametrize(
    ("row", "cause"),
    [
        (b'"","2026-05-22",800.000,"PUT",2026-05-15T14:09:23,0', "symbol is empty"),
        (b"SPXW,,800.000,PUT,2026-05-15T14:09:23,0", "expiration is empty"),
        (b'"SPXW","20260522",800.000,"PUT",2026-05-15T14:09:23,0', "expiration: date32[day]: invalid value '20260522'"),
        (b"SPXW,2026-05-32,800.000,PUT,2026-05-15T14:09:23,0", "expiration: date32[day]: invalid value '2026-05-32'"),
        (b"SPXW,2026-05-22,800.000,,2026-05-15T14:09:23,0", "right is empty"),
        (b"SPXW,2026-05-22,800.000,PUT,2026-05-15T14:09:23,", "delta is empty"),
        (b"SPXW,2026-05-22,800.000,PUT,2026-05-15T14:09:23,NaN", "delta is not finite"),
        (b"SPXW,2026-05-22,800.000,PUT,2026-05-15T14:09:23,null", "delta: double: invalid value 'null'"),
        (b"SPXW,2026-05-22,800.000,PUT,2026-05-15T14:09:23,-Infinity", "delta is not finite"),
        (b'"SPXW,2026-05-22,800.000,PUT,2026-05-15T14:09:23,0', "a quote that does not close"),
        (b"SP\xff,2026-05-22,800.000,PUT,2026-05-15T14:09:23,0", "not UTF-8"),
    ],
)
@pytest.mark.parametrize("good", [BARE, [quoted(row) for row in BARE]])
def test_a_bad_row_of_a_chain_leaves_the_others(row: bytes, cause: str, good: list[bytes]) -> None:
    chain = table(CHAIN.names, CHAIN)
    block = chain.block(b"".join(line + b"\r\n" for line in (good[0], row, *good[1:])), 2)
    assert block.batch.to_pylist() == chain.block(b"\n".join([*good, b""]), 2).batch.to_pylist()
    assert block.bad_rows == [BadRow(3, row, cause)]


cells = st.one_of(
    st.integers(-99, 10**20).map(str),
    st.decimals(-1000, 1000, places=3).map(str),
    st.sampled_from(
        ["", "NaN", "inf", "1e3", "0x1f", '"', '"7"', " 7", "7 ", "é", "\r", "\0", "2024-01-02T09:30:00.5"]
    ),
    st.text(st.characters(exclude_characters="\n", exclude_categories=["Cs"]), max_size=3),
)
rows = st.one_of(
    st.just(GOOD.decode()),
    st.tuples(st.just("2024-01-02T09:30:00.5"), cells, cells, cells, cells).map(",".join),
    st.lists(cells, max_size=6).map(",".join),
)


@settings(deadline=None)
@given(st.lists(rows, max_size=12), st.sampled_from(["\n", "\r\n"]))
def test_what_is_accepted_depends_on_no_neighbour_and_nothing_is_lost(lines: list[str], end: str) -> None:
    data = [(line + end).encode() for line in lines]
    together = table().block(b"".join(data), 2)
    alone = [table().block(line, number) for number, line in enumerate(data, 2)]
    assert together.bad_rows == [bad for block in alone for bad in block.bad_rows]
    assert together.lines.to_pylist() == [line for block in alone for line in block.lines.to_pylist()]
    assert together.batch.to_pylist() == [row for block in alone for row in block.batch.to_pylist()]
    seen = {*together.lines.to_pylist(), *(bad.line for bad in together.bad_rows)}
    assert all((number in seen) == bool(line.strip(b"\r\n")) for number, line in enumerate(data, 2))


@settings(deadline=None)
@given(st.lists(rows, max_size=12))
def test_accepted_values_are_what_a_csv_reader_and_decimal_say(lines: list[str]) -> None:
    block = table().block("".join(line + "\n" for line in lines).encode(), 2)
    for row, line in zip(block.batch.to_pylist(), block.lines.to_pylist(), strict=True):
        [said] = csv.reader(StringIO(lines[(line or 0) - 2]))
        for name in ("bid", "ask"):
            text = said[NAMES.index(name)].strip()
            assert row[name] == (float(decimal_of(text)) if text else None)


def decimal_of(text: str) -> Decimal:
    try:
        return Decimal(text)
    except InvalidOperation:
        return Decimal(int(text, 16))


def test_a_block_of_another_format_is_refused_as_a_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("theta_client.table._MOST_BAD_ROWS", 5)
    assert len(table().block(b"x\n" * 5, 2).bad_rows) == 5
    with pytest.raises(VendorAnswerMalformed, match=r"too many rows .* first line 2: 1 columns"):
        table().block(b"x\n" * 6, 2)
