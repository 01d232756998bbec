"""Several requests of one chunk at once, as many as the account may have under way."""

import queue
import threading
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Final, TypeVar

from theta_client.client import Cancelled

Item = TypeVar("Item")

_POLL_S: Final = 0.1
_END: Final = object()


def gather(
    fetches: Sequence[Callable[[threading.Event], Iterator[Item]]], workers: int, aborted: threading.Event
) -> Generator[Item]:
    """The items of all fetches: those of one in its order, of several in any. The first error ends all.

    Each fetch gets an event that tells it to end. Raise Cancelled where `aborted` is set.
    """
    stop = threading.Event()
    pending = iter(fetches)
    turn = threading.Lock()
    running = min(workers, len(fetches))
    # So that a fetch waits for whoever takes the items, and memory stays bounded.
    items: queue.Queue[object] = queue.Queue(running + 1)

    def put(item: object) -> None:
        while not stop.is_set():
            try:
                return items.put(item, timeout=_POLL_S)
            except queue.Full:
                continue

    def work() -> None:
        try:
            while not stop.is_set():
                with turn:
                    fetch = next(pending, None)
                if fetch is None:
                    break
                for item in fetch(stop):
                    put((item,))
        except BaseException as error:
            put(error)
        else:
            put(_END)

    with ThreadPoolExecutor(max(1, running), thread_name_prefix="gather") as threads:
        try:
            for _ in range(running):
                threads.submit(work)
            while running:
                if aborted.is_set():
                    raise Cancelled
                try:
                    item = items.get(timeout=_POLL_S)
                except queue.Empty:
                    continue
                if isinstance(item, BaseException):
                    raise item
                if item is _END:
                    running -= 1
                else:
                    yield item[0]  # type: ignore[index]
        finally:
            stop.set()
