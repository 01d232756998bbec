"""What was asked: a log of the requests, so that tests can see it."""

from collections import Counter, deque
from typing import Any

from simulator.parameters import Query

_KEPT = 10_000


class RequestLog:
    """Counts all requests since the start (or the last clearing), keeps the newest ten thousand."""

    def __init__(self) -> None:
        self._kept: deque[dict[str, Any]] = deque(maxlen=_KEPT)
        self._by_path: Counter[str] = Counter()

    def add(self, path: str, query: Query) -> dict[str, Any]:
        """Log a request; its `status` is filled in when it is answered."""
        entry: dict[str, Any] = {"path": path, "query": dict(query), "status": None}
        self._kept.append(entry)
        self._by_path[path] += 1
        return entry

    def clear(self) -> None:
        self._kept.clear()
        self._by_path.clear()

    def shown(self, path: str | None, symbol: str | None) -> dict[str, Any]:
        """Counts, and the kept requests that fit."""
        fitting = [
            entry
            for entry in self._kept
            if path in (None, entry["path"]) and symbol in (None, entry["query"].get("symbol"))
        ]
        return {"total": self._by_path.total(), "by_path": self._by_path, "requests": fitting}
