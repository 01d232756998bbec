import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import date, timedelta

import pytest

from services.kit.fetch import BLOCK_BYTES, ChunkFetch, Lookahead, prefetch
from services.kit.memory import MemoryBudget
from services.kit.prepare import Prepared
from stoculus.errors import NoData, VendorSilent
from tests.unit.services.kit.making import at, prepared, times_of, window
from theta_client.client import Cancelled, Window

MANY_BYTES = 10 * BLOCK_BYTES * 4
THREADS = ThreadPoolExecutor()
WINDOWS = [window(date(2024, 1, 1) + timedelta(days=n)) for n in range(1, 7)]


@pytest.fixture
def budget() -> MemoryBudget:
    return MemoryBudget(MANY_BYTES)


@pytest.fixture
def stop() -> threading.Event:
    return threading.Event()


def three_blocks(window: Window, aborted: threading.Event) -> Iterator[Prepared]:
    for hour in (10, 11, 12):
        yield prepared([at(window.start, hour)])


def hours_of(blocks: Iterator[Prepared]) -> list[int]:
    return [times_of(block)[0].hour - 5 for block in blocks]


def lookahead(slots: int, tasks: int = 1) -> Lookahead:
    ahead = Lookahead(lambda: slots)
    for _ in range(tasks):
        ahead.__enter__()
    return ahead


class TestAChunk:
    def test_gives_its_blocks_in_order(self, budget: MemoryBudget, stop: threading.Event) -> None:
        chunk = ChunkFetch(three_blocks, WINDOWS[0], budget, THREADS)
        chunk.promote()

        assert hours_of(chunk.blocks(stop)) == [10, 11, 12]
        chunk.close()

    def test_raises_what_its_thread_raised_behind_the_blocks_before(
        self, budget: MemoryBudget, stop: threading.Event
    ) -> None:
        def fails(window: Window, aborted: threading.Event) -> Iterator[Prepared]:
            yield prepared([at(window.start, 10)])
            raise VendorSilent("silent")

        chunk = ChunkFetch(fails, WINDOWS[0], budget, THREADS)
        chunk.promote()
        blocks = chunk.blocks(stop)

        assert len(next(blocks)) == 1
        with pytest.raises(VendorSilent):
            next(blocks)
        chunk.close()
        assert budget.used_bytes == 0

    def test_raises_no_data(self, budget: MemoryBudget, stop: threading.Event) -> None:
        def nothing(window: Window, aborted: threading.Event) -> Iterator[Prepared]:
            if window.days:
                raise NoData("472")
            yield prepared([])

        chunk = ChunkFetch(nothing, WINDOWS[0], budget, THREADS)
        with pytest.raises(NoData):
            list(chunk.blocks(stop))
        chunk.close()

    def test_counts_a_block_by_its_size_and_until_the_next_is_asked_for(
        self, budget: MemoryBudget, stop: threading.Event
    ) -> None:
        def one(window: Window, aborted: threading.Event) -> Iterator[Prepared]:
            yield prepared([at(window.start, 10)], raw_bytes=1000)

        chunk = ChunkFetch(one, WINDOWS[0], budget, THREADS)
        chunk.promote()
        blocks = chunk.blocks(stop)
        next(blocks)
        assert budget.used_bytes >= 4000
        assert list(blocks) == []
        chunk.close()
        assert budget.used_bytes == 0

    def test_ends_early_when_stopped(self, budget: MemoryBudget, stop: threading.Event) -> None:
        chunk = ChunkFetch(waits_for_abort, WINDOWS[0], budget, THREADS)
        stop.set()

        assert list(chunk.blocks(stop)) == []
        chunk.close()
        assert budget.used_bytes == 0

    def test_waits_for_memory_before_it_reads_and_is_closed_meanwhile(self, stop: threading.Event) -> None:
        budget = MemoryBudget(1)
        other = budget.share()
        other.promote()
        other.take(100, stop)
        read: list[Window] = []

        def tells(window: Window, aborted: threading.Event) -> Iterator[Prepared]:
            read.append(window)
            yield prepared([])

        chunk = ChunkFetch(tells, WINDOWS[0], budget, THREADS)
        chunk.close()

        assert read == []
        assert budget.used_bytes == 100


