"""How long a busy tape may be silent before its connection counts as dead."""

from typing import Final

_SHORTEST_S: Final = 2.5
_EVENTS: Final = 100
"""A tape whose mean distance of messages is d is silent for 100 d about never."""
_WINDOW_S: Final = 5.0
_WEIGHT: Final = 0.5


class Silence:
    """Judges by the rate of the last half minute or so; a quiet tape may be quiet."""

    def __init__(self, longest_s: float, now_s: float) -> None:
        self._longest_s = longest_s
        self._since_s = now_s
        self._count = 0
        self._rate = 0.0

    def saw(self, messages: int, now_s: float) -> None:
        """Count messages, 0 too."""
        self._count += messages
        passed_s = now_s - self._since_s
        if passed_s >= _WINDOW_S:
            self._rate += _WEIGHT * (self._count / passed_s - self._rate)
            self._since_s, self._count = now_s, 0

    @property
    def within_s(self) -> float | None:
        """Data is to be expected within so long; None: not at all."""
        expected_s = _EVENTS / self._rate if self._rate > 0 else self._longest_s + 1
        return max(_SHORTEST_S, expected_s) if expected_s <= self._longest_s else None
