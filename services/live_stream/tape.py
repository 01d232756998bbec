"""The loop of the live service: messages in, records out, and everything that goes by the tape's clock."""

import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Executor, Future
from datetime import UTC, date, datetime
from functools import partial
from typing import Final

from services.live_stream.bars.grid import day_at, session_us
from services.live_stream.broker.acks import Described
from services.live_stream.broker.marks import EVERY_S, Marks
from services.live_stream.channels.bars import BarChannel
from services.live_stream.channels.channel import Channel
from services.live_stream.channels.ticks import TickChannel
from services.live_stream.channels.tools import Tools
from services.live_stream.counts import Counts
from services.live_stream.dealer import Dealer
from services.live_stream.silence import Silence
from services.live_stream.wanted import Enumerate, Streams, Want, Wish, hours_of, wish_of
from stoculus.calendar import is_trading_day, new_york_day
from stoculus.streams import Watermark
from theta_client.stream.buffer import Frames
from theta_client.stream.events import (
    Connected,
    Disconnected,
    Dropped,
    Event,
    MarketState,
    Refused,
    StatusChanged,
    Subscribed,
    Unsubscribed,
)
from theta_client.stream.session import StreamSession
from theta_client.stream.subscription import Subscription

MOST_FRAMES: Final = 4_096
SHORTEST_TURN_S: Final = 0.003
"""Shorter ones make so many requests that the broker lets the slowest records wait."""
LONGEST_TURN_S: Final = 0.05
REQUEST_S: Final = 0.0005
"""A turn lasts so long for each request that it makes of the broker: rows that come meanwhile share the next ones."""
_WAIT_S: Final = 0.02
_TICK_S: Final = 0.05
_RETRY_S: Final = 2.0
_LEAD_US: Final = 60_000_000
"""So long before a session opens its topics are subscribed, wall clock."""
_LONGEST_LEAD_US: Final = 3_600_000_000
"""However fast the tape is played, market time."""
_CONNECTED: Final = "CONNECTED"


