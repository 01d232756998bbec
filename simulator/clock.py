"""A clock that can be moved: it runs on from the instant it is set to."""

import time
from datetime import datetime, timedelta

from stoculus.calendar import NEW_YORK


class Clock:
    """New York time, real until it is set."""

    def __init__(self, instant: datetime | None = None) -> None:
        self._shift = timedelta(0)
        if instant:
            self.set(instant)

    def now(self) -> datetime:
        """The instant, in New York time."""
        return (datetime.fromtimestamp(time.time(), NEW_YORK) + self._shift).astimezone(NEW_YORK)

    def set(self, instant: datetime | None) -> None:
        """Go on from the instant (without a zone: New York's), or from the real time for None."""
        real = datetime.fromtimestamp(time.time(), NEW_YORK)
        if instant is None:
            self._shift = timedelta(0)
        else:
            aware = instant if instant.tzinfo else instant.replace(tzinfo=NEW_YORK)
            self._shift = aware - real
