"""Reads ahead in a thread, so that reading and decoding cost the clock nothing."""

import queue
import threading
from collections.abc import Callable, Iterator
from typing import Final, Generic, TypeVar

_Item = TypeVar("_Item")
_AHEAD: Final = 2
_LOOK_S: Final = 0.1
_LEAVE_S: Final = 2.0


class Ahead(Generic[_Item]):
    """The items that `items_from` gives, from a market time on (None: from the beginning), a few read ahead.

    It begins at the first `poll`, which raises what the iterator raises. That lives in the thread alone.
    """

    def __init__(self, items_from: Callable[[int | None], Iterator[_Item]]) -> None:
        self._items_from = items_from
        self._start_us: int | None = None
        self._run: _Run[_Item] | None = None
        self._is_done = False

    @property
    def is_done(self) -> bool:
        """Whether the last item has been polled."""
        return self._is_done

    def poll(self) -> _Item | None:
        """The next item, None where none is there at the moment."""
        if self._run is None:
            self._run = _Run(self._items_from(self._start_us))
        try:
            found = self._run.found.get_nowait()
        except queue.Empty:
            return None
        if found is None:
            self._is_done = True
        elif isinstance(found, Exception):
            raise found
        return found

    def seek(self, us: int | None) -> None:
        """Go on from a market time, None: from the beginning; nothing that was read ahead comes any more."""
        if self._run is not None:
            self._run.leave()
        self._run, self._start_us, self._is_done = None, us, False

    def close(self) -> None:
        """End the thread, and wait a moment for it: it may be waiting for a backtest that runs."""
        if self._run is not None:
            self._run.leave()
            self._run.thread.join(_LEAVE_S)


class _Run(Generic[_Item]):
    def __init__(self, items: Iterator[_Item]) -> None:
        self.found: queue.Queue[_Item | Exception | None] = queue.Queue(_AHEAD)
        self._left = threading.Event()
        self._items = items
        self.thread = threading.Thread(target=self._read, name="replay-ahead", daemon=True)
        self.thread.start()

    def leave(self) -> None:
        self._left.set()

    def _read(self) -> None:
        try:
            for item in self._items:
                if not self._put(item):
                    return
            self._put(None)
        except Exception as error:
            self._put(error)
        finally:
            self._close()

    def _put(self, item: _Item | Exception | None) -> bool:
        while not self._left.is_set():
            try:
                self.found.put(item, timeout=_LOOK_S)
            except queue.Full:
                continue
            return True
        return False

    def _close(self) -> None:
        close = getattr(self._items, "close", None)
        if close is not None:
            close()
