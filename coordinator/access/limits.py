"""How much a caller may ask."""

import math
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable
from typing import Final

from fastapi import Request

from coordinator.access.scopes import caller_of
from stoculus.errors import TooManyRequests

MOST_CALLERS: Final = 10_000
"""Callers that are remembered. One who is forgotten has a full bucket, as after a rest."""
_SEAT_AGAIN_S: Final = 5


class RateLimit:
    """A token bucket for each caller: `burst` requests at once, `per_s` a second in the long run."""

    def __init__(self, per_s: float, burst: int, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._per_s = per_s
        self._burst = burst
        self._monotonic = monotonic
        # What each caller has taken out of its bucket, and when that was so; who asked last stands last.
        self._taken: dict[str, tuple[float, float]] = {}

    def take(self, caller: str) -> None:
        """Count a request; raise TooManyRequests, which says when there is room again."""
        now = self._monotonic()
        before, at = self._taken.pop(caller, (0.0, now))
        taken = max(0.0, before - (now - at) * self._per_s) + 1
        wait_s = (taken - self._burst) / self._per_s
        # A refused request takes nothing: who asks too fast is served at the rate all the same.
        self._taken[caller] = (taken if wait_s <= 0 else taken - 1, now)
        if len(self._taken) > MOST_CALLERS:
            del self._taken[next(iter(self._taken))]
        if wait_s > 0:
            raise TooManyRequests(
                f"{caller} asks more than {self._per_s:g} times a second.",
                remedy="Wait as long as Retry-After says; follow …/events instead of polling.",
                retry_after_s=math.ceil(wait_s),
            )


class Seats:
    """How many event streams each caller follows at once."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._taken: Counter[str] = Counter()

    async def hold(self, request: Request) -> AsyncIterator[None]:
        """A dependency of a route: a seat until the answer has ended; raise TooManyRequests where none is free."""
        caller = caller_of(request).name
        if self._taken[caller] >= self._most:
            raise TooManyRequests(
                f"{caller} follows {self._most} event streams already.",
                remedy="Close one of them. STOCULUS_EVENT_STREAMS of the coordinator says how many there may be.",
                retry_after_s=_SEAT_AGAIN_S,
            )
        self._taken[caller] += 1
        try:
            yield
        finally:
            self._taken[caller] -= 1
            if not self._taken[caller]:
                del self._taken[caller]
