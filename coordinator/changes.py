"""Who watches what."""

import asyncio


class Changes:
    """Tells those who watch a backtest or a stream that something about it has changed."""

    def __init__(self) -> None:
        self._watchers: dict[str, set[asyncio.Event]] = {}

    def watch(self, row_id: str) -> asyncio.Event:
        """An event that is set at each change; give it back with `unwatch`."""
        event = asyncio.Event()
        self._watchers.setdefault(row_id, set()).add(event)
        return event

    def unwatch(self, row_id: str, event: asyncio.Event) -> None:
        watchers = self._watchers[row_id]
        watchers.discard(event)
        if not watchers:
            del self._watchers[row_id]

    def tell(self, row_id: str) -> None:
        for event in self._watchers.get(row_id, ()):
            event.set()

    @property
    def watched(self) -> int:
        """How many watch."""
        return sum(len(watchers) for watchers in self._watchers.values())
