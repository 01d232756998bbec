"""How long it takes from the receipt of a message to the broker's acknowledgement of its record."""

from collections import deque
from collections.abc import Callable


class Lag:
    """Tells `observe_ms` of each batch, by how many records the producer still holds.

    It sends in the order in which it was given them, nearly: a batch counts as acknowledged when as many records are
    as had been handed over with it. A report of each record would cost more than the record.
    """

    def __init__(self, observe_ms: Callable[[float], object], wall_us: Callable[[], int]) -> None:
        self._observe_ms = observe_ms
        self._wall_us = wall_us
        self._handed = 0
        self._batches: deque[tuple[int, int]] = deque()

    def handed(self, records: int, received_us: int | None = None) -> None:
        """Records were given to the producer. `received_us`: when the first message of live ones came."""
        self._handed += records
        if records and received_us is not None:
            self._batches.append((self._handed, received_us))

    def held(self, records: int) -> None:
        """So many of all are not acknowledged."""
        acknowledged = self._handed - records
        while self._batches and self._batches[0][0] <= acknowledged:
            _, received_us = self._batches.popleft()
            self._observe_ms(max(self._wall_us() - received_us, 0) / 1000)
