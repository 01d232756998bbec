"""The memory budget of a service: bytes of rows on their way from the vendor to the broker, over all tasks."""

import threading
from typing import Final

_CHECK_S: Final = 0.1


class MemoryBudget:
    """Hands out memory to chunks, so that prefetching never hinders writing.

    A chunk fetched ahead takes memory only while all chunks together stay below the limit. A chunk that is being
    written waits only for others that are being written, whose memory comes back by itself; so nobody waits for ever.
    """

    def __init__(self, limit_bytes: int) -> None:
        self.limit_bytes = limit_bytes
        self._ahead_bytes = 0
        self._written_bytes = 0
        self._changed = threading.Condition()

    @property
    def used_bytes(self) -> int:
        return self._ahead_bytes + self._written_bytes

    def share(self) -> "MemoryShare":
        """The memory of one more chunk, fetched ahead until it is promoted."""
        return MemoryShare(self)

    def _fits(self, share: "MemoryShare", size: int) -> bool:
        if share.promoted:
            return self._written_bytes == 0 or self._written_bytes + size <= self.limit_bytes
        return self.used_bytes + size <= self.limit_bytes


class MemoryShare:
    """The memory that one chunk holds."""

    def __init__(self, budget: MemoryBudget) -> None:
        self._budget = budget
        self._held_bytes = 0
        self.promoted = False

    def take(self, size: int, aborted: threading.Event) -> bool:
        """Wait for `size` bytes and take them; False where aborted."""
        budget = self._budget
        with budget._changed:
            while not budget._fits(self, size):
                if aborted.is_set():
                    return False
                # `aborted` is set without a notification.
                budget._changed.wait(_CHECK_S)
            self._count(size)
        return True

    def give_back(self, size: int) -> None:
        """Return what was taken."""
        with self._budget._changed:
            self._count(-size)
            self._budget._changed.notify_all()

    def promote(self) -> None:
        """The chunk is being written from now on."""
        budget = self._budget
        with budget._changed:
            budget._ahead_bytes -= self._held_bytes
            budget._written_bytes += self._held_bytes
            self.promoted = True
            budget._changed.notify_all()

    def close(self) -> None:
        """Return all that is held."""
        self.give_back(self._held_bytes)

    def _count(self, size: int) -> None:
        self._held_bytes += size
        if self.promoted:
            self._budget._written_bytes += size
        else:
            self._budget._ahead_bytes += size
