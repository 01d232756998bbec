"""A cache bounded by bytes, used from several threads."""

from collections import OrderedDict
from collections.abc import Callable, Hashable
from threading import Lock
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class ByteCache(Generic[K, V]):
    """Keeps the values used last. What is larger than the whole bound is not kept."""

    def __init__(self, bound_bytes: int, size_bytes: Callable[[V], int]) -> None:
        self._bound_bytes = bound_bytes
        self._size_bytes = size_bytes
        self._values: OrderedDict[K, V] = OrderedDict()
        self._lock = Lock()
        self.held_bytes = 0

    def get(self, key: K) -> V | None:
        with self._lock:
            if key in self._values:
                self._values.move_to_end(key)
            return self._values.get(key)

    def put(self, key: K, value: V) -> None:
        size = self._size_bytes(value)
        with self._lock:
            if size > self._bound_bytes or key in self._values:
                return
            self._values[key] = value
            self.held_bytes += size
            while self.held_bytes > self._bound_bytes:
                _, oldest = self._values.popitem(last=False)
                self.held_bytes -= self._size_bytes(oldest)

    def get_or(self, key: K, make: Callable[[], V]) -> V:
        """The value of the key; made outside of the lock, so two threads may make it at once."""
        found = self.get(key)
        if found is None:
            found = make()
            self.put(key, found)
        return found
