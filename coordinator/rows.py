"""The rows of a store, kept in memory."""

import asyncio
from typing import Any, Generic
from weakref import WeakValueDictionary

from coordinator.store import R, Store
from stoculus.errors import ServiceUnavailable


class Rows(Generic[R]):
    """Every row, in memory as it is in the store. Written to the store first, read from memory alone.

    Used on the event loop. `trouble` says why the store has not been read.
    """

    def __init__(self, store: Store[R]) -> None:
        self.trouble: ServiceUnavailable | None = ServiceUnavailable(
            "The store is still being read.", remedy="Try again in a moment."
        )
        self._store = store
        self._rows: dict[str, R] = {}
        self._flights: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    async def load(self) -> None:
        """Read the store; raise ServiceUnavailable where it cannot be read."""
        try:
            rows = await asyncio.to_thread(self._store.load)
        except ServiceUnavailable as error:
            self.trouble = error
            raise
        self.trouble = None
        self._rows = {self._store.id_of(row): row for row in rows}

    @property
    def known(self) -> dict[str, R]:
        """The rows by id; raise ServiceUnavailable while the store has not been read."""
        if self.trouble:
            raise ServiceUnavailable(self.trouble.message, remedy=self.trouble.remedy)
        return self._rows

    async def add(self, row: R) -> None:
        """Store a new row; raise Conflict where its id is taken."""
        await asyncio.to_thread(self._store.add, row)
        self._rows[self._store.id_of(row)] = row

    async def change(self, row: R, **changes: Any) -> R:
        """Change a row; raise Conflict where it has changed meanwhile."""
        new = await asyncio.to_thread(lambda: self._store.change(row, **changes))
        self._rows[self._store.id_of(row)] = new
        return new

    async def remove(self, row: R) -> None:
        """Delete a row; raise Conflict where it has changed meanwhile."""
        await asyncio.to_thread(self._store.remove, row)
        del self._rows[self._store.id_of(row)]

    def flight(self, row_id: str) -> asyncio.Lock:
        """One lock an id, as long as somebody uses it."""
        return self._flights.setdefault(row_id, asyncio.Lock())
