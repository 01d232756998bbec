"""What is due when: rows of several topics on one clock, which can be paused, moved, and made faster."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Generic, Protocol, TypeVar

from stoculus.reading.feed import Int64s
from stoculus.replay.clock import MAX, Clock

TICK_S: Final = 0.002
"""How exact the spacing is: what is due within it goes out together."""
_IDLE_S: Final = 0.05
MOST_ROWS: Final = 16_384
"""Of a turn; more only where they have the same time."""


class Timed(Protocol):
    """Rows with the times at which they are due, ascending, in microseconds since the epoch."""

    @property
    def available_us(self) -> Int64s: ...


_Rows = TypeVar("_Rows", bound=Timed)
_Given = TypeVar("_Given", bound=Timed, covariant=True)


class Source(Protocol[_Given]):
    """Rows in the order of their times."""

    def poll(self) -> _Given | None:
        """At least one row; None where nothing is there at the moment."""
        ...

    @property
    def is_done(self) -> bool:
        """Whether nothing comes any more, but for after a seek."""
        ...

    def seek(self, us: int | None) -> None:
        """Go on with the first row that is due at a time or later; None: with the very first."""
        ...


@dataclass(frozen=True, slots=True)
class Turn(Generic[_Rows]):
    """Rows `first` to `end` (excluded) are due now; look again after so many seconds."""

    rows: _Rows | None
    first: int
    end: int
    wait_s: float


class Player(Generic[_Rows]):
    """Hands out each row once, when the clock reaches its time. `now_s` is monotonic everywhere.

    The clock starts at the first row. While the next row is not known, the clock stands. `jump` says where the clock is
    moved to from a position, when the next row's time is this (None: it runs on).
    """

    def __init__(self, source: Source[_Rows], speed: float, jump: Callable[[int, int], int | None]) -> None:
        self.clock = Clock(speed)
        self.skips: list[tuple[int, int]] = []
        """From where to where the clock was moved by `jump`."""
        self.sent = 0
        self.first_us: int | None = None
        self.last_us: int | None = None
        """The times of the first and of the newest row that was handed out."""
        self._source = source
        self._jump = jump
        self._rows: _Rows | None = None
        self._next = 0
        self._has_time = False

    @property
    def is_done(self) -> bool:
        return self._source.is_done and self.next_us is None

    @property
    def next_us(self) -> int | None:
        """The time of the next row, None where it is not known."""
        if self._rows is None or self._next == len(self._rows.available_us):
            return None
        return int(self._rows.available_us[self._next])

    def position_us(self, now_s: float) -> int | None:
        """The market time, None before the first row."""
        return self.clock.position_us(now_s) if self._has_time else None

    def lag_s(self, now_s: float) -> float:
        """For how many seconds the next row has been due."""
        next_us = self.next_us
        if next_us is None or self.clock.speed == MAX:
            return 0.0
        return max(self.clock.position_us(now_s) - next_us, 0) / 1e6 / self.clock.speed

    def seek(self, us: int, now_s: float) -> None:
        """Go on at a market time, back or forth: rows may be handed out again, or never."""
        self.clock.hold(now_s)
        self.clock.move_to(us, now_s)
        self._source.seek(us)
        self._rows, self._next, self._has_time = None, 0, True

    def read_again(self, us: int | None, lost: int, now_s: float) -> None:
        """The last rows were lost: take rows anew from a time on (None: from the beginning). The clock stays."""
        self.clock.hold(now_s)
        self._source.seek(us)
        self._rows, self._next = None, 0
        self.sent -= lost

    def turn(self, now_s: float) -> Turn[_Rows]:
        """What is due now."""
        next_us = self._known_next_us()
        rows, first = self._rows, self._next
        if rows is None or next_us is None:
            self.clock.hold(now_s)
            return Turn(None, 0, 0, TICK_S)
        if not self._has_time:
            self.clock.move_to(next_us, now_s)
            self._has_time = True
        self.clock.release(now_s)
        if self.clock.is_paused:
            return Turn(None, 0, 0, _IDLE_S)
        due_us = self._due_us(next_us, rows, now_s)
        end = int(rows.available_us.searchsorted(due_us, "right"))
        if end > first:
            self._hand_out(rows, end, now_s)
        return Turn(rows, first, max(end, first), self._wait_s(due_us))

    def _known_next_us(self) -> int | None:
        if self.next_us is None and (more := self._source.poll()) is not None:
            self._rows, self._next = more, 0
        return self.next_us

    def _due_us(self, next_us: int, rows: _Rows, now_s: float) -> int:
        """Move the clock; the time up to which rows are handed out now."""
        last_of_turn = int(rows.available_us[min(self._next + MOST_ROWS, len(rows.available_us)) - 1])
        if self.clock.speed == MAX:
            return last_of_turn
        position_us = self.clock.position_us(now_s)
        target_us = self._jump(position_us, next_us)
        if target_us is not None:
            self.clock.move_to(target_us, now_s)
            self.skips.append((position_us, target_us))
            position_us = target_us
        return min(position_us, last_of_turn)

    def _hand_out(self, rows: _Rows, end: int, now_s: float) -> None:
        self.sent += end - self._next
        self.last_us = int(rows.available_us[end - 1])
        if self.first_us is None:
            self.first_us = int(rows.available_us[self._next])
        if self.clock.speed == MAX:
            self.clock.move_to(self.last_us, now_s)
        self._next = end

    def _wait_s(self, due_us: int) -> float:
        next_us = self.next_us
        if self.clock.speed == MAX or next_us is None:
            return 0.0
        return min(max((next_us - due_us) / 1e6 / self.clock.speed, TICK_S), _IDLE_S)