class Tape:
    """One life of the service: from the lease to its end. `turn` it in a loop.

    `describe` gives what the broker says of topics. `first_day`: the tape's day before its first event.
    """

    def __init__(
        self,
        session: StreamSession,
        streams: Streams,
        tools: Tools,
        marks: Marks,
        known: dict[str, Watermark],
        describe: Callable[[list[str]], Mapping[str, Described]],
        enumerate_feed: Enumerate,
        wishes: Executor,
        counts: Counts,
        *,
        first_day: date | None,
        silence_s: float,
    ) -> None:
        self.channels: dict[str, Channel] = {}
        self.wish = Wish(-1, date.min, {}, {}, {})
        self.confirmed: set[Subscription] = set()
        self.trouble: str | None = None
        self._session = session
        self._streams = streams
        self._tools = tools
        self._clock = tools.clock
        self._outlet = tools.outlet
        self._marks = marks
        self._known = known
        self._describe = describe
        self._enumerate = enumerate_feed
        self._wishes = wishes
        self._counts = counts
        self._first_day = first_day
        self._dealer = Dealer(tools.outlet, tools.clock, tools.header_of, counts)
        self._silence = Silence(silence_s, time.monotonic())
        self._wishing: Future[Wish] | None = None
        self._wish_again_s = 0.0
        self._aborted = threading.Event()
        self._next_turn_s = self._tick_s = self._mark_s = 0.0
        self._wanted: list[Want] = []
        self._expected_s: float | None = None
        self.is_down = False

    @property
    def day(self) -> date:
        """The tape's New York day."""
        now_us = self._clock.now_us
        if now_us is not None:
            return day_at(now_us)
        wall = datetime.fromtimestamp(self._tools.wall_us() / 1e6, UTC)
        return self._first_day or new_york_day(wall)

    @property
    def now_us(self) -> int | None:
        """The tape's clock."""
        return self._clock.now_us

    def finish(self, timeout_s: float) -> None:
        """Deal what the closed session has left, and write watermarks that say so."""
        while items := self._session.take(MOST_FRAMES, 0):
            for item in items:
                if isinstance(item, Frames):
                    self._dealer.deal(item)
        self._dealer.deal_trades()
        self._outlet.flush(timeout_s)
        until_s = time.monotonic() + timeout_s
        self._marks.turn(self.channels)
        while not self._marks.is_done and time.monotonic() < until_s:
            time.sleep(_WAIT_S)
            self._marks.turn(self.channels)
        self._outlet.flush(timeout_s)

    def abort(self) -> None:
        """Leave what is being asked of the vendor."""
        self._aborted.set()
        for channel in self.channels.values():
            channel.abort()

    def turn(self) -> None:
        """Deal what has come, wait a moment where nothing has; every now and then look after all else."""
        time.sleep(max(self._next_turn_s - time.monotonic(), 0))
        begun_s, requests = time.monotonic(), self._outlet.requests
        heard_us, frames = self._session.heard_us, 0
        for item in self._session.take(MOST_FRAMES, _WAIT_S) if self._outlet.is_free else ():
            if isinstance(item, Frames):
                self._dealer.deal(item)
                frames += len(item.frames)
                self.is_down = False  # it tells again, whatever word comes next
            else:
                self._dealer.deal_trades()
                self._obey(item)
        # Only what has been dealt moves the clock.
        if self._outlet.is_free and frames < MOST_FRAMES:
            self._clock.heard(heard_us)
        self._outlet.pump(0 if self._outlet.is_free else _WAIT_S)
        self._next_turn_s = begun_s + (turn_s(self._outlet.requests - requests) if frames < MOST_FRAMES else 0)
        now_s = time.monotonic()
        self._silence.saw(frames, now_s)
        if now_s >= self._tick_s:
            self._tick_s = now_s + _TICK_S
            self._tick(now_s)

    def _tick(self, now_s: float) -> None:
        self._dealer.deal_trades()
        self._follow_wish(now_s)
        self._follow_sessions()
        for channel in self.channels.values():
            channel.turn(is_confirmed=self._is_confirmed(channel))
        if now_s >= self._mark_s:
            self._mark_s = now_s + EVERY_S
            self._marks.turn(self.channels)
            self._gauge()

    def _is_confirmed(self, channel: Channel) -> bool:
        if channel.gap is None:
            return True
        wanted = self.wish.wants[channel.topic.topic].subscriptions
        open_ones = [one for instrument, one in wanted.items() if instrument not in channel.refused]
        return bool(open_ones) and all(one in self.confirmed for one in open_ones)

    # What the session tells

    def _obey(self, event: Event) -> None:
        match event:
            case Connected():
                self._clock.connected()
                self.confirmed.clear()
                self.is_down = False
            case Disconnected(error=error):
                self._counts.losses.labels(error.code).inc()
                self.trouble = str(error)
                self._lost(f"the connection ended: {error.message}")
            case StatusChanged(word=word):
                if word != _CONNECTED or self.is_down:  # up again: what it confirmed meanwhile may be forgotten
                    self._lost(f"the terminal is {word}")
                self.is_down = word != _CONNECTED
            case Subscribed(subscription=one):
                self.trouble = None
                self.confirmed.add(one)
            case Unsubscribed(subscription=one):
                self.confirmed.discard(one)
            case Refused(subscription=one, response=response, final=True):
                self._refused(one, response)
            case Dropped(frames=frames):
                self._counts.dropped.inc(frames)
                self._lack(f"{frames} messages were dropped: the broker is slower than the tape")
            case MarketState(word="STOP"):
                for channel in self.channels.values():
                    if isinstance(channel, BarChannel):
                        channel.stop_sign()
            case _:
                pass

    def _lost(self, reason: str) -> None:
        self.confirmed.clear()
        self._lack(reason)

    def _lack(self, reason: str) -> None:
        for channel in self.channels.values():
            if channel.is_open:
                channel.lost(reason)

    def _refused(self, subscription: Subscription, response: str) -> None:
        self.confirmed.discard(subscription)
        for topic, want in self.wish.wants.items():
            for instrument, one in want.subscriptions.items():
                if one == subscription and topic in self.channels:
                    self.channels[topic].refuse(instrument, response)

    # What the streams want

    def _follow_wish(self, now_s: float) -> None:
        if self._wishing is None:
            is_new = (self._streams.version, self.day) != (self.wish.version, self.wish.day)
            if is_new or (not self.wish.is_whole and now_s >= self._wish_again_s):
                self._wishing = self._wishes.submit(
                    wish_of,
                    self._streams,
                    self.day,
                    self._enumerate,
                    self._describe,
                    self._aborted,
                    self.wish.wants,
                )
        elif self._wishing.done():
            wishing, self._wishing, self._wish_again_s = self._wishing, None, now_s + _RETRY_S
            self._apply(wishing.result())

    def _apply(self, wish: Wish) -> None:
        if wish.day != self.wish.day:
            self._dealer.new_day()
        for topic in [topic for topic in self.channels if topic not in wish.wants]:
            channel = self.channels.pop(topic)
            channel.end()
            mark = channel.watermark()
            if mark is not None:
                self._marks.end(mark)
        self.wish = wish
        for topic, want in wish.wants.items():
            channel = self.channels.get(topic) or self._new_channel(want, wish.described[topic])
            channel.use(frozenset(want.subscriptions))
            channel.instruments_on = partial(want.instruments_on, self._enumerate)
            channel.hours = hours_of(want.topic, "regular") if want.session == "regular" else None
            self.channels[topic] = channel
        self._dealer.use(self.channels)
        self._streams.done(wish.version)

    def _new_channel(self, want: Want, described: Described) -> Channel:
        number = self._outlet.open(want.topic.topic, described.end)
        channel: Channel
        if want.topic.schema.kind == "ohlcv":
            channel = BarChannel(want.topic, number, None, want.grid_hours, self._tools)
        else:
            channel = TickChannel(want.topic, number, None, self._tools)
        channel.warmup_days = want.warmup_days
        channel.topic_id = described.topic_id
        mark = self._known.pop(want.topic.topic, None)
        if mark is not None and described.is_still_of(mark):
            channel.restore(mark)
        return channel

    # What the market's hours want

    def _follow_sessions(self) -> None:
        for topic, want in self.wish.wants.items():
            channel, is_open = self.channels[topic], self._is_open(want)
            if is_open and not channel.is_open:
                channel.open("the service was away")
            elif channel.is_open and not is_open:
                channel.shut()
        wants = [want for topic, want in self.wish.wants.items() if self.channels[topic].is_open]
        if wants != self._wanted:
            self._wanted = wants
            subscriptions = dict.fromkeys(one for want in wants for one in want.subscriptions.values())
            self._session.want(subscriptions)
            self.confirmed &= subscriptions.keys()
        self._expect()

    def _is_open(self, want: Want) -> bool:
        now_us = self._clock.now_us
        if want.session == "always" or now_us is None:
            return True
        lead_us = min(self._clock.tape_us(_LEAD_US), _LONGEST_LEAD_US)
        settled_us = self._clock.settled_us(self._tools.grace_us)
        hours = hours_of(want.topic, want.session)
        sessions = [session_us(day, hours) for day in {day_at(now_us), day_at(now_us + lead_us)} if is_trading_day(day)]
        return any(first - lead_us <= now_us and (settled_us or now_us) <= last for first, last in sessions)

    def _expect(self) -> None:
        now_us, expected_s = self._clock.now_us, None
        if now_us is not None and self._wanted and is_trading_day(day_at(now_us)):
            topic = next(iter(self.wish.wants.values())).topic
            first, last = session_us(day_at(now_us), hours_of(topic, "regular"))
            if first < now_us < last:
                expected_s = self._silence.within_s
        if expected_s != self._expected_s:
            self._expected_s = expected_s
            self._clock.expects_data = expected_s is not None
            self._session.expect_data(expected_s)

    def _gauge(self) -> None:
        now_us = self._clock.now_us
        behind = [
            now_us - channel.complete_us
            for channel in self.channels.values()
            if now_us is not None and channel.complete_us is not None and channel.is_open
        ]
        self._counts.queued.set(self._outlet.queued)
        self._counts.topics.set(len(self.channels))
        self._counts.gaps.set(sum(channel.gap is not None for channel in self.channels.values()))
        self._counts.watermark_lag.set(max(behind, default=0) / 1e6)


def turn_s(requests: int) -> float:
    """How long a turn lasts that makes so many requests of the broker."""
    return min(max(requests * REQUEST_S, SHORTEST_TURN_S), LONGEST_TURN_S)
