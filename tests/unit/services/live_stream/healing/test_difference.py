"""Which records of history a topic lacks, against `collections.Counter`."""

from collections import Counter
from typing import Any, cast

import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from services.live_stream.healing.difference import Records, missing

Row = tuple[bytes, int, bytes]
# Few and short ones, so that equal rows are common and a key's end may look like a body's start.
BYTES = st.binary(max_size=2).map(lambda raw: raw.replace(b"\xff", b"A")) | st.sampled_from([b"", b"A", b"AA"])
ROWS = st.lists(st.tuples(BYTES, st.integers(0, 2), BYTES), max_size=30)


def records(rows: list[Row]) -> Records:
    keys, times, bodies = ([row[n] for row in rows] for n in range(3))
    return Records(
        cast(Any, pa.array(keys, pa.binary())),
        cast(Any, pa.array(times, pa.int64()).cast(pa.timestamp("us", "UTC"))),
        cast(Any, pa.array(bodies, pa.binary())),
    )


@given(ROWS, ROWS, st.randoms())
def test_it_is_the_difference_of_multisets_and_keeps_the_order(extra: list[Row], both: list[Row], random: Any) -> None:
    history, held = [*extra, *both], [*both, *extra[: len(extra) // 3]]
    random.shuffle(history)
    random.shuffle(held)

    rows = missing(records(history), records(held)).tolist()

    assert Counter(history[row] for row in rows) == Counter(history) - Counter(held)
    assert rows == sorted(set(rows))


@given(ROWS, ROWS)
def test_what_a_topic_holds_beyond_history_is_of_no_account(history: list[Row], held: list[Row]) -> None:
    rows = missing(records(history), records(held)).tolist()

    assert Counter(history[row] for row in rows) == Counter(history) - Counter(held)
    healed = [*held, *(history[row] for row in rows)]
    assert missing(records(history), records(healed)).tolist() == []


def test_of_equal_records_the_last_are_missing() -> None:
    row = (b"BAC", 1, b"body")

    assert missing(records([row, row, row]), records([row])).tolist() == [1, 2]


def test_key_time_and_body_are_told_apart() -> None:
    history = [(b"A", 1, b"BC"), (b"AB", 1, b"C"), (b"A", 2, b"BC")]

    assert missing(records(history), records(history[:1])).tolist() == [1, 2]


def test_one_key_may_stand_for_all_and_keys_may_be_text() -> None:
    rows = [(b"BAC", 1, b"x"), (b"BAC", 2, b"y")]
    by_row, text = records(rows), records(rows)
    one = Records(b"BAC", by_row.ts_event, by_row.bodies)
    text = Records(cast(Any, by_row.keys).cast(pa.string()), by_row.ts_event, by_row.bodies)

    assert missing(one, by_row).tolist() == missing(text, one).tolist() == []
    assert missing(one, Records(b"SPY", by_row.ts_event, by_row.bodies)).tolist() == [0, 1]


def test_no_records_are_missing_of_none() -> None:
    assert missing(records([]), records([])).tolist() == []
    assert missing(records([]), records([(b"", 0, b"")])).tolist() == []
    assert missing(records([(b"", 0, b"")]), Records(b"", records([]).ts_event, records([]).bodies)).tolist() == [0]
