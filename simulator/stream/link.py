"""The terminal's own connection to the vendor's stream server, and its login (stream.md 1.4 to 1.6)."""

import asyncio
from collections.abc import Callable
from typing import Literal

from simulator.faults import Faults
from simulator.stream.switches import Switches

Word = Literal["CONNECTED", "UNVERIFIED", "DISCONNECTED"]


class Link:
    """Cold until the first subscription logs in; `clock_s` is monotonic."""

    def __init__(self, faults: Faults, clock_s: Callable[[], float]) -> None:
        self.switches = Switches()
        self._faults = faults
        self._clock_s = clock_s
        self._up_from_s: float | None = None
        self._down_until_s = 0.0

    @property
    def word(self) -> Word:
        """The connectivity word of each message."""
        now_s = self._clock_s()
        if self._faults.session_taken or now_s < self._down_until_s:
            return "DISCONNECTED"
        if self._up_from_s is None:
            return "CONNECTED" if self.switches.eager_login else "DISCONNECTED"
        return "CONNECTED" if now_s >= self._up_from_s else "UNVERIFIED"

    @property
    def is_up(self) -> bool:
        return self.word == "CONNECTED"

    async def log_in(self) -> bool:
        """Log in where that was not done; return when it is done: whether the link is up."""
        if self._up_from_s is None and not self.switches.eager_login and not self._faults.session_taken:
            self._up_from_s = max(self._clock_s(), self._down_until_s) + self.switches.login_s
        # A loss or another login may come in between.
        while self.word == "UNVERIFIED" and self._up_from_s is not None:  # noqa: ASYNC110
            await asyncio.sleep(max(self._up_from_s - self._clock_s(), 0.001))
        return self.is_up

    def lose(self, seconds: float) -> None:
        """Be down for so long, then log in again."""
        self._down_until_s = self._clock_s() + seconds
        self._up_from_s = self._down_until_s + self.switches.login_s

    def mend(self) -> None:
        """End a loss at once."""
        if self._clock_s() < self._down_until_s:
            self._down_until_s = 0.0
            self._up_from_s = self._clock_s()
