"""Prefetch: chunks are read, converted and encoded by threads of their own, ahead of the writer."""

import queue
import threading
from collections import deque
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from contextvars import copy_context
from typing import Final

from services.kit.memory import MemoryBudget
from services.kit.prepare import Prepared
from theta_client.client import Cancelled, Window

BLOCK_BYTES: Final = 4 * 2**20
"""Vendor bytes a block. A block is one transaction; its size decides resume points, so it is no setting."""

_COPIES: Final = 4
"""What a byte of CSV takes on its way: itself, Arrow columns, Avro bodies, the producer's queue."""

_POLL_S: Final = 0.1
_MOST_THREADS: Final = 1024
"""More than tasks and slots can ever ask for at once: nobody waits for a thread."""

Read = Callable[[Window, threading.Event], Iterator[Prepared]]


class Lookahead:
    """How many chunks may be fetched ahead, over all tasks of the service.

    A chunk fetched ahead may stand still until its turn comes, and holds one of the account's slots meanwhile. One
    slot for each task that runs, and at least one, is left to chunks that are being written.
    """

    def __init__(self, slots: Callable[[], int]) -> None:
        # Threads that are used again, not one a chunk: memory that a new thread gets from the allocator stays with it.
        self.threads = ThreadPoolExecutor(_MOST_THREADS, thread_name_prefix="fetch")
        self._slots = slots
        self._lock = threading.Lock()
        self._tasks = 0
        self._ahead = 0

    def __enter__(self) -> None:
        with self._lock:
            self._tasks += 1

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._tasks -= 1

    def try_take(self) -> bool:
        """Take the right to fetch one chunk ahead, if there is one."""
        with self._lock:
            if self._ahead + max(1, self._tasks) >= self._slots():
                return False
            self._ahead += 1
            return True

    def give_back(self) -> None:
        with self._lock:
            self._ahead -= 1


class ChunkFetch:
    """One chunk on its way."""

    def __init__(self, read: Read, window: Window, budget: MemoryBudget, threads: Executor) -> None:
        self.window = window
        self._read = read
        self._share = budget.share()
        self._blocks: queue.SimpleQueue[Prepared | Exception | None] = queue.SimpleQueue()
        self._aborted = threading.Event()
        # What it logs belongs to what its task belongs to.
        self._done = threads.submit(copy_context().run, self._run)

    def promote(self) -> None:
        """The chunk's turn to be written has come."""
        self._share.promote()

    def blocks(self, stop: threading.Event) -> Iterator[Prepared]:
        """The blocks in order. A block's memory is given back when the next is asked for. Ends early on `stop`.

        What the fetching thread raised is raised here.
        """
        while not stop.is_set():
            try:
                item = self._blocks.get(timeout=_POLL_S)
            except queue.Empty:
                continue
            if item is None:
                return
            if isinstance(item, Exception):
                raise item
            yield item
            self._share.give_back(item.raw_bytes * _COPIES)

    def close(self) -> None:
        """Stop fetching and give back all memory."""
        self._aborted.set()
        self._done.result()
        self._share.close()

    def _run(self) -> None:
        try:
            blocks = self._read(self.window, self._aborted)
            while self._share.take(BLOCK_BYTES * _COPIES, self._aborted):
                block = next(blocks, None)
                if block is None:
                    break
                self._share.give_back((BLOCK_BYTES - block.raw_bytes) * _COPIES)
                self._blocks.put(block)
            self._blocks.put(None)
        except Cancelled:
            self._blocks.put(None)
        except Exception as error:
            self._blocks.put(error)


def prefetch(
    read: Read, windows: list[Window], lookahead: Lookahead, budget: MemoryBudget, stop: threading.Event
) -> Generator[ChunkFetch]:
    """The chunks in order, the next ones already under way as far as `lookahead` allows."""
    upcoming = deque(windows)
    ahead: deque[ChunkFetch] = deque()
    try:
        while (ahead or upcoming) and not stop.is_set():
            if ahead:
                lookahead.give_back()
            current = ahead.popleft() if ahead else ChunkFetch(read, upcoming.popleft(), budget, lookahead.threads)
            current.promote()
            try:
                while upcoming and lookahead.try_take():
                    ahead.append(ChunkFetch(read, upcoming.popleft(), budget, lookahead.threads))
                yield current
            finally:
                current.close()
    finally:
        for chunk in ahead:
            lookahead.give_back()
            chunk.close()
