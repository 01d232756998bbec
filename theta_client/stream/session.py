"""The session: one WebSocket to the terminal, kept open, subscribed to what is wanted, and watched."""

import random as random_numbers
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Self

import orjson

from stoculus.errors import (
    Defect,
    SessionTaken,
    StoculusError,
    VendorBusy,
    VendorDisconnected,
    VendorFault,
    VendorSilent,
    VendorStarting,
    VendorUnreachable,
)
from theta_client.session import Budget
from theta_client.stream.buffer import Buffer, Frames
from theta_client.stream.events import (
    Connected,
    Disconnected,
    Event,
    MarketState,
    Refused,
    StatusChanged,
    Subscribed,
    Unsubscribed,
)
from theta_client.stream.link import Link
from theta_client.stream.subscription import Subscription
from theta_client.stream.wanted import SUBSCRIBED, Outcome, Pace, WantedSet
from theta_client.transport import USER_AGENT

_MARK: Final = b'"contract"'  # in every message that carries data, in none that does not
_RESTART = "If the terminal hangs, restart it; a second client on it has the same effect."

STREAM_BUDGETS: Final[Mapping[type[StoculusError], Budget]] = {
    VendorUnreachable: Budget(attempts=8, first_s=0.5, most_s=30),
    VendorSilent: Budget(attempts=5, first_s=0.5, most_s=30),
    VendorDisconnected: Budget(attempts=8, first_s=0.5, most_s=30),
    VendorStarting: Budget(attempts=8, first_s=0.5, most_s=30),
    VendorBusy: Budget(attempts=8, first_s=0.5, most_s=30),
    VendorFault: Budget(attempts=5, first_s=0.5, most_s=30),
    SessionTaken: Budget(attempts=0, first_s=15, most_s=120),
}
"""How often each cause may end a connection in a row before it counts as exhausted, and the longest waits after it."""
_ANY_OTHER: Final = Budget(attempts=0, first_s=15, most_s=120)


@dataclass(frozen=True, slots=True)
class Watch:
    """When a connection counts as stalled, and when as healthy."""

    connect_timeout_s: float = 5.0
    heartbeat_timeout_s: float = 2.8
    ping_interval_s: float = 20.0
    healthy_s: float = 30.0


