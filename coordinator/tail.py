"""A control topic, followed."""

import asyncio
import logging
import threading
from collections.abc import Callable
from typing import Final

from stoculus.connections import Kafka
from stoculus.errors import StoculusError
from stoculus.kafka import admin
from stoculus.kafka.compacted import CompactedLog

POLL_S: Final = 0.05
END_WAIT_MS: Final = 500
RETRY_S: Final = 0.3
log = logging.getLogger(__name__)

Record = tuple[str, bytes | None]
"""Key and value; None: deleted."""


class Tail:
    """Follows a control topic in a thread: `take` gets each batch of records on the event loop.

    `trouble` says why it cannot, or that it has not reached the end yet; None: all is known.
    """

    def __init__(self, kafka: Kafka, topic: str, take: Callable[[list[Record]], None]) -> None:
        self._kafka = kafka
        self._topic = topic
        self._take = take
        self._stop = threading.Event()
        self._caught_up = False
        self._error: str | None = None

    @property
    def trouble(self) -> str | None:
        return self._error or (None if self._caught_up else f"{self._topic} is still being read.")

    @property
    def caught_up(self) -> bool:
        """Whether everything that stood on the topic at the start is known."""
        return self._caught_up

    def start(self, loop: asyncio.AbstractEventLoop) -> threading.Thread:
        thread = threading.Thread(target=self._follow, args=(loop,), name=f"tail-{self._topic}", daemon=True)
        thread.start()
        return thread

    def stop(self) -> None:
        self._stop.set()

    def _follow(self, loop: asyncio.AbstractEventLoop) -> None:
        while not self._stop.is_set():
            try:
                admin.create_control_topics(admin.connect(self._kafka))
                self._read(loop)
            except StoculusError as error:
                if self._error != str(error):
                    log.warning("Following %s: %s", self._topic, error)
                self._error = str(error)
                self._stop.wait(RETRY_S)

    def _read(self, loop: asyncio.AbstractEventLoop) -> None:
        reader = CompactedLog(
            self._kafka, self._topic, list(range(admin.CONTROL_TOPICS[self._topic][0])), end_wait_ms=END_WAIT_MS
        )
        try:
            self._error = None
            # At once, and as one: read again after a failure, old values must not show up between the newest.
            self._hand_over(loop, list(reader.read_to_end()))
            self._caught_up = True
            loop.call_soon_threadsafe(self._take, [])
            while not self._stop.is_set():
                self._hand_over(loop, list(reader.poll(POLL_S)))
        finally:
            reader.close()

    def _hand_over(self, loop: asyncio.AbstractEventLoop, records: list[Record]) -> None:
        if records and not self._stop.is_set():
            loop.call_soon_threadsafe(self._take, records)
