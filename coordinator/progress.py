"""How far work has come: the checkpoint topic and the services' lists, kept in memory and never assumed."""

import asyncio
import logging
import threading
from collections import ChainMap
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

from pydantic import ValidationError

from stoculus.checkpoints import Checkpoint
from stoculus.errors import StoculusError
from stoculus.kafka import admin
from stoculus.kafka.compacted import CompactedLog
from stoculus.records.catalog import RECORDS, Asset
from stoculus.tasks import TaskStatus

POLL_S: Final = 0.05
END_WAIT_MS: Final = 500
RETRY_S: Final = 0.3
log = logging.getLogger(__name__)

Record = tuple[str, bytes | None]


@dataclass(slots=True)
class ServiceView:
    """What a service said last: the tasks that it has; `trouble` says why it does not answer."""

    held: dict[str, TaskStatus] = field(default_factory=dict)
    trouble: str | None = "A service has not been asked yet."


@dataclass(slots=True)
class Progress:
    """What is known now. Touched by the event loop alone.

    `starting` is on its way to a service, and `refused` is what a service would not take, and why.
    """

    checkpoints: dict[str, Checkpoint] = field(default_factory=dict)
    services: dict[Asset, ServiceView] = field(default_factory=lambda: {asset: ServiceView() for asset in RECORDS})
    starting: set[str] = field(default_factory=set)
    refused: dict[str, str] = field(default_factory=dict)

    @property
    def held(self) -> Mapping[str, TaskStatus]:
        """The tasks that any service has."""
        return ChainMap(*(view.held for view in self.services.values()))

    @property
    def service_troubles(self) -> list[str]:
        """A sentence for each service that does not answer."""
        return [view.trouble for view in self.services.values() if view.trouble]

    def apply(self, records: list[Record]) -> set[str]:
        """Take records of the checkpoint topic in; return the ids of the backtests that they touch."""
        touched = set()
        for task_id, value in records:
            old = self.checkpoints.pop(task_id, None)
            try:
                new = Checkpoint.model_validate_json(value) if value else None
            except ValidationError as error:
                log.warning("The checkpoint of %s is not one, it is passed over: %s", task_id, error)
                continue
            if new:
                self.checkpoints[task_id] = new
            if known := new or old:
                touched.add(known.backtest_id)
        return touched


class Changes:
    """Tells those who watch a backtest that something about it has changed."""

    def __init__(self) -> None:
        self._watchers: dict[str, set[asyncio.Event]] = {}

    def watch(self, backtest_id: str) -> asyncio.Event:
        """An event that is set at each change; give it back with `unwatch`."""
        event = asyncio.Event()
        self._watchers.setdefault(backtest_id, set()).add(event)
        return event

    def unwatch(self, backtest_id: str, event: asyncio.Event) -> None:
        watchers = self._watchers[backtest_id]
        watchers.discard(event)
        if not watchers:
            del self._watchers[backtest_id]

    def tell(self, backtest_id: str) -> None:
        for event in self._watchers.get(backtest_id, ()):
            event.set()

    @property
    def watched(self) -> int:
        """How many watch."""
        return sum(len(watchers) for watchers in self._watchers.values())


class Tail:
    """Follows a control topic in a thread: `take` gets each batch of records on the event loop.

    `trouble` says why it cannot, or that it has not reached the end yet; None: all is known.
    """

    def __init__(self, bootstrap: str, topic: str, take: Callable[[list[Record]], None]) -> None:
        self._bootstrap = bootstrap
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
                admin.create_control_topics(admin.connect(self._bootstrap))
                self._read(loop)
            except StoculusError as error:
                if self._error != str(error):
                    log.warning("Following %s: %s", self._topic, error)
                self._error = str(error)
                self._stop.wait(RETRY_S)

    def _read(self, loop: asyncio.AbstractEventLoop) -> None:
        reader = CompactedLog(
            self._bootstrap, self._topic, list(range(admin.CONTROL_TOPICS[self._topic][0])), end_wait_ms=END_WAIT_MS
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
