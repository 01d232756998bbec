"""The time between sessions, which a replay passes over: nights, weekends, holidays."""

from collections.abc import Sequence
from datetime import date, timedelta
from functools import lru_cache
from typing import Final

from stoculus.calendar import LATE_ROOTS, is_trading_day, new_york_day, option_session_hours, to_utc_us
from stoculus.reading.feed import FOREVER_US, Feed
from stoculus.replay.times import moment

QUIET_US: Final = 30 * 60 * 1_000_000
"""What is shorter is played, also where the market is closed: early and late trades keep their distances."""
_LONGEST_CLOSURE_DAYS: Final = 10
_NO_LATE_ROOT: Final = ""


class Hours:
    """The regular sessions of what is played: to 16:15 where options are that trade so late, else to 16:00."""

    def __init__(self, feeds: Sequence[Feed]) -> None:
        late = [feed.symbol for feed in feeds if feed.schema.asset == "option" and feed.symbol in LATE_ROOTS]
        self._root = late[0] if late else _NO_LATE_ROOT

    def jump(self, position_us: int, next_us: int) -> int | None:
        """Where to go on at once, if nothing comes before `next_us`: at the open, or at what comes before it.

        None where the market is open, or where that is less than QUIET_US away.
        """
        if next_us - position_us <= QUIET_US:
            return None
        opens_us = self._opens_us(position_us)
        target_us = min(next_us, opens_us)
        return target_us if target_us - position_us > QUIET_US else None

    def _opens_us(self, us: int) -> int:
        """When the session begins that is on, or the next one."""
        day = new_york_day(moment(us))
        for number in range(_LONGEST_CLOSURE_DAYS):
            session = _session_us(self._root, day + timedelta(days=number))
            if session and us <= session[1]:
                return session[0]
        return FOREVER_US


@lru_cache(maxsize=64)
def _session_us(root: str, day: date) -> tuple[int, int] | None:
    """Open and close of a day, None where it has no session."""
    if not is_trading_day(day):
        return None
    first, last = option_session_hours(root, day, "regular")
    return to_utc_us(day, first), to_utc_us(day, last)
