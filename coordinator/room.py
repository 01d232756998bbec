"""The broker's room in partitions, all topics together."""

import asyncio
from collections.abc import Callable, Collection, Iterable, Mapping

from stoculus.errors import InvalidRequest


class Room:
    """Who needs topics takes `lock`, checks, and stores what it promises before it lets go of the lock."""

    def __init__(self, max_partitions: int) -> None:
        self.lock = asyncio.Lock()
        self.max_partitions = max_partitions
        self._promises: list[Callable[[], Iterable[str]]] = []

    def count(self, promised: Callable[[], Iterable[str]]) -> None:
        """Count these topics too, existing or not, from now on."""
        self._promises.append(promised)

    def check(self, wanted: Collection[str], existing: Mapping[str, int]) -> int:
        """The partitions that exist (by topic) or are promised; raise InvalidRequest where the new ones do not fit."""
        promised = {topic for promise in self._promises for topic in promise()} - existing.keys()
        used = sum(existing.values()) + len(promised)
        new = len(set(wanted) - existing.keys() - promised)
        if used + new > self.max_partitions:
            raise InvalidRequest(
                f"{new} new topics do not fit: {used} of {self.max_partitions} partitions are taken.",
                remedy="Delete backtests, ask for less, or raise STOCULUS_MAX_PARTITIONS if the broker can hold more.",
                field="data",
            )
        return used
