"""What is wanted: the union of all streams, topic by topic."""

import logging
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date
from functools import partial
from typing import Final

from services.live_stream.bars.grid import Hours
from services.live_stream.broker.acks import Described
from services.live_stream.topic import LiveTopic
from stoculus.calendar import Session, option_session_hours, session_hours
from stoculus.errors import Conflict, NotFound, StoculusError, Transient
from stoculus.instruments import OptionContract, Stock
from stoculus.streams import OptionFeed, StockFeed, StreamSession, StreamSpec, warmup_days
from theta_client.stream.subscription import Subscription

log = logging.getLogger(__name__)

Enumerate = Callable[[StockFeed | OptionFeed, date, threading.Event], list[Subscription]]
"""The subscriptions of a feed on a New York day: see LivePlanner."""
_WIDTH: Final[Mapping[StreamSession, int]] = {"regular": 0, "extended": 1, "always": 2}


@dataclass(slots=True, eq=False)
class Want:
    """What the streams together want of a topic."""

    topic: LiveTopic
    session: StreamSession
    warmup_days: int | None
    subscriptions: dict[Stock | OptionContract, Subscription] = field(default_factory=dict)
    feeds: list[StockFeed | OptionFeed] = field(default_factory=list)

    def instruments_on(
        self, enumerate_feed: Enumerate, day: date, aborted: threading.Event
    ) -> frozenset[Stock | OptionContract]:
        """What it was made of on another day. Raise the vendor errors."""
        found = {one.what for feed in self.feeds for one in enumerate_feed(feed, day, aborted)}
        return frozenset(what for what in found if isinstance(what, Stock | OptionContract))

    @property
    def grid_hours(self) -> Hours:
        """The session that bars start at."""
        return hours_of(self.topic, "regular" if self.session == "regular" else "extended")


@dataclass(frozen=True, slots=True)
class Wish:
    """The wants of a version of the streams on a day. `troubles`: why a stream lacks something, by its id.
    `described`: what the broker says of its topics.

    Not `is_whole`: the vendor did not tell all of it; it is to be asked again.
    """

    version: int
    day: date
    wants: Mapping[str, Want]
    troubles: Mapping[str, str]
    described: Mapping[str, Described]
    is_whole: bool = True


def hours_of(topic: LiveTopic, session: Session) -> Hours:
    """The hours of a topic's market."""
    if topic.asset == "option":
        return partial(option_session_hours, topic.symbol, session=session)
    return partial(session_hours, session=session)


class Streams:
    """The streams that the coordinator has asked for. Thread-safe; `version` grows with each change."""

    def __init__(self) -> None:
        self.version = 0
        self._specs: dict[str, StreamSpec] = {}
        self._stopping: dict[str, tuple[int, StreamSpec]] = {}
        self._lock = threading.Lock()

    def put(self, spec: StreamSpec) -> bool:
        """Want a stream; whether it is new. Raise Conflict where another has its id, or bars of another grid."""
        with self._lock:
            if self._specs.get(spec.stream_id) == spec:
                return False
            if spec.stream_id in self._specs:
                raise Conflict(f"Stream {spec.stream_id} is another one.", remedy="Stop it first, or use another id.")
            self._check_grids(spec)
            self._specs[spec.stream_id] = spec
            self._stopping.pop(spec.stream_id, None)
            self.version += 1
            return True

    def remove(self, stream_id: str) -> StreamSpec:
        """Want a stream no longer. Raise NotFound."""
        with self._lock:
            if stream_id in self._stopping:
                return self._stopping[stream_id][1]
            if stream_id not in self._specs:
                raise NotFound(f"There is no stream {stream_id} here.", remedy="GET /v1/streams lists what there is.")
            spec = self._specs.pop(stream_id)
            self.version += 1
            self._stopping[stream_id] = self.version, spec
            return spec

    def done(self, version: int) -> None:
        """What was removed up to a version is over."""
        with self._lock:
            self._stopping = {key: value for key, value in self._stopping.items() if value[0] > version}

    def running(self) -> list[StreamSpec]:
        """What is wanted."""
        with self._lock:
            return list(self._specs.values())

    def stopping(self) -> list[StreamSpec]:
        """What is being stopped."""
        with self._lock:
            return [spec for _, spec in self._stopping.values()]

    def _check_grids(self, spec: StreamSpec) -> None:
        grids = {
            feed.topic: (one.stream_id, one.session)
            for one in self._specs.values()
            for feed in one.feeds
            if feed.record_schema.kind == "ohlcv"
        }
        for n, feed in enumerate(spec.feeds):
            other = grids.get(feed.topic)
            if other and (other[1] == "regular") != (spec.session == "regular"):
                raise Conflict(
                    f"{feed.topic} is built by stream {other[0]} with session {other[1]}.",
                    remedy=f"Use session {other[1]}, or stop it.",
                    field=f"feeds[{n}]",
                )


def wish_of(
    streams: Streams,
    day: date,
    enumerate_feed: Enumerate,
    describe: Callable[[list[str]], Mapping[str, Described]],
    aborted: threading.Event,
    before: Mapping[str, Want],
) -> Wish:
    """Ask the vendor what the streams are made of on a day, and the broker about their topics.

    What the vendor cannot tell now stays as it was `before`.
    """
    version, specs = streams.version, streams.running()
    wants: dict[str, Want] = {}
    troubles: dict[str, str] = {}
    is_whole = True
    for spec in specs:
        for feed in spec.feeds:
            want = wants.setdefault(feed.topic, Want(LiveTopic.of(feed), spec.session, None))
            want.feeds.append(feed)
            want.session = max(want.session, spec.session, key=_WIDTH.__getitem__)
            if spec.warmup is not None:
                want.warmup_days = max(want.warmup_days or 0, warmup_days(spec.warmup))
            try:
                found = enumerate_feed(feed, day, aborted)
            except StoculusError as error:
                belongs = {"stream_id": spec.stream_id, "topic": feed.topic}
                log.warning("Stream %s lacks %s: %s", spec.stream_id, feed.topic, error, extra=belongs)
                troubles[spec.stream_id] = str(error)
                if isinstance(error, Transient):
                    is_whole = False
                    want.subscriptions |= before[feed.topic].subscriptions if feed.topic in before else {}
                continue
            for one in found:
                if isinstance(one.what, Stock | OptionContract):
                    want.subscriptions[one.what] = one
    described = describe(sorted(wants))
    for spec in specs:
        for topic in spec.topics:
            if topic not in described:
                troubles[spec.stream_id] = f"There is no topic {topic}. Create it, or stop the stream."
            elif not described[topic].may_be_written:
                troubles[spec.stream_id] = (
                    f"Kafka does not let this service write to {topic}. Give its user that right: docs/security.md."
                )
    there = {topic: want for topic, want in wants.items() if topic in described and described[topic].may_be_written}
    return Wish(version, day, there, troubles, described, is_whole and len(there) == len(wants))
