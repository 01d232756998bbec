"""Where a replay is."""

from dataclasses import dataclass
from enum import StrEnum, unique
from typing import Literal

Speed = float | Literal["max"]
"""Market seconds a second, or as fast as possible."""


@unique
class State(StrEnum):
    """Waiting: for what `Status.waits_for` says, and the clock with it. Stopped: before all was sent."""

    WAITING = "waiting"
    PLAYING = "playing"
    PAUSED = "paused"
    FINISHED = "finished"
    STOPPED = "stopped"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Status:
    """Where a replay is. Times are microseconds since the epoch, None before the first record.

    `records`: sent so far; `first_us`, `last_us`: market times of the first and the newest of them; `next_us`: of the
    next one, where it is known; `lag_s`: for how long that has been due; `skips`: times between sessions that were
    passed over, from and to.
    """

    state: State
    waits_for: str
    market_us: int | None
    speed: Speed
    records: int
    lag_s: float
    first_us: int | None
    last_us: int | None
    next_us: int | None
    skips: tuple[tuple[int, int], ...]

    @property
    def has_ended(self) -> bool:
        return self.state in (State.FINISHED, State.STOPPED, State.FAILED)

    @property
    def skipped_us(self) -> int:
        """How much market time was passed over between sessions."""
        return sum(to_us - from_us for from_us, to_us in self.skips)
