import threading
from concurrent.futures import ThreadPoolExecutor
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.kit.memory import MemoryBudget, MemoryShare


@pytest.fixture
def aborted() -> threading.Event:
    return threading.Event()


@pytest.fixture
def already() -> threading.Event:
    """Aborted: `take` answers at once whether there is room."""
    event = threading.Event()
    event.set()
    return event


def promoted(budget: MemoryBudget) -> MemoryShare:
    share = budget.share()
    share.promote()
    return share


def test_a_chunk_ahead_takes_only_what_is_left(already: threading.Event) -> None:
    budget = MemoryBudget(100)
    share, other = budget.share(), budget.share()

    assert share.take(60, already)
    assert not other.take(41, already)
    assert other.take(40, already)
    assert budget.used_bytes == 100


def test_the_chunk_being_written_does_not_wait_for_those_ahead(already: threading.Event) -> None:
    budget = MemoryBudget(100)
    ahead = budget.share()
    assert ahead.take(100, already)

    assert promoted(budget).take(100, already)


def test_the_first_chunk_being_written_gets_a_block_larger_than_the_limit(already: threading.Event) -> None:
    assert promoted(MemoryBudget(10)).take(1000, already)


def test_chunks_being_written_share_the_limit(already: threading.Event) -> None:
    budget = MemoryBudget(100)
    first, second = promoted(budget), promoted(budget)

    assert first.take(60, already)
    assert not second.take(60, already)
    first.give_back(60)
    assert second.take(60, already)


def test_what_a_chunk_took_ahead_counts_as_written_once_its_turn_has_come(already: threading.Event) -> None:
    budget = MemoryBudget(100)
    share, other = budget.share(), promoted(budget)
    assert share.take(80, already)
    share.promote()

    assert not other.take(30, already)
    share.close()
    assert other.take(30, already)
    assert budget.used_bytes == 30


def test_one_who_waits_goes_on_when_memory_comes_back(aborted: threading.Event) -> None:
    budget = MemoryBudget(100)
    share, other = promoted(budget), promoted(budget)
    share.take(100, aborted)
    with ThreadPoolExecutor(1) as executor:
        waiting = executor.submit(other.take, 50, aborted)
        share.close()

        assert waiting.result(30)


def test_one_who_waits_is_let_go_when_aborted(aborted: threading.Event) -> None:
    budget = MemoryBudget(100)
    promoted(budget).take(100, threading.Event())
    with ThreadPoolExecutor(1) as executor:
        waiting = executor.submit(promoted(budget).take, 50, aborted)
        aborted.set()

        assert not waiting.result(30)


@given(st.integers(1, 50), st.integers(1, 100), st.integers(0, 2**32))
def test_closing_returns_all_that_was_taken(limit: int, steps: int, seed: int) -> None:
    random, budget = Random(seed), MemoryBudget(limit)
    shares = [budget.share() for _ in range(4)]
    already = threading.Event()
    already.set()
    held = [0] * 4
    for _ in range(steps):
        number = random.randrange(4)
        size = random.randint(1, 20)
        if random.random() < 0.2 and not shares[number].promoted:
            shares[number].promote()
        elif held[number] >= size and random.random() < 0.5:
            shares[number].give_back(size)
            held[number] -= size
        elif shares[number].take(size, already):
            held[number] += size
        assert budget.used_bytes == sum(held)
    for share in shares:
        share.close()
    assert budget.used_bytes == 0


def test_many_chunks_on_little_memory_all_get_through(aborted: threading.Event) -> None:
    """Each takes a block, hands it on, takes the next; a few are promoted late. Nobody waits for ever."""
    budget = MemoryBudget(32)

    def chunk(number: int) -> None:
        share = budget.share()
        if number % 3 == 0:
            share.promote()
        for block in range(20):
            if number % 3 and block == 3:
                share.promote()
            assert share.take(16, aborted)
            share.give_back(10)
            share.give_back(6)
        share.close()

    with ThreadPoolExecutor(16) as executor:
        for done in [executor.submit(chunk, number) for number in range(16)]:
            done.result(60)
    assert budget.used_bytes == 0
