"""Where what is due goes to."""

from collections.abc import Mapping
from enum import Enum
from typing import Any, Protocol

from stoculus.replay.player import Timed
from stoculus.replay.rows import Mark, Rows


class Takes(Enum):
    """Whether an outlet takes rows now."""

    ROWS = "rows"
    LATER = "later"
    """It is busy with what it has: the clock runs on, and the replay lags."""
    NOTHING = "nothing"
    """It waits for somebody else, and the clock with it."""
    AGAIN = "again"
    """`missing` records were lost on their way: it wants all again that is behind its `marks`."""


class Outlet(Protocol):
    """Takes rows in turns. All but `prepare` is called by one thread."""

    @property
    def names(self) -> list[str]:
        """Where the records of each topic of the merge go."""
        ...

    @property
    def waits_for(self) -> str:
        """Whom it waits for where it takes nothing."""
        ...

    @property
    def marks(self) -> Mapping[int, Mark]:
        """What was there before, by the numbers of the topics."""
        ...

    @property
    def missing(self) -> int:
        """See `Takes.AGAIN`."""
        ...

    @property
    def is_clear(self) -> bool:
        """Whether all that was sent has arrived."""
        ...

    def open(self) -> None:
        """Make ready what it sends to."""
        ...

    def prepare(self, rows: Rows) -> Timed:
        """Rows as `send` takes them; this is called by the thread that reads ahead."""
        ...

    def takes(self, now_s: float) -> Takes:
        """Whether it takes rows; called each few milliseconds. `now_s` is monotonic."""
        ...

    def send(self, rows: Any, first: int, end: int) -> None:
        """Send rows `first` to `end` (excluded) now. Raise what says that they will never arrive."""
        ...

    def start_over(self) -> None:
        """What comes now is of other times; called only when it is clear."""
        ...

    def settle(self) -> None:
        """Nothing comes any more: return when all has arrived, raise where it has not."""
        ...

    def close(self) -> None: ...
