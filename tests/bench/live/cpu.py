"""CPU time from received messages to produced records: the service's hot path against the naive way."""

import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from typing import Any, Final, Protocol, cast

from prometheus_client import CollectorRegistry

from services.kit.environment import Headers
from services.live_stream.broker.outlet import Outlet
from services.live_stream.channels.ticks import TickChannel
from services.live_stream.channels.tools import Tools
from services.live_stream.clock import TapeClock
from services.live_stream.counts import Counts
from services.live_stream.dealer import Dealer
from services.live_stream.tape import turn_s
from services.live_stream.topic import LiveTopic
from stoculus.connections import Kafka, Registry
from stoculus.instruments import Stock
from stoculus.kafka import registry
from stoculus.kafka.admin import DATA_CONFIG, create_topics, delete_topics
from tests.bench.live.market import FEEDS, first_frames
from tests.bench.live.naive import NaiveStream
from tests.bench.stack import Bench
from theta_client.stream.buffer import Frames

RATE: Final = 20_000
"""Quotes and trades a second."""
TICKS: Final = 60_000
"""About so many quotes and trades a measurement."""
TURN_S: Final = turn_s(len(FEEDS))
"""How long a turn lasts that writes to all of FEEDS."""
_WARM: Final = 5_000
_FLUSH_S: Final = 30


class Way(Protocol):
    """A way from messages to records."""

    @property
    def records(self) -> int: ...
    def take(self, frames: Sequence[bytes], received_us: int) -> None: ...
    def flush(self) -> None: ...


class Ours:
    """The service from the buffer's frames to the producer, on channels that lack nothing."""

    def __init__(self, kafka: Kafka, where: Registry) -> None:
        headers = Headers(registry.connect(where), where.url)
        clock, self.outlet = TapeClock(), Outlet(kafka)
        self._dealer = Dealer(self.outlet, clock, headers.of, Counts(CollectorRegistry()))
        tools = Tools(
            outlet=self.outlet,
            clock=clock,
            header_of=headers.of,
            wall_us=_now_us,
            grace_us=0,
            history=cast(Any, None),
            kafka=kafka,
            threads=ThreadPoolExecutor(1),
            tell=lambda _: None,
        )
        channels = {}
        for feed in FEEDS:
            channel = TickChannel(LiveTopic.of(feed), self.outlet.open(feed.topic, 0), None, tools)
            channel.use(frozenset([Stock(feed.symbol)]))
            channels[feed.topic] = channel
        self._dealer.use(dict(channels))

    @property
    def records(self) -> int:
        return sum(log.records for log in self.outlet.logs)

    def take(self, frames: Sequence[bytes], received_us: int) -> None:
        """As a turn of the tape does."""
        self._dealer.deal(Frames(1, [received_us] * len(frames), list(frames)))
        self.outlet.pump()

    def flush(self) -> None:
        if not self.outlet.flush(_FLUSH_S):
            raise RuntimeError(f"not delivered within {_FLUSH_S} s")


class Ways:
    """Both ways on the same messages, in batches as large as a turn's at RATE."""

    def __init__(self, bench: Bench, stack: ExitStack) -> None:
        frames = first_frames(TICKS)
        self._ticks = sum(b'"type":"OHLC"' not in frame for frame in frames)
        size = round(RATE * TURN_S * len(frames) / self._ticks)
        self._batches = [frames[first : first + size] for first in range(0, len(frames), size)]
        self.messages_a_batch = size
        names = [feed.topic for feed in FEEDS]
        create_topics(bench.admin, names, DATA_CONFIG)
        stack.callback(delete_topics, bench.admin, names)
        ours = Ours(bench.kafka, bench.registry)
        stack.callback(ours.outlet.close)
        self.ours, self.naive = ours, NaiveStream(bench.bootstrap, bench.registry_url)
        for way in (self.ours, self.naive):
            self._run(way, self._batches[: _WARM // size])

    def cpu_us(self, way: Way) -> float:
        """Microseconds of CPU time a quote or trade, librdkafka's threads included, at RATE or as near as it comes."""
        before = way.records
        started = time.process_time()
        self._run(way, self._batches)
        cpu_s = time.process_time() - started
        if way.records - before != self._ticks:
            raise RuntimeError(f"{self._ticks} ticks, {way.records - before} records")
        return cpu_s * 1e6 / self._ticks

    def _run(self, way: Way, batches: Sequence[Sequence[bytes]]) -> None:
        due_s = time.monotonic()
        for batch in batches:
            time.sleep(max(due_s - time.monotonic(), 0))
            due_s += TURN_S
            way.take(batch, _now_us())
        way.flush()


@contextmanager
def both_ways(bench: Bench) -> Iterator[Ways]:
    """Ready to be measured; their topics are deleted in the end."""
    with ExitStack() as stack:
        yield Ways(bench, stack)


def _now_us() -> int:
    return time.time_ns() // 1000
