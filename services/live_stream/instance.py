"""One instance of the service: waits for the lease, works while it holds it, and begins anew after any failure."""

import logging
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from datetime import date
from functools import partial
from typing import Final

from services.kit.environment import Headers
from services.kit.terminal import user_agent
from services.live_stream.broker.acks import describe
from services.live_stream.broker.lag import Lag
from services.live_stream.broker.lease import Lease
from services.live_stream.broker.marks import Marks, read_marks
from services.live_stream.broker.outlet import Outlet
from services.live_stream.channels.tools import Tools
from services.live_stream.clock import TapeClock
from services.live_stream.counts import Counts
from services.live_stream.healing.finding import TickHistory
from services.live_stream.status import status_of
from services.live_stream.tape import Tape
from services.live_stream.wanted import Enumerate, Streams
from stoculus.errors import StoculusError
from stoculus.kafka import admin
from stoculus.settings import LiveSettings
from stoculus.streams import StreamEvent, StreamSpec, StreamStatus
from stoculus.topics import STREAM_EVENTS
from theta_client.client import Cancelled
from theta_client.stream.session import StreamSession
from theta_client.stream.subscription import Subscription

log = logging.getLogger(__name__)
PROGRAM: Final = "live-stream"
_FIRST_WAIT_S: Final = 0.2
_LONGEST_WAIT_S: Final = 5.0
_HEALING_THREADS: Final = 4
_FLUSH_S: Final = 1.5


class Instance:
    """Runs in a thread of its own; `status` and `trouble` may be asked from others."""

    def __init__(
        self,
        settings: LiveSettings,
        streams: Streams,
        history: TickHistory,
        enumerate_feed: Enumerate,
        headers: Headers,
        counts: Counts,
        wall_us: Callable[[], int],
    ) -> None:
        self._settings = settings
        self._streams = streams
        self._history = history
        self._enumerate = enumerate_feed
        self._headers = headers
        self._counts = counts
        self._wall_us = wall_us
        self._admin = admin.connect(settings.kafka)
        self._stop = threading.Event()
        self._tape: Tape | None = None
        self._thread = threading.Thread(target=self._run, name="tape")
        self.trouble: str | None = "It has not begun."

    def start(self) -> None:
        self._thread.start()

    def close(self) -> None:
        """Write what is there, and leave."""
        self._stop.set()
        self._thread.join()

    def statuses(self) -> list[StreamStatus]:
        """Every stream that this instance has been given."""
        return [self.status(spec, is_stopping=False) for spec in self._streams.running()] + [
            self.status(spec, is_stopping=True) for spec in self._streams.stopping()
        ]

    def status(self, spec: StreamSpec, *, is_stopping: bool) -> StreamStatus:
        """One stream."""
        return status_of(spec, self._tape, self.trouble, is_stopping=is_stopping)

    def subscriptions(self, *, but: str) -> set[Subscription]:
        """What the streams but one have subscribed, or are about to."""
        tape = self._tape
        topics = {feed.topic for spec in self._streams.running() if spec.stream_id != but for feed in spec.feeds}
        wants = tape.wish.wants if tape else {}
        return {one for topic in topics & wants.keys() for one in wants[topic].subscriptions.values()}

    @property
    def day(self) -> date | None:
        """The tape's New York day; None: today."""
        tape = self._tape
        return tape.day if tape else self._settings.live_date

    @property
    def is_down(self) -> bool:
        """The terminal has lost the vendor's stream, or has not logged in to it yet."""
        tape = self._tape
        return tape is not None and tape.is_down

    def _run(self) -> None:
        failures = 0
        while not self._stop.is_set():
            begun_s = time.monotonic()
            try:
                self._live()
            except (StoculusError, Cancelled) as error:
                self.trouble = str(error)
                if isinstance(error, StoculusError):
                    self._counts.errors.note(error)
                log.warning("The tape begins anew: %s", error)
            except Exception as error:
                self.trouble = f"A defect of Stoculus: {error!r}."
                log.exception("The tape met a defect and begins anew")
            failures = failures + 1 if time.monotonic() - begun_s < _LONGEST_WAIT_S else 0
            self._stop.wait(min(_LONGEST_WAIT_S, _FIRST_WAIT_S * 2**failures))

    def _live(self) -> None:
        """From the lease to its end."""
        kafka = self._settings.kafka
        admin.create_control_topics(self._admin)
        with Lease(kafka) as lease:
            self.trouble = "Another instance holds the lease."
            if not lease.acquire(self._stop):
                return
            self.trouble = None
            self._counts.lease.set(1)
            try:
                with ExitStack() as stack:
                    self._work(lease, stack)
            finally:
                self._tape = None
                self._counts.lease.set(0)

    def _work(self, lease: Lease, stack: ExitStack) -> None:
        settings = self._settings
        outlet = Outlet(settings.kafka, Lag(self._counts.lag.observe, self._wall_us))
        stack.callback(outlet.close)
        marks = Marks(self._admin, outlet, self._counts.errors.note)
        stack.callback(marks.close)
        threads = ThreadPoolExecutor(_HEALING_THREADS, thread_name_prefix="heal")
        stack.callback(threads.shutdown, wait=False, cancel_futures=True)
        # Of its own: a stream is stopped also while all that heal wait for the vendor.
        wishes = ThreadPoolExecutor(1, thread_name_prefix="wish")
        stack.callback(wishes.shutdown, wait=False, cancel_futures=True)
        session = StreamSession(
            settings.theta_stream_url,
            user_agent=user_agent(PROGRAM),
            buffer_frames=settings.live_buffer_messages,
        )
        tools = Tools(
            outlet=outlet,
            clock=TapeClock(is_played=settings.live_date is not None),
            header_of=self._headers.of,
            wall_us=self._wall_us,
            grace_us=settings.live_grace_ms * 1000,
            history=self._history,
            kafka=settings.kafka,
            threads=threads,
            tell=partial(self._tell, outlet),
        )
        self._tape = tape = Tape(
            session,
            self._streams,
            tools,
            marks,
            read_marks(settings.kafka),
            partial(describe, self._admin),
            self._enumerate,
            wishes,
            self._counts,
            first_day=settings.live_date,
            silence_s=settings.live_silence_s,
        )
        stack.callback(tape.abort)
        with session:
            while lease.held and not self._stop.is_set():
                tape.turn()
                lease.poll()
        if lease.held:
            tape.finish(_FLUSH_S)

    def _tell(self, outlet: Outlet, event: StreamEvent) -> None:
        told = event.model_dump_json(exclude_none=True, exclude={"topic"})
        log.info("%s %s", event.topic, told, extra={"topic": event.topic})
        self._counts.tell(event)
        outlet.put_event(STREAM_EVENTS, event.topic, event.model_dump_json(exclude_none=True).encode())
