"""The clock of a replay: market time as a function of a monotonic one."""

import math
from typing import Final

MAX: Final = math.inf
"""As fast as possible: the clock does not run, whoever plays moves it."""
_US: Final = 1_000_000


class Clock:
    """Market time in microseconds since the epoch, `speed` market seconds a second. `now_s` is monotonic everywhere.

    It stands while it is paused, which is the user's wish, or held, which is for what the replay waits for. It is held
    at first.
    """

    def __init__(self, speed: float) -> None:
        self.is_paused = False
        self.is_held = True
        self._speed = speed
        self._position_us = 0
        self._since_s = 0.0

    @property
    def speed(self) -> float:
        return self._speed

    def position_us(self, now_s: float) -> int:
        if self.is_paused or self.is_held or self._speed == MAX:
            return self._position_us
        return self._position_us + round((now_s - self._since_s) * self._speed * _US)

    def move_to(self, position_us: int, now_s: float) -> None:
        """Go on from another market time."""
        self._position_us, self._since_s = position_us, now_s

    def set_speed(self, speed: float, now_s: float) -> None:
        self._settle(now_s)
        self._speed = speed

    def pause(self, now_s: float) -> None:
        self._settle(now_s)
        self.is_paused = True

    def resume(self, now_s: float) -> None:
        self._settle(now_s)
        self.is_paused = False

    def hold(self, now_s: float) -> None:
        self._settle(now_s)
        self.is_held = True

    def release(self, now_s: float) -> None:
        if self.is_held:
            self._settle(now_s)
            self.is_held = False

    def _settle(self, now_s: float) -> None:
        self.move_to(self.position_us(now_s), now_s)
