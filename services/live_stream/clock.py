"""The tape's clock: the market time up to which the stream has told everything."""

from collections import deque
from datetime import timedelta
from typing import Final

from services.live_stream.bars.grid import day_at, midnight_us

NEAR_WALL_US: Final = 60_000_000
_WINDOW_US: Final = 1_000_000
_WINDOWS: Final = 5
_SAMPLE_US: Final = 20_000
_QUIET_US: Final = 30_000_000
_DAY: Final = timedelta(days=1)
_DAY_US: Final = 86_400_000_000


class TapeClock:
    """The largest event time of the connection, plus the time since, at the tape's own speed. Microseconds, UTC.

    Within a minute of the wall clock it is the wall clock. It only moves with what is received: a connection that
    stands still is no market that stands still. Where no event comes for a while after the start, at night, it is the
    wall clock, unless `is_played`: then nobody knows.
    """

    def __init__(self, *, is_played: bool = False) -> None:
        self._is_played = is_played
        self._first_heard_us = 0
        self.first_us: int | None = None
        """The first event time of the connection."""
        self._event_us = 0
        self._first_received_us = 0
        self._received_us = 0
        self._heard_us = 0
        self._data_us = 0
        self.expects_data = False
        """Whether a tape without events would be a fault: then silence settles nothing."""
        self._is_new = True
        self._window = (0, 0)
        self._speeds: deque[float] = deque(maxlen=_WINDOWS)
        self._said: deque[tuple[int, int]] = deque()

    def connected(self) -> None:
        """A connection is open. Its first event sets the clock: another terminal may play another day."""
        self._is_new = True

    def saw(self, event_us: int, received_us: int, first_us: int | None = None) -> None:
        """An event, the latest of some that were received together; `first_us` is the earliest of them.

        One of the future is not believed.
        """
        if event_us > received_us + NEAR_WALL_US:
            return
        self._data_us = max(self._data_us, received_us)
        if self._is_new:
            self._is_new = False
            self.first_us = event_us
            self._event_us = event_us
            self._received_us = received_us
            self._window = event_us, received_us
            self._speeds.clear()
            self._said.clear()
            self._first_received_us = received_us
        elif event_us > self._event_us:
            self._event_us, self._received_us = event_us, received_us
        if received_us == self._first_received_us and first_us is not None:
            self.first_us = min(self.first_us or first_us, first_us)
        self._heard_us = max(self._heard_us, received_us)
        passed_us = received_us - self._window[1]
        if passed_us >= _WINDOW_US:
            self._speeds.append((self._event_us - self._window[0]) / passed_us)
            self._window = self._event_us, received_us

    def heard(self, received_us: int) -> None:
        """Everything received until then has been told to the clock."""
        self._heard_us = max(self._heard_us, received_us)
        self._first_heard_us = self._first_heard_us or received_us
        if self.first_us is None and not self._is_played and received_us >= self._first_heard_us + _QUIET_US:
            self.first_us = self._event_us = self._received_us = received_us
        if self._is_late and received_us >= self._received_us + _QUIET_US:
            # It was a late event, and then it was night: else sessions that have ended would never open again.
            self._event_us = self._received_us = received_us
        now_us = self.now_us
        if now_us is not None and (not self._said or received_us >= self._said[-1][0] + _SAMPLE_US):
            self._said.append((received_us, now_us))

    def settled_us(self, grace_us: int) -> int | None:
        """What the clock said `grace_us` of the wall clock ago: events up to there have had that time to come.

        None where it was not so far. Do not ask for a longer grace than before.
        """
        heard_us = self._data_us if self.expects_data else self._heard_us
        while len(self._said) > 1 and self._said[1][0] <= heard_us - grace_us:
            self._said.popleft()
        is_settled = self._said and self._said[0][0] <= heard_us - grace_us
        return self._said[0][1] if is_settled else None

    @property
    def heard_us(self) -> int:
        """When something was last received, wall clock."""
        return self._heard_us

    @property
    def now_us(self) -> int | None:
        """Events up to about here have come; None before the first event."""
        if self.first_us is None:
            return None
        if self.is_wall:
            return max(self._heard_us, self._event_us)
        slowest = min(self._speeds, default=1.0)
        passed_us = int(slowest * max(self._heard_us - self._received_us, 0))
        # A played day ends with its day, however fast it was.
        return min(self._event_us + passed_us, midnight_us(day_at(self._event_us) + _DAY) - 1)

    @property
    def is_wall(self) -> bool:
        """Whether the tape is today's."""
        return abs(self._event_us - self._received_us) <= NEAR_WALL_US

    @property
    def _is_late(self) -> bool:
        is_known = self.first_us is not None and not self._is_played
        return is_known and not self.is_wall and 0 < self._received_us - self._event_us < _DAY_US

    def tape_us(self, wall_us: int) -> int:
        """How much market time may pass in a time of the wall clock."""
        fastest = 1.0 if self.is_wall else max(self._speeds, default=1.0)
        return int(wall_us * max(fastest, 1.0))
