"""A gap of a live topic: from where it is complete to where the stream tells everything again."""

import threading
from concurrent.futures import Future
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Final

from services.live_stream.healing.finding import Found
from stoculus.streams import Origin

MOST_LAGS: Final = 6
"""How often history may lack what the stream has told before that counts as its last word."""
_MOST_DOUBLINGS: Final = 6
_FIRST_WAIT_US: Final = 2_000_000
_LONGEST_WAIT_US: Final = 60_000_000


class Stage(Enum):
    """CONFIRMING: the vendor has not confirmed all subscriptions. SETTLING: what the stream has told of the gap's end
    may still be on its way. FETCHING: history is asked. WRITING: what it had is handed over."""

    CONFIRMING = auto()
    SETTLING = auto()
    FETCHING = auto()
    WRITING = auto()


@dataclass(slots=True)
class Gap:
    """Times are market time, microseconds UTC, but for `heard_us` and `not_before_us`, which are the wall clock's.

    `holds`: live rows wait until the gap is closed. Those of a warm-up before its last part come from history instead.
    """

    from_us: int
    reason: str
    origin: Origin
    holds: bool
    stage: Stage = Stage.CONFIRMING
    heard_us: int = 0
    confirmed_us: int = 0
    until_us: int | None = None
    slice_end_us: int = 0
    sealed_us: int | None = None
    """Live rows before it wait: it is being found out whether history has them."""
    not_before_us: int = 0
    tries: int = 0
    lags: int = 0
    """How often history lacked what the stream had told."""
    records: int = 0
    first_offset: int | None = None
    begun_us: int | None = None
    """Where it began, once that was told."""
    sealed_end: int | None = None
    """What the topic held when live rows began to wait; history is compared with it."""
    work: Future[Found] | None = field(default=None, repr=False)
    aborted: threading.Event = field(default_factory=threading.Event, repr=False)
    """Set: the work is void."""

    @property
    def keeps(self) -> bool:
        """Whether live rows are kept: to be written after the gap, or to tell by them whether history lags."""
        is_measure = self.origin == "warmup" and self.stage is Stage.SETTLING and self.until_us is None
        return self.holds or is_measure

    def confirmed(self, now_us: int, heard_us: int) -> None:
        """All subscriptions are confirmed: from `now_us` on the stream has told everything."""
        self.stage, self.confirmed_us, self.heard_us, self.until_us = Stage.SETTLING, now_us, heard_us, None
        self.lags = 0

    def unconfirmed(self) -> None:
        """The stream was lost again: its end moves on. What is being written is written."""
        if self.stage is not Stage.WRITING:
            self.stage, self.sealed_us, self.sealed_end = Stage.CONFIRMING, None, None
            self.abort()
        self.until_us = None

    def abort(self) -> None:
        """Have the work end, if there is any."""
        self.aborted.set()
        self.aborted, self.work = threading.Event(), None

    def wait(self, wall_us: int) -> None:
        """Ask history again later."""
        self.stage, self.sealed_us, self.sealed_end, self.work = Stage.SETTLING, None, None, None
        self.not_before_us = wall_us + min(_LONGEST_WAIT_US, _FIRST_WAIT_US << self.tries)
        self.tries = min(self.tries + 1, _MOST_DOUBLINGS)
