"""Plays a day: its clock, what is subscribed, and the windows that are sent as their time comes."""

import asyncio
from collections import Counter, deque
from collections.abc import Callable, Sequence
from datetime import date, time
from functools import partial
from typing import Final, Literal

from anyio import to_thread

from simulator.market import DAY_MS
from simulator.stream.clients import Clients
from simulator.stream.feeds import Day, Feed
from simulator.stream.requests import Security, Subject, What
from simulator.stream.window import Window, next_end, refreshed, window
from stoculus.calendar import OPEN, is_trading_day, session_close

Speed = float | Literal["max"]
QUIET_S: Final = 1.0
"""The day starts when so long no subscription has come."""
_STEP_S: Final = 0.002
_POLL_S: Final = 0.02
ROWS_AT_ONCE: Final = 512
_SUBJECTS_AT_ONCE: Final = 64
_FIRST_SPAN_MS: Final = 1_000


class Player:
    """One day, once. `start_ms` is where it starts, None: at the first tick of what is subscribed by then.

    It starts when something that has ticks is subscribed, and goes on whether or not somebody listens. What is
    subscribed later joins it where it is.
    """

    def __init__(
        self,
        day: Day,
        speed: Speed,
        clients: Clients,
        clock_s: Callable[[], float],
        start_ms: Callable[[], int] | None = None,
    ) -> None:
        self.day = day
        self.position_ms: float | None = None
        self.held: Counter[tuple[Security, What]] = Counter()
        self.burst = (0.0, 1.0)
        self.states = True
        self.is_quiet = False
        """A tape is fed from outside: the day waits."""
        self._speed = speed
        self._clients = clients
        self._clock_s = clock_s
        self._start_ms = start_ms
        self._last_s = 0.0
        self._subjects: dict[Subject, tuple[Feed, ...]] = {}
        self._to_load: deque[tuple[Subject, bool]] = deque()
        self._loading = 0
        self._wake = asyncio.Event()
        self._feeds: list[Feed] = []
        self._version = 0
        self._added_s = 0.0
        self._edges = session_edges(day.date)

    def __contains__(self, subject: Subject) -> bool:
        return subject in self._subjects

    @property
    def subjects(self) -> list[Subject]:
        """What is subscribed, in order."""
        return list(self._subjects)

    @property
    def loading(self) -> int:
        """Subscriptions whose ticks are not there yet."""
        return len(self._to_load) + self._loading

    @property
    def left(self) -> int:
        """Ticks to come of what is subscribed."""
        after = -1 if self.position_ms is None else int(self.position_ms)
        return sum(feed.left(after) for feed in self._feeds)

    def add(self, subject: Subject, *, ohlc: bool) -> None:
        """Subscribe; harmless where that was done."""
        if subject in self._subjects:
            return
        self._subjects[subject] = ()
        self.held[subject.security, subject.what] += subject.instrument is not None
        self._added_s = self._clock_s()
        self._to_load.append((subject, ohlc))
        self._wake.set()

    def remove(self, subject: Subject) -> None:
        """Unsubscribe; harmless where nothing is subscribed."""
        if self._subjects.pop(subject, None) is not None:
            self.held[subject.security, subject.what] -= subject.instrument is not None
            self._changed()

    def clear(self) -> None:
        """Unsubscribe all."""
        self._subjects.clear()
        self.held.clear()
        self._changed()

    def _changed(self) -> None:
        self._feeds = [feed for feeds in self._subjects.values() for feed in feeds]
        self._version += 1

    async def load(self) -> None:
        """Fetch the ticks of what is subscribed, for ever."""
        while True:
            await self._wake.wait()
            self._wake.clear()
            while self._to_load:
                some = [self._to_load.popleft() for _ in range(min(len(self._to_load), _SUBJECTS_AT_ONCE))]
                self._loading = len(some)
                found = await to_thread.run_sync(self._found, some)
                self._subjects |= {subject: feeds for subject, feeds in found.items() if subject in self._subjects}
                self._loading = 0
                self._changed()

    def _found(self, wanted: Sequence[tuple[Subject, bool]]) -> dict[Subject, tuple[Feed, ...]]:
        return {subject: self.day.feeds(subject, ohlc=ohlc) for subject, ohlc in wanted}

    async def play(self) -> None:
        """Play the day, once."""
        # A pause of subscriptions has no event.
        while self._is_unquiet():  # noqa: ASYNC110
            await asyncio.sleep(_POLL_S)
        start = self._first_ms() if self._start_ms is None else self._start_ms()
        self.position_ms, self._last_s = start, self._clock_s()
        if self._edges and self._edges[0] < start <= self._edges[1]:
            self.say("START")
        after, span = start - 1, _FIRST_SPAN_MS
        making = self._make(after, span)
        while after < DAY_MS - 1:
            made, version, span = await making
            making = self._make(made.end_ms, span)
            await self._play(made, version, after)
            after = made.end_ms
            if after in self._edges:
                self.say("START" if after == self._edges[0] else "STOP")
        making.cancel()

    def _is_unquiet(self) -> bool:
        return self.is_quiet or not self.left or self.loading > 0 or self._clock_s() - self._added_s < QUIET_S

    def _first_ms(self) -> int:
        return min(int(feed.ms[0]) for feed in self._feeds)

    def say(self, state: Literal["START", "STOP"]) -> None:
        """Tell that a session begins or ends."""
        if self.states:
            self._clients.tell(f'{{"header":{{"type":"STATE","status":"CONNECTED","state":"{state}"}}}}')

    def _make(self, after: int, span: int) -> asyncio.Task[tuple[Window, int, int]]:
        """The next window, which ends at open or close at the latest; made in a thread while another one plays."""
        limit = min([edge for edge in self._edges if edge > after], default=DAY_MS - 1)
        making = partial(_made, list(self._feeds), self._version, after, span, limit, self.day)
        return asyncio.create_task(to_thread.run_sync(making))

    async def _play(self, made: Window, version: int, after: int) -> None:
        """Send the window's rows when their time comes."""
        sent = 0
        while True:
            if self.is_quiet:
                self._last_s = self._clock_s()
                await asyncio.sleep(_POLL_S)
                continue
            if version != self._version:
                joined_ms = max(after, int(self.position_ms or 0))
                made, sent, version = refreshed(made, sent, self._feeds, joined_ms, self.day.date), 0, self._version
            due = self._due(made, sent)
            if due > sent:
                await self._clients.send_ticks(made, sent, due, wait=self._speed == "max")
                sent = due
            if sent == len(made) and (self.position_ms or 0) >= made.end_ms:
                return
            await asyncio.sleep(0 if self._speed == "max" else _STEP_S)

    def _due(self, made: Window, sent: int) -> int:
        """Move the clock; the row before which all are due."""
        now_s = self._clock_s()
        passed_s, self._last_s = now_s - self._last_s, now_s
        if self._speed == "max":
            due = min(sent + ROWS_AT_ONCE, len(made))
            self.position_ms = made.end_ms if due == len(made) else int(made.ms[due - 1])
            return due
        until_s, factor = self.burst
        self.position_ms = (self.position_ms or 0) + passed_s * 1000 * self._speed * (factor if now_s < until_s else 1)
        return max(made.due(self.position_ms), sent)


def _made(feeds: Sequence[Feed], version: int, after: int, span: int, limit: int, day: Day) -> tuple[Window, int, int]:
    end, next_span = next_end(feeds, after, span)
    return window(feeds, after, min(end, limit), day.date), version, next_span


def session_edges(day: date) -> tuple[int, ...]:
    """The last milliseconds before the open and of the session; none where the day has no session."""
    if not is_trading_day(day):
        return ()
    return _ms(OPEN) - 1, _ms(session_close(day))


def _ms(at: time) -> int:
    return ((at.hour * 60 + at.minute) * 60 + at.second) * 1000
