from collections.abc import Iterable, Iterator
from itertools import chain, pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stoculus.errors import ColumnsMissing, NoData, VendorAnswerMalformed, VendorBodyCut
from tests.unit.theta_client.conftest import QUOTE, THREADS
from theta_client import table
from theta_client.body import read_blocks
from theta_client.table import BadRow, Block

HEADER = b"timestamp,bid_size,bid,ask\r\n"
ROWS = [b"2024-01-02T09:30:00.%03d,%d,1.5,2.5\r\n" % (n, n) for n in range(20)]
BODY = HEADER + b"".join(ROWS)


def blocks(
    *sent: bytes, chunks: Iterable[bytes] = (), block_bytes: int = 1 << 20, tolerate_cut: bool = False
) -> Iterator[Block]:
    return read_blocks(
        chain(sent, chunks),
        QUOTE,
        "stock/history/quote AAPL",
        block_bytes=block_bytes,
        readers=THREADS,
        parsers=THREADS,
        tolerate_cut=tolerate_cut,
    )


@settings(deadline=None)
@given(st.lists(st.integers(0, len(BODY)), max_size=20), st.integers(1, 3 * len(ROWS[0])))
def test_the_network_does_not_decide_where_blocks_end(cuts: list[int], block_bytes: int) -> None:
    edges = [0, *sorted(cuts), len(BODY)]
    chunks = [BODY[start:end] for start, end in pairwise(edges)]
    assert list(blocks(*chunks, block_bytes=block_bytes)) == list(blocks(BODY, block_bytes=block_bytes))


def test_blocks_hold_whole_lines_and_count_on() -> None:
    found = list(blocks(BODY, block_bytes=5 * len(ROWS[12]) + 5))
    assert [size for block in found for size in block.batch.column(1).to_pylist()] == list(range(20))
    assert [line for block in found for line in block.lines.to_pylist()] == list(range(2, 22))
    assert [block.last_line for block in found] == [6, 11, 16, 21]
    assert sum(block.raw_bytes for block in found) == len(BODY) - len(HEADER)


def test_a_byte_order_mark_and_a_quoted_header_are_read() -> None:
    [block] = blocks(b'\xef\xbb\xbf"timestamp","bid_size","bid","ask"\n' + ROWS[1])
    assert block.batch.num_rows == 1


def test_a_trailing_empty_line_is_no_row_and_no_block() -> None:
    assert [block.batch.num_rows for block in blocks(BODY + b"\r\n")] == [20]
    assert [block.batch.num_rows for block in blocks(BODY, b"\r\n" * 40, block_bytes=len(BODY))] == [20]


@pytest.mark.parametrize(
    ("body", "what"),
    [
        (b"", "an empty body"),
        (b"\r\n", "an empty body"),
        (b"<html><body><h1>Oops</h1></body></html>", "HTML: Oops"),
        (b"\n<html>\n<body>Oops</body>\n", "a text that is no table"),
        (b"Something went wrong", "a text that is no table: Something went wrong"),
        (b'{\n\t"response": [\n\t\t{"bid":181.94}\n\t]\n}\n\n', "a text that is no table"),
        (b"\x1f\x8b\x08\x00\xff", "a text that is no table"),
        (b"x" * 200_000, "a first line without end"),
        (HEADER + b"x" * 200_000, "a line without end"),
    ],
)
def test_a_200_that_is_no_table_is_refused_with_evidence(body: bytes, what: str) -> None:
    with pytest.raises(VendorAnswerMalformed) as refused:
        list(blocks(*(body[n : n + 1000] for n in range(0, len(body), 1000)), block_bytes=1000))
    assert what in refused.value.message
    assert "stock/history/quote AAPL" in refused.value.message
    assert len(refused.value.detail) <= 2048


@pytest.mark.parametrize("body", [b"No data found for your request", b"no data found\n", HEADER, HEADER + b"\r\n"])
def test_no_data_in_words_or_a_header_alone_is_no_data(body: bytes) -> None:
    with pytest.raises(NoData):
        list(blocks(body))


def test_another_header_names_both_sides() -> None:
    with pytest.raises(ColumnsMissing, match=r"lacks .*bid_size, bid"):
        list(blocks(b"timestamp,ask\r\n"))


@pytest.mark.parametrize("partial", [b"2024-01-02T09:31:00,1,1.5,2", b"2", b"\r"])
def test_a_body_that_ends_inside_a_row_gives_its_whole_rows_and_then_fails(partial: bytes) -> None:
    found = blocks(BODY + partial)
    assert next(found).batch.num_rows == 20
    with pytest.raises(VendorBodyCut, match="ends inside line 22") as cut:
        next(found)
    assert cut.value.detail == partial.decode()


def test_where_the_network_breaks_off_the_whole_blocks_come_first() -> None:
    def chunks() -> Iterator[bytes]:
        yield HEADER + b"".join(ROWS[:10]) + ROWS[10][:5]
        raise VendorBodyCut("The answer broke off.")

    found = blocks(chunks=chunks(), block_bytes=4 * len(ROWS[0]))
    assert [next(found).batch.num_rows, next(found).batch.num_rows] == [4, 4]
    with pytest.raises(VendorBodyCut, match="broke off"):
        next(found)


def test_no_block_comes_after_one_that_cannot_be_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(table, "_MOST_BAD_ROWS", 100)
    foreign = b"".join(b"x" * 20 + b"%d\r\n" % n for n in range(101))
    found = blocks(BODY, foreign, *ROWS, block_bytes=len(foreign) // 3 * 4)
    with pytest.raises(VendorAnswerMalformed, match="too many rows"):
        list(found)


def test_a_tolerated_cut_is_a_bad_row() -> None:
    *_, last = blocks(BODY + b"2024-01-02T09:31:00,1,1.5,2", tolerate_cut=True)
    assert last.batch.num_rows == 0
    assert last.bad_rows == [BadRow(22, b"2024-01-02T09:31:00,1,1.5,2", "the body ends inside a row")]
    assert last.last_line == 22


def test_a_body_that_ends_inside_its_header_is_cut() -> None:
    with pytest.raises(VendorBodyCut, match="inside its header"):
        list(blocks(b"timestamp,bid_si", tolerate_cut=True))
