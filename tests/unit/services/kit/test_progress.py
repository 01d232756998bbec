from datetime import UTC, date, datetime
from itertools import pairwise

import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from services.kit.prepare import Prepared
from services.kit.progress import Progress, rewind
from stoculus.calendar import NEW_YORK
from stoculus.checkpoints import NO_HASH, Checkpoint
from stoculus.records.digest import DayDigest
from tests.unit.services.kit.making import DAYS, KEY, at, prepared, times_of, window
from theta_client.client import BadRow

TIMES = st.lists(st.tuples(st.sampled_from(DAYS), st.integers(10, 15)), max_size=30).map(
    lambda pairs: [at(day, hour) for day, hour in sorted(pairs)]
)


def blank(chunks_total: int = 2) -> Checkpoint:
    return Checkpoint(
        task_id="t",
        backtest_id="1",
        record="io.stoculus.StockTrade",
        schema="trade",
        symbol="AAPL",
        state="running",
        attempt=1,
        chunks_total=chunks_total,
        updated_at=datetime(2024, 1, 5, tzinfo=UTC),
    )


def hash_of(rows: Prepared) -> str:
    """The hash of a topic with these rows, by its definition: day by day."""
    chain = NO_HASH
    for day in DAYS:
        of_day = [row for row, moment in enumerate(times_of(rows)) if moment.astimezone(NEW_YORK).date() == day]
        if of_day:
            digest = DayDigest(day, chain)
            part = slice(of_day[0], of_day[-1] + 1)
            digest.add(KEY, rows.ts_event[part], rows.bodies[part])
            chain = digest.digest()
    return chain


def part(rows: Prepared, start: int, stop: int) -> Prepared:
    return Prepared(KEY, rows.ts_event[start:stop], rows.bodies[start:stop], [], 0, 0)


@given(TIMES, st.lists(st.integers(0, 30), max_size=4), st.booleans())
def test_the_hash_is_the_topics_however_rows_are_blocked_and_chunked(
    times: list[datetime], cuts: list[int], one_chunk: bool
) -> None:
    rows, progress = prepared(times), Progress(blank())
    edges = sorted({0, len(times), *(min(cut, len(times)) for cut in cuts)})
    chunks = [DAYS] if one_chunk else [[day] for day in DAYS]
    for days in chunks:
        progress.begin_chunk(window(*days))
        inside = [row for row, moment in enumerate(times) if moment.astimezone(NEW_YORK).date() in days]
        low, high = (inside[0], inside[-1] + 1) if inside else (0, 0)
        for start, stop in pairwise(sorted({low, high, *(edge for edge in edges if low < edge < high)})):
            progress.advance(part(rows, start, stop))
        progress.end_chunk(window(*days), "nothing")

    checkpoint = progress.checkpoint
    assert checkpoint.hash == hash_of(rows)
    assert checkpoint.records == len(times)
    assert sum(checkpoint.days.values()) == len(times)
    assert set(checkpoint.days) | set(checkpoint.empty_days) == set(DAYS)
    assert not set(checkpoint.days) & set(checkpoint.empty_days)
    assert (checkpoint.first_ts_event, checkpoint.last_ts_event) == ((times[0], times[-1]) if times else (None, None))


@given(TIMES, st.integers(0, 30))
def test_the_open_chunks_digest_proves_a_prefix_blocked_in_any_way(times: list[datetime], cut: int) -> None:
    rows, cut = prepared(times), min(cut, len(times))
    whole, halves = Progress(blank()), Progress(blank())
    for progress in (whole, halves):
        progress.begin_chunk(window(*DAYS))
    whole.advance(rows)
    halves.advance(part(rows, 0, cut))
    halves.advance(part(rows, cut, len(times)))

    assert whole.checkpoint.chunk == halves.checkpoint.chunk


