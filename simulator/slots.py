"""The account's requests in flight and the terminal's queue (rest.md 8)."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from simulator.refusal import Refusal


class Slots:
    """`cap` requests run, `queue_length` wait in order, the next gets 429."""

    def __init__(self, cap: int, queue_length: int) -> None:
        self.cap = cap
        self.queue_length = queue_length
        self.waiting = 0
        self.peak = 0
        self._in_flight = 0
        self._free = asyncio.Semaphore(cap)

    @asynccontextmanager
    async def taken(self) -> AsyncIterator[None]:
        """Hold a slot until the work ends, whether or not its client still listens."""
        if self._free.locked() and self.waiting >= self.queue_length:
            raise Refusal(429)
        self.waiting += 1
        try:
            await self._free.acquire()
        finally:
            self.waiting -= 1
        self._in_flight += 1
        self.peak = max(self.peak, self._in_flight)
        try:
            yield
        finally:
            self._in_flight -= 1
            self._free.release()
