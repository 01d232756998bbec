import hashlib
import struct
from datetime import date
from itertools import pairwise

import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from stoculus.checkpoints import NO_HASH
from stoculus.records.digest import DayDigest

UTC_US = pa.timestamp("us", "UTC")
Row = tuple[bytes, int, bytes]
ROWS = st.lists(st.tuples(st.binary(max_size=9), st.integers(-(2**62), 2**62), st.binary(max_size=40)), max_size=20)


def by_definition(days: list[list[Row]]) -> str:
    """As the docstring of `stoculus.checkpoints` says it."""
    chain = bytes(32)
    for rows in days:
        columns = (
            b"".join(key for key, _, _ in rows),
            b"".join(struct.pack("<q", time) for _, time, _ in rows),
            b"".join(struct.pack("<i", len(body)) for _, _, body in rows),
            b"".join(body for _, _, body in rows),
        )
        day = hashlib.sha256(b"".join(hashlib.sha256(column).digest() for column in columns)).digest()
        chain = hashlib.sha256(chain + day).digest()
    return chain.hex()


def add(digest: DayDigest, rows: list[Row]) -> None:
    keys, times, bodies = zip(*rows, strict=True) if rows else ((), (), ())
    digest.add(pa.array(keys, pa.binary()), pa.array(times, UTC_US), pa.array(bodies, pa.binary()))


@given(st.lists(ROWS, min_size=1, max_size=4))
def test_days_are_chained_as_the_checkpoint_says(days: list[list[Row]]) -> None:
    previous = NO_HASH
    for rows in days:
        digest = DayDigest(date(2024, 1, 2), previous)
        add(digest, rows)
        previous = digest.digest()

    assert previous == by_definition(days)


@given(ROWS, st.lists(st.integers(0, 20)))
def test_the_hash_does_not_depend_on_how_rows_are_batched(rows: list[Row], cuts: list[int]) -> None:
    digest = DayDigest()
    edges = [0, *sorted(min(cut, len(rows)) for cut in cuts), len(rows)]
    for start, stop in pairwise(edges):
        add(digest, rows[start:stop])

    assert digest.digest() == by_definition([rows])


@given(ROWS, st.data())
def test_slices_of_longer_arrays_count_as_their_rows_alone(rows: list[Row], data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(rows)))
    keys, times, bodies = zip(*rows, strict=True) if rows else ((), (), ())
    digest = DayDigest()
    digest.add(
        pa.array(keys, pa.binary())[start:], pa.array(times, UTC_US)[start:], pa.array(bodies, pa.binary())[start:]
    )

    assert digest.digest() == by_definition([rows[start:]])


@given(st.binary(max_size=9), ROWS)
def test_one_key_for_all_rows_is_a_key_a_row(key: bytes, rows: list[Row]) -> None:
    rows = [(key, time, body) for _, time, body in rows]
    digest = DayDigest()
    digest.add(key, pa.array([time for _, time, _ in rows], UTC_US), pa.array([body for *_, body in rows], pa.binary()))

    assert digest.digest() == by_definition([rows])


def test_text_keys_count_as_their_bytes() -> None:
    by_text, by_bytes = DayDigest(), DayDigest()
    by_text.add(pa.array(["é", "b"]), pa.array([1, 2], UTC_US), pa.array([b"x", b""], pa.binary()))
    add(by_bytes, [("é".encode(), 1, b"x"), (b"b", 2, b"")])

    assert by_text.digest() == by_bytes.digest()


def test_each_column_and_the_order_of_rows_count() -> None:
    rows: list[Row] = [(b"k", 1, b"ab"), (b"k", 2, b"c")]
    others: list[list[Row]] = [
        [(b"K", 1, b"ab"), (b"k", 2, b"c")],
        [(b"k", 1, b"ab"), (b"k", 3, b"c")],
        [(b"k", 1, b"a"), (b"k", 2, b"bc")],
        rows[::-1],
        rows[:1],
    ]

    assert len({by_definition([each]) for each in [rows, *others]}) == 6
    for each in others:
        digest = DayDigest()
        add(digest, each)
        assert digest.digest() == by_definition([each])