def test_a_chunk_counts_what_is_on_the_topic_left_out_and_set_apart() -> None:
    progress = Progress(blank())
    progress.begin_chunk(window(DAYS[0]))
    progress.advance(prepared([at(DAYS[0], 10)], bad=[BadRow(3, b"", "")], empty_rows=5))
    progress.advance(prepared([at(DAYS[0], 11)], empty_rows=2))

    now, chunk = progress.checkpoint, progress.checkpoint.chunk
    assert (now.records, now.bad_rows, now.empty_bars) == (2, 1, 7)
    assert chunk is not None
    assert (chunk.records, chunk.bad_rows, chunk.empty_bars) == (2, 1, 7)
    assert now.complete_until == now.last_ts_event == at(DAYS[0], 11)


def test_the_end_of_a_chunk_completes_its_days_and_explains_the_empty_ones() -> None:
    progress = Progress(blank())
    progress.begin_chunk(window(*DAYS))
    progress.advance(prepared([at(DAYS[0], 10), at(DAYS[2], 10)]))
    progress.end_chunk(window(*DAYS), "no rows")

    now = progress.checkpoint
    assert now.days == {DAYS[0]: 1, DAYS[2]: 1}
    assert now.empty_days == {DAYS[1]: "no rows"}
    assert now.chunk is None
    assert now.chunks_done == 1
    assert now.complete_until == datetime(2024, 1, 5, 5, tzinfo=UTC)  # midnight in New York


def test_an_empty_chunk_leaves_the_hash() -> None:
    progress = Progress(blank())
    progress.begin_chunk(window(DAYS[0]))
    progress.end_chunk(window(DAYS[0]), "no rows")

    assert progress.checkpoint.hash == NO_HASH


def test_a_rewound_checkpoint_goes_the_same_way_again() -> None:
    first, second = prepared([at(DAYS[0], 10)]), prepared([at(DAYS[1], 10), at(DAYS[1], 11)])
    progress = Progress(blank())
    progress.begin_chunk(window(DAYS[0]))
    progress.advance(first)
    progress.end_chunk(window(DAYS[0]), "")
    closed = progress.checkpoint
    progress.begin_chunk(window(DAYS[1]))
    progress.advance(Prepared(KEY, second.ts_event[:1], second.bodies[:1], [BadRow(1, b"", "")], 3, 0))
    half = progress.checkpoint

    back = rewind(half)
    assert (back.records, back.bad_rows, back.empty_bars, back.chunk) == (1, 0, 0, None)
    assert (back.hash, back.days, back.chunks_done) == (closed.hash, closed.days, 1)
    again = Progress(back)
    again.begin_chunk(window(DAYS[1]))
    again.advance(second)
    again.end_chunk(window(DAYS[1]), "")
    assert again.checkpoint.hash == hash_of(
        Prepared(
            KEY,
            pa.concat_arrays([first.ts_event, second.ts_event]),
            pa.concat_arrays([first.bodies, second.bodies]),
            [],
            0,
            0,
        )
    )
    assert rewind(closed) == closed


def test_rows_are_expected_from_the_share_that_is_done() -> None:
    progress = Progress(blank(chunks_total=2))
    assert progress.rows_expected(window(DAYS[0])) == 0
    progress.begin_chunk(window(DAYS[0]))
    progress.advance(prepared([at(DAYS[0], 10)] * 99 + [at(DAYS[0], 12, 45)]))  # half of the first of two chunks

    assert progress.rows_expected(window(DAYS[0])) == 400
    progress.end_chunk(window(DAYS[0]), "")
    assert progress.rows_expected(window(DAYS[0])) == 200


def test_a_day_of_many_blocks_is_one_link_of_the_chain() -> None:
    day: date = DAYS[0]
    progress = Progress(blank())
    progress.begin_chunk(window(day))
    for minute in range(5):
        progress.advance(prepared([at(day, 10, minute)]))
    progress.end_chunk(window(day), "")

    assert progress.checkpoint.hash == hash_of(prepared([at(day, 10, minute) for minute in range(5)]))