def waits_for_abort(window: Window, aborted: threading.Event) -> Iterator[Prepared]:
    if aborted.wait(30):
        raise Cancelled
    yield prepared([])


def test_chunks_come_in_order_with_the_next_ones_under_way(budget: MemoryBudget, stop: threading.Event) -> None:
    started: list[date] = []
    all_ahead = threading.Event()

    def read(window: Window, aborted: threading.Event) -> Iterator[Prepared]:
        started.append(window.start)
        if len(started) == 3:
            all_ahead.set()
        all_ahead.wait(30)
        yield from three_blocks(window, aborted)

    seen = []
    for chunk in prefetch(read, WINDOWS, lookahead(3), budget, stop):
        assert all_ahead.wait(30)
        seen.append(chunk.window)
        assert hours_of(chunk.blocks(stop)) == [10, 11, 12]

    assert seen == WINDOWS
    assert budget.used_bytes == 0


def test_no_more_chunks_are_under_way_than_slots(budget: MemoryBudget, stop: threading.Event) -> None:
    under_way, most, lock = 0, 0, threading.Lock()

    def read(window: Window, aborted: threading.Event) -> Iterator[Prepared]:
        nonlocal under_way, most
        with lock:
            under_way += 1
            most = max(most, under_way)
        yield from three_blocks(window, aborted)
        with lock:
            under_way -= 1

    for chunk in prefetch(read, WINDOWS, lookahead(2), budget, stop):
        list(chunk.blocks(stop))

    assert most <= 2


@pytest.mark.parametrize("leave", [lambda chunks: chunks.close(), lambda chunks: chunks.throw(VendorSilent("x"))])
def test_leaving_in_the_middle_gives_all_memory_and_slots_back(
    budget: MemoryBudget, stop: threading.Event, leave: Callable[..., object]
) -> None:
    ahead = lookahead(4)
    chunks = prefetch(waits_for_abort, WINDOWS, ahead, budget, stop)
    next(chunks)
    with suppress(VendorSilent):
        leave(chunks)

    assert budget.used_bytes == 0
    assert taken(ahead) == 3


def test_a_stop_ends_the_chunks(budget: MemoryBudget, stop: threading.Event) -> None:
    ahead = lookahead(4)
    chunks = prefetch(waits_for_abort, WINDOWS, ahead, budget, stop)
    next(chunks)
    stop.set()

    assert next(chunks, None) is None
    assert budget.used_bytes == 0
    assert taken(ahead) == 3


def taken(ahead: Lookahead) -> int:
    """How many more chunks may be fetched ahead."""
    count = 0
    while ahead.try_take():
        count += 1
    return count


@pytest.mark.parametrize(
    ("slots", "tasks", "ahead"), [(8, 1, 7), (8, 3, 5), (8, 8, 0), (4, 16, 0), (1, 1, 0), (2, 0, 1)]
)
def test_a_slot_is_left_for_each_task_that_runs(slots: int, tasks: int, ahead: int) -> None:
    assert taken(lookahead(slots, tasks)) == ahead


def test_what_is_given_back_may_be_taken_again() -> None:
    ahead = lookahead(2)

    assert ahead.try_take()
    assert not ahead.try_take()
    ahead.give_back()
    assert ahead.try_take()


def test_a_task_that_has_ended_leaves_its_slot() -> None:
    ahead = Lookahead(lambda: 2)
    with ahead, ahead:
        assert not ahead.try_take()
    assert ahead.try_take()


def test_a_lower_tier_learned_meanwhile_counts_at_once() -> None:
    slots = 4
    ahead = Lookahead(lambda: slots)
    assert ahead.try_take()
    slots = 1
    assert not ahead.try_take()
