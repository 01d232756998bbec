"""A loop that never gives up: a round now and then, and at once when somebody wakes it."""

import asyncio
import logging
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable
from typing import Final

from prometheus_client import Counter

from stoculus.errors import StoculusError

PERIOD_S: Final = 0.5
RESTLESS_S: Final = 0.1
"""The period while something stops: whoever paused or deleted waits for it."""
log = logging.getLogger(__name__)


class Rounds(ABC):
    """An error of the tree is counted, logged when it is news, and left to the next round."""

    def __init__(self, errors: Counter) -> None:
        self._errors = errors
        self._awake = asyncio.Event()
        self._last_error = ""

    def wake(self) -> None:
        """Do a round now."""
        self._awake.set()

    async def run(self) -> None:
        """Work until cancelled."""
        while True:
            self._awake.clear()
            await self._round()
            await asyncio.sleep(RESTLESS_S / 2)
            try:
                async with asyncio.timeout(RESTLESS_S if self._is_restless() else PERIOD_S):
                    await self._awake.wait()
            except TimeoutError:
                continue

    @abstractmethod
    async def _round(self) -> None:
        """What is to be done; doing it twice is harmless."""

    def _is_restless(self) -> bool:
        return False

    async def _guarded(self, step: Callable[[], Awaitable[None]]) -> None:
        try:
            await step()
        except StoculusError as error:
            self._note(error)

    def _note(self, error: StoculusError) -> None:
        self._errors.labels(error.code).inc()
        if str(error) != self._last_error:
            log.warning("%s", error)
        self._last_error = str(error)
