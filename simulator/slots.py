"""The account's requests in flight and the terminal's queue (rest.md 8)."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from simulator.refusal import Refusal


class Slots:
    """`cap` requests run, `queue_length` wait in order, the next gets 429."""

    def __init__(self, cap: int, queue_length: int) -> None:
        self._limit = cap + queue_length
        self._free = asyncio.Semaphore(cap)
        self.under_way = 0
        self.peak_under_way = 0

    @asynccontextmanager
    async def taken(self) -> AsyncIterator[None]:
        """Hold a slot until the work ends, whether or not its client still listens."""
        if self.under_way >= self._limit:
            raise Refusal(429)
        self.under_way += 1
        self.peak_under_way = max(self.peak_under_way, self.under_way)
        try:
            async with self._free:
                yield
        finally:
            self.under_way -= 1
