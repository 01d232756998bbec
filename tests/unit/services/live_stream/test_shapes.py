"""Rows of a table as records: by the extension, the same bytes as by the library."""

from datetime import date
from typing import Any, cast

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.live_stream.shapes import HAS_EXTENSION, Identities, Shape
from stoculus.instruments import OptionContract, Stock
from stoculus.records.catalog import RECORDS, Asset, record_type
from tests.unit.services.live_stream.making import bodies_in
from theta_client.client import TicksKind
from theta_client.stream.buffer import Frames
from theta_client.stream.parse import Parser
from theta_client.stream.subscription import Index, Instrument
from theta_client.stream.table import INSTRUMENT, Table

EMPTY = Parser().parse(Frames(1, [], []))
SCHEMAS: dict[TicksKind, pa.Schema] = {"quote": EMPTY.quotes.schema, "trade": EMPTY.trades.schema}
INSTRUMENTS: dict[Asset, list[Instrument]] = {
    "stock": [Stock("AAPL"), Stock("BRK.B"), Stock("X")],
    "option": [
        OptionContract("SPXW", date(2024, 3, 15), 4_800_000, "call"),
        OptionContract("SPXW", date(2024, 3, 15), 4_800_000, "put"),
        OptionContract("A", date(2014, 1, 18), 500, "put"),
    ],
}
INT32, INT64 = st.integers(-(2**31), 2**31 - 1), st.integers(-(2**63), 2**63 - 1)
WORDS = {
    pa.int32(): INT32,
    pa.int64(): INT64,
    pa.timestamp("us", "UTC"): st.integers(0, 4 * 10**15),
    pa.float64(): st.floats(allow_nan=False).map(lambda value: int(np.float64(value).view(np.int64))),
}


def shape(asset: Asset, kind: TicksKind, known: Identities, *, use_extension: bool) -> Shape:
    return Shape(record_type(RECORDS[asset][kind]), SCHEMAS[kind], known, use_extension=use_extension)


def as_lists(encoded: tuple[pa.BinaryArray, pa.BinaryArray]) -> tuple[list[bytes], list[bytes]]:
    keys, bodies = encoded
    keys.validate(full=True)
    bodies.validate(full=True)
    return cast(Any, keys).to_pylist(), bodies_in(bodies)


def tables(kind: TicksKind, numbers: list[int]) -> st.SearchStrategy[Table]:
    columns = [
        st.sampled_from(numbers) if place == INSTRUMENT else WORDS[field.type]
        for place, field in enumerate(SCHEMAS[kind])
    ]
    rows = st.lists(st.tuples(*columns), max_size=20)
    return rows.map(lambda each: Table(SCHEMAS[kind], np.array(each, np.int64).reshape(-1, len(columns)).T.copy()))


def test_the_extension_is_built_where_these_tests_run() -> None:
    """Without a compiler it may be missing; then the library does all, and this says so."""
    if not HAS_EXTENSION:
        pytest.skip("NOT TESTED: the extension that encodes rows; it was not built")


@pytest.mark.skipif(not HAS_EXTENSION, reason="the extension is not built")
@pytest.mark.parametrize("kind", ["quote", "trade"])
@pytest.mark.parametrize("asset", ["stock", "option"])
@settings(deadline=None)
@given(st.data())
def test_records_are_the_same_bytes_by_the_extension_and_by_the_library(
    asset: Asset, kind: TicksKind, data: st.DataObject
) -> None:
    known = Identities()
    quick, plain = (shape(asset, kind, known, use_extension=use) for use in (True, False))
    other: Asset = "option" if asset == "stock" else "stock"
    known.learn([Index("SPX"), INSTRUMENTS[asset][0], INSTRUMENTS[other][0]])
    first = data.draw(tables(kind, [1]))
    assert as_lists(quick.encoded(first)) == as_lists(plain.encoded(first))

    known.learn(INSTRUMENTS[asset][1:])
    more = data.draw(tables(kind, [1, 3, 4]))
    assert as_lists(quick.encoded(more)) == as_lists(plain.encoded(more))


def table(*numbers: int) -> Table:
    words = np.zeros((len(SCHEMAS["trade"]), len(numbers)), np.int64)
    words[INSTRUMENT] = numbers
    return Table(SCHEMAS["trade"], words)


@pytest.mark.skipif(not HAS_EXTENSION, reason="the extension is not built")
@pytest.mark.parametrize("number", [-1, 1, 2**40])
def test_a_row_of_an_instrument_that_is_not_known_is_refused(number: int) -> None:
    known = Identities()
    known.learn([Stock("AAPL")])
    with pytest.raises(ValueError, match="no piece of an instrument"):
        shape("stock", "trade", known, use_extension=True).encoded(table(0, number))


@pytest.mark.skipif(not HAS_EXTENSION, reason="the extension is not built")
class TestTheExtension:
    @pytest.mark.parametrize(
        ("changes", "why"),
        [
            ({"columns": 0}, "do not share the words"),
            ({"columns": 3}, "do not share the words"),
            ({"instrument": 9}, "is not there"),
            ({"parts": b"n\x09"}, "is not there"),
            ({"parts": b"n"}, "is not a pair"),
            ({"parts": b"n\0" * 65}, "is not a pair"),
            ({"parts": b"x\0"}, "unknown code"),
            ({"parts": b"p\0"}, "has no pieces"),
            ({"parts": b"p\0", "pieces": (b"", b"")}, "no piece of an instrument"),
            ({"parts": b"p\0", "pieces": (np.array([5, 9], np.int32), b"short")}, "no piece of an instrument"),
            ({"parts": b"p\0", "pieces": (np.array([3, 1], np.int32), b"turned")}, "no piece of an instrument"),
        ],
    )
    def test_refuses_parts_that_are_not_there(self, changes: dict[str, Any], why: str) -> None:
        from services.live_stream import _encode

        given: dict[str, Any] = {"words": np.zeros(4, np.int64), "columns": 2, "instrument": 0, "parts": b"n\1"}
        given |= {"pieces": ()} | changes
        with pytest.raises(ValueError, match=why):
            _encode.encode(*given.values())

    def test_writes_what_each_part_says(self) -> None:
        from services.live_stream import _encode

        words = np.array([[1, 0], [-1, 300], np.array([0.5, 2.0]).view(np.int64)])
        pieces = (np.array([0, 2, 2], np.int32), b"ab")
        offsets, data = _encode.encode(words, 3, 0, b"n\1p\0d\2", pieces)
        assert np.frombuffer(offsets, np.int32).tolist() == [0, 9, 21]
        assert data == b"\1" + np.float64(0.5).tobytes() + b"\xd8\4" + b"ab" + np.float64(2).tobytes()