class StreamSession:
    """One stream of the terminal at `url` (`ws://127.0.0.1:25520/v1/events`). Thread-safe; its thread runs in `with`.

    `take` gives frames and events in the order in which they came. The session reconnects for ever; each loss is an
    event. `sleep(seconds, aborted)` must return early when `aborted` is set; `random` gives numbers in [0, 1).
    """

    def __init__(
        self,
        url: str,
        *,
        user_agent: str = USER_AGENT,
        buffer_frames: int = 200_000,
        pace: Pace = Pace(),
        watch: Watch = Watch(),
        budgets: Mapping[type[StoculusError], Budget] = STREAM_BUDGETS,
        monotonic: Callable[[], float] = time.monotonic,
        now_us: Callable[[], int] = lambda: time.time_ns() // 1000,
        sleep: Callable[[float, threading.Event], object] = lambda seconds, aborted: aborted.wait(seconds),
        random: Callable[[], float] = random_numbers.random,
    ) -> None:
        self._url = url
        self._user_agent = user_agent
        self._watch = watch
        self._budgets = budgets
        self._monotonic = monotonic
        self._now_us = now_us
        self._sleep = sleep
        self._random = random
        self._buffer = Buffer(buffer_frames)
        self._set = WantedSet(pace, random)
        self._wanted: tuple[Subscription, ...] = ()
        self._applied: tuple[Subscription, ...] = self._wanted
        self._data_within_s: tuple[float | None, float] = (None, 0.0)
        self._closing = threading.Event()
        self._crash: Exception | None = None
        self._connection = 0
        self._heard_us = 0
        self._losses: Counter[type[StoculusError]] = Counter()
        self._thread = threading.Thread(target=self._run, name="theta-stream", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End the terminal's subscriptions and the connection. What was received can still be taken."""
        self._closing.set()
        self._thread.join()

    @property
    def heard_us(self) -> int:
        """When the terminal last sent anything, microseconds UTC; 0: never. What it sent can be taken."""
        return self._heard_us

    def want(self, subscriptions: Iterable[Subscription]) -> None:
        """Replace the wanted set. Its order is the order of the requests."""
        self._wanted = tuple(subscriptions)

    def expect_data(self, within_s: float | None) -> None:
        """A confirmed stream that gives no data for so long from now on is stalled; None: it may be quiet."""
        self._data_within_s = (within_s, self._monotonic())

    def take(self, most_frames: int, timeout_s: float) -> list[Frames | Event]:
        """What has come, about `most_frames` of it, waiting up to `timeout_s` where nothing has.

        Raises Defect where the session's thread died of a fault of its own.
        """
        taken = self._buffer.take(most_frames, timeout_s)
        if not taken and self._crash is not None:
            raise Defect(f"The stream's thread died: {self._crash!r}.") from self._crash
        return taken

    def _run(self) -> None:
        try:
            while not self._closing.is_set():
                self._connect_once()
        except Exception as error:
            self._crash = error

    def _connect_once(self) -> None:
        self._connection += 1
        live: _Live | None = None
        try:
            link = Link(self._url, timeout_s=self._watch.connect_timeout_s, user_agent=self._user_agent)
            live = _Live(link, self._monotonic())
            try:
                self._buffer.put(Connected(self._connection, self._now_us()))
                self._set.opened(live.opened)
                while not self._closing.is_set():
                    self._turn(live)
            finally:
                link.close(stop=self._closing.is_set(), monotonic=self._monotonic)
        except StoculusError as error:
            self._lost(error, live.healthy_s if live else 0.0)

    def _lost(self, error: StoculusError, healthy_s: float) -> None:
        if healthy_s >= self._watch.healthy_s:
            self._losses.clear()
        budget = self._budgets.get(type(error), _ANY_OTHER)
        self._losses[type(error)] += 1
        losses = self._losses[type(error)]
        self._buffer.put(Disconnected(self._connection, self._now_us(), error, losses, losses > budget.attempts))
        self._sleep(self._random() * budget.longest_wait_s(losses - 1), self._closing)

    def _turn(self, live: "_Live") -> None:
        frames = live.link.receive()
        now = self._monotonic()
        if frames:
            received_us = self._now_us()
            live.heard = now
            data = [frame for frame in frames if _MARK in frame]
            if len(data) < len(frames):
                data = self._without_control(frames, data, now, received_us)
            if data:
                live.data = now
                self._buffer.put_frames(self._connection, received_us, data)
            self._heard_us = received_us
        self._ask(live, now)
        self._check(live, now)

    def _without_control(self, frames: list[bytes], data: list[bytes], now: float, received_us: int) -> list[bytes]:
        """Obey what is no data, in its place between the data; give back the data that came after the last event."""
        data = []
        for frame in frames:
            events = None if _MARK in frame else self._obey(frame, now, received_us)
            if events is None:
                data.append(frame)
                continue
            if events and data:
                self._buffer.put_frames(self._connection, received_us, data)
                data = []
            for event in events:
                self._buffer.put(event)
        return data

    def _obey(self, frame: bytes, now: float, at_us: int) -> list[Event] | None:
        """The events that a message about the stream means; None where it is none, the parser's to judge."""
        try:
            header: dict[str, Any] = orjson.loads(frame)["header"]
            kind = header["type"]
            if kind == "REQ_RESPONSE":
                return self._told([self._set.answered(header["req_id"], header["response"], now)], at_us)
            if kind == "STATE":
                return [MarketState(self._connection, at_us, str(header["state"]))]
            if kind == "STATUS":
                word = str(header["status"])
                return [StatusChanged(self._connection, at_us, word)] if self._set.status(word) else []
        except (orjson.JSONDecodeError, KeyError, TypeError):
            return None
        return None

    def _told(self, outcomes: Iterable[Outcome | None], at_us: int) -> list[Event]:
        events: list[Event] = []
        for outcome in outcomes:
            if outcome is None:
                continue
            one = outcome.subscription
            if outcome.add and outcome.response == SUBSCRIBED:
                events.append(Subscribed(self._connection, at_us, one))
            elif outcome.final and not outcome.add:
                events.append(Unsubscribed(self._connection, at_us, one))
            else:
                events.append(Refused(self._connection, at_us, one, outcome.response, outcome.final))
        return events

    def _ask(self, live: "_Live", now: float) -> None:
        wanted = self._wanted  # other threads replace it, none changes it
        if wanted is not self._applied:
            self._set.want(wanted)
            self._applied = wanted
        for event in self._told(self._set.expired(now), self._now_us()):
            self._buffer.put(event)
        for request in self._set.due(now):
            live.link.send(request)
        if now >= live.pinged + self._watch.ping_interval_s:
            live.pinged = now
            live.link.ping()

    def _check(self, live: "_Live", now: float) -> None:
        if now - live.heard > self._watch.heartbeat_timeout_s:
            raise VendorSilent(f"{self._url} sent nothing for {now - live.heard:.1f} s.", remedy=_RESTART)
        within_s, since = self._data_within_s
        if within_s is None or not (self._set.connected and self._set.confirmed):
            live.data = now
        elif now - max(live.data, since) > within_s:
            live.heard = live.data
            raise VendorSilent(f"{self._url} is alive but sent no data for {within_s:g} s.", remedy=_RESTART)


@dataclass(slots=True)
class _Live:
    """An open connection and when it last did what. The watchdogs' clocks start when it opens."""

    link: Link
    opened: float
    heard: float = 0.0
    data: float = 0.0
    pinged: float = 0.0

    def __post_init__(self) -> None:
        self.heard = self.data = self.pinged = self.opened

    @property
    def healthy_s(self) -> float:
        return self.heard - self.opened
