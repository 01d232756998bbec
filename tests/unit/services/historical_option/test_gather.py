"""Several fetches at once."""

import threading
import time
from collections.abc import Callable, Iterator
from functools import partial

import pytest

from services.historical_option.gather import gather
from stoculus.errors import VendorSilent
from theta_client.client import Cancelled

Fetch = Callable[[threading.Event], Iterator[tuple[int, int]]]


def items(fetch: int, count: int, stop: threading.Event) -> Iterator[tuple[int, int]]:
    for number in range(count):
        yield fetch, number


def of(*counts: int) -> list[Fetch]:
    return [partial(items, fetch, count) for fetch, count in enumerate(counts)]


@pytest.mark.parametrize("workers", [1, 3, 8])
def test_every_item_comes_once_and_those_of_a_fetch_in_order(workers: int) -> None:
    found = list(gather(of(5, 0, 70, 1), workers, threading.Event()))

    assert sorted(found) == [(fetch, number) for fetch, count in ((0, 5), (2, 70), (3, 1)) for number in range(count)]
    for fetch in range(4):
        numbers = [number for of_fetch, number in found if of_fetch == fetch]
        assert numbers == sorted(numbers)


def test_no_fetches_are_no_items() -> None:
    assert list(gather([], 4, threading.Event())) == []


def test_so_many_run_at_once_and_no_more() -> None:
    running, most, lock = 0, 0, threading.Lock()
    together = threading.Barrier(3)

    def fetch(stop: threading.Event) -> Iterator[int]:
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        together.wait(10)
        yield 1
        with lock:
            running -= 1

    assert sum(gather([fetch] * 6, 3, threading.Event())) == 6
    assert most == 3


def test_the_first_error_ends_all() -> None:
    ended = threading.Event()

    def endless(stop: threading.Event) -> Iterator[int]:
        while not stop.wait(0.01):
            yield 1
        ended.set()

    def broken(stop: threading.Event) -> Iterator[int]:
        yield 1
        raise VendorSilent("nothing came")

    with pytest.raises(VendorSilent):
        list(gather([endless, broken], 2, threading.Event()))
    assert ended.is_set()


def test_an_abort_ends_all_even_where_nothing_comes() -> None:
    aborted = threading.Event()

    def silent(stop: threading.Event) -> Iterator[int]:
        stop.wait(60)
        yield from ()

    threading.Timer(0.1, aborted.set).start()
    with pytest.raises(Cancelled):
        list(gather([silent] * 3, 2, aborted))


def test_whoever_takes_no_more_ends_all() -> None:
    seen: list[int] = []

    def endless(stop: threading.Event) -> Iterator[int]:
        while not stop.is_set():
            seen.append(1)
            yield 1

    rows = gather([endless], 1, threading.Event())
    assert next(rows) == 1
    time.sleep(0.3)
    rows.close()
    assert len(seen) < 10
