"""A vendor that streams and has history, a topic, and a channel between them, without a thread or a broker."""

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator
from concurrent.futures import Executor, Future
from contextlib import nullcontext
from dataclasses import dataclass, field
from datetime import date
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pyarrow as pa

from services.live_stream.bars.builder import BarBuilder
from services.live_stream.bars.grid import Hours, session_us
from services.live_stream.broker.outlet import Outgoing, TopicLog
from services.live_stream.channels.bars import BarChannel
from services.live_stream.channels.channel import Channel
from services.live_stream.channels.ticks import TickChannel
from services.live_stream.channels.tools import Tools
from services.live_stream.clock import TapeClock
from services.live_stream.healing.finding import records_of
from services.live_stream.rows import Live, Rows
from services.live_stream.topic import LiveTopic
from services.live_stream.wanted import hours_of
from stoculus.connections import Kafka
from stoculus.errors import BrokerUnavailable
from stoculus.instruments import OptionContract, Stock
from stoculus.records.catalog import record_type
from stoculus.streams import StockFeed, StreamEvent, Watermark
from tests.unit.services.live_stream.making import Trade, micros, stock_trades
from theta_client.stream.table import HEAD, INSTRUMENT, RECEIVED_US, TS_EVENT, Table

GRACE_US = 1_000_000
STEP_US = 400_000
HEADER = b"\0\0\0\0\7"
Row = tuple[str, int, bytes]


class Later(Executor):
    """Work waits until it is let go."""

    def __init__(self) -> None:
        self.waiting: list[tuple[Future[Any], Callable[[], Any]]] = []

    def submit(self, work: Callable[..., Any], /, *args: Any, **named: Any) -> Future[Any]:
        future: Future[Any] = Future()
        self.waiting.append((future, lambda: work(*args, **named)))
        return future

    def go(self) -> None:
        while self.waiting:
            future, work = self.waiting.pop(0)
            try:
                future.set_result(work())
            except Exception as error:
                future.set_exception(error)


@dataclass
class Broker:
    """One topic, as the channel's outlet and as a reader sees it."""

    log: TopicLog
    rows: list[tuple[Row, str]] = field(default_factory=list)
    is_free: bool = True
    requests: int = 0
    queued: int = 0

    @property
    def logs(self) -> list[TopicLog]:
        return [self.log]

    def put(self, rows: Outgoing) -> None:
        times = rows.times_us.tolist()
        keys: Any = rows.keys.cast(pa.string()).to_pylist()
        bodies: Any = rows.bodies.to_pylist()
        for key, us, body in zip(keys, times, bodies, strict=True):
            self.rows.append(((key, us, body), rows.origin.decode()))
        if times:
            self.log.add(max(times), len(times))

    def reader(self, _kafka: Kafka, _topic: str) -> Any:
        def read(start: int) -> Iterator[Any]:
            yield SimpleNamespace(bodies=[body for (_, _, body), _ in self.rows[start:]])

        return nullcontext(SimpleNamespace(first=0, end=len(self.rows), read_values=read))


@dataclass
class Street:
    """Step by step: `trades` have been told by the vendor, who streams them while `is_subscribed`."""

    schema: str = "trade"
    day: date = date(2024, 1, 3)
    hours: Hours | None = None
    warmup_days: int | None = None
    now_us: int = 0
    trades: list[Trade] = field(default_factory=list)
    events: list[StreamEvent] = field(default_factory=list)
    is_subscribed: bool = True
    history_until_us: int | None = None
    is_away: bool = False
    asked: list[tuple[int, int]] = field(default_factory=list)
    asked_of: list[frozenset[Stock | OptionContract]] = field(default_factory=list)
    mark: Watermark | None = None
    taken: tuple[Watermark, int] | None = None
    safe_end: int = 0

    def __post_init__(self) -> None:
        self.now_us = self.now_us or micros(self.day, 10, 0)
        self.clock, self.threads = TapeClock(), Later()
        feed = StockFeed.model_validate({"asset": "stock", "ticker": "AAPL", "schema": self.schema})
        self.topic = LiveTopic.of(feed)
        self.broker = Broker(TopicLog(self.topic.topic, 0))
        self.tools = Tools(
            outlet=cast(Any, self.broker),
            clock=self.clock,
            header_of=lambda _: HEADER,
            wall_us=lambda: self.now_us,
            grace_us=GRACE_US,
            history=self,
            kafka=Kafka("127.0.0.1:1"),
            threads=self.threads,
            tell=self.events.append,
        )
        self.channel = self.new_channel()
        self.channel.open("it begins")

    def new_channel(self) -> Channel:
        """As the tape makes one, and restores it."""
        channel: Channel
        if self.schema.startswith("ohlcv"):
            channel = BarChannel(self.topic, 0, None, hours_of(self.topic, "extended"), self.tools)
        else:
            channel = TickChannel(self.topic, 0, None, self.tools)
        channel.warmup_days = self.warmup_days
        if self.mark is not None:
            channel.restore(self.mark)
        channel.use(frozenset([Stock("AAPL")]))
        channel.hours = self.hours
        return channel

    def records(
        self,
        topic: LiveTopic,
        instruments: Collection[Stock | OptionContract],
        from_us: int,
        until_us: int,
        aborted: Any,
    ) -> Iterable[pa.RecordBatch]:
        """The vendor's history."""
        self.asked.append((from_us, until_us))
        self.asked_of.append(frozenset(instruments))
        if self.is_away:
            raise BrokerUnavailable("The vendor is away.", remedy="Wait.")
        last_us = self.now_us if self.history_until_us is None else self.history_until_us
        rows = [one for one in self.trades if from_us <= one.us < until_us and one.us <= last_us]
        return [stock_trades(rows)] if rows else []

    def step(self, times: int = 1, *, trades: int = 3, work: bool = True) -> None:
        """Some time of the tape with some trades; the service looks after its channel."""
        for _ in range(times):
            before_us, self.now_us = self.now_us, self.now_us + STEP_US
            new = [
                Trade("AAPL", before_us + STEP_US * n // trades // 1000 * 1000, 0, 1 + len(self.trades) % 5, 100 + n)
                for n in range(trades)
            ]
            self.trades += new
            if self.is_subscribed:
                if new:
                    self.clock.saw(new[-1].us, self.now_us)
                    self.channel.take(live_rows(new))
                self.clock.heard(self.now_us)
            self.turn()
            if work:
                self.threads.go()

    def turn(self) -> None:
        self.channel.turn(is_confirmed=self.is_subscribed)
        self.broker.log.acked = self.broker.log.end

    def write_mark(self) -> None:
        """What the last watermark needed is acknowledged, so it is written; another one is taken."""
        if self.taken is not None:
            self.mark, self.safe_end = self.taken
            self.channel.offset = self.mark.offset
        mark = self.channel.watermark()
        end = self.broker.log.end_span()
        self.taken = None if mark is None else (mark, end)

    def lose(self) -> None:
        self.is_subscribed = False
        self.channel.lost("the connection ended")

    def connect(self) -> None:
        if not self.is_subscribed:
            self.clock.connected()
            self.is_subscribed = True

    def drop(self) -> None:
        """Trades come that the buffer has no room for."""
        was, self.is_subscribed = self.is_subscribed, False
        self.step(work=False)
        self.is_subscribed = was
        self.channel.lost("messages were dropped")

    def kill(self, lost: int = 0) -> None:
        """The service dies and comes back. Its last records are lost, but for those that a watermark needed."""
        self.channel.abort()
        del self.broker.rows[max(self.safe_end, len(self.broker.rows) - lost) :]
        self.broker.log, self.taken = TopicLog(self.topic.topic, len(self.broker.rows)), None
        self.clock.__init__()  # type: ignore[misc]
        self.channel = self.new_channel()
        self.channel.open("the service was away")

    def settle(self) -> None:
        """Until nothing is to be healed any more."""
        self.connect()
        for _ in range(400):
            self.step(trades=1)
            if self.channel.gap is None and self.channel.complete_us is not None:
                self.step(10, trades=1)
                return
        raise AssertionError(self.channel.gap)

    def on_topic(self, from_us: int, until_us: int) -> Counter[Row]:
        return Counter(row for row, _ in self.broker.rows if from_us <= row[1] < until_us)

    def expected(self, from_us: int, until_us: int) -> Counter[Row]:
        """What an outsider would have on the topic: ticks, or bars made of all trades at once."""
        if self.schema == "trade":
            rows = [one for one in self.trades if from_us <= one.us < until_us and self._is_wanted(one.us)]
            return rows_of([stock_trades(rows)], "StockTrade") if rows else Counter()
        builder = BarBuilder(self.topic.schema, hours_of(self.topic, "extended"), grace_us=0, since_us=from_us)
        builder.resume(stock_trades([one for one in self.trades if one.us < until_us]))
        return rows_of([builder.advance(until_us)], "StockOhlcv")

    def _is_wanted(self, us: int) -> bool:
        if self.hours is None:
            return True
        first, last = session_us(self.day, self.hours)
        return first <= us <= last

    def assert_whole(self) -> None:
        """What the watermark claims is so."""
        channel = self.channel
        assert channel.complete_from_us is not None
        assert channel.complete_us is not None
        span = channel.complete_from_us, channel.complete_us
        expected, found = self.expected(*span), self.on_topic(*span)
        missing, extra = expected - found, found - expected
        assert (sum(missing.values()), sum(extra.values())) == (0, 0), (missing, extra)


def live_rows(trades: list[Trade]) -> Live:
    records, tickers = stock_trades(trades), sorted({one.symbol for one in trades})
    own = [field for field in records.schema if field.name != "symbol" and not field.nullable]
    schema = pa.schema([*HEAD, *own[1:]])
    words = np.zeros((len(schema), len(trades)), np.int64)
    words[RECEIVED_US] = trades[-1].us
    words[INSTRUMENT] = [tickers.index(one.symbol) for one in trades]
    for row, one in zip(words[TS_EVENT:], own, strict=True):
        is_double = pa.types.is_floating(one.type)
        row[:] = np.asarray(records[one.name].cast(one.type if is_double else pa.int64())).view(np.int64)
    return Rows().trades(Table(schema, words), [Stock(ticker) for ticker in tickers])["stock"]


def rows_of(batches: list[pa.RecordBatch], record: str) -> Counter[Row]:
    found = records_of(batches, record_type(record))
    times: Any = found.ts_event.cast(pa.int64()).to_pylist()
    keys: Any = cast(Any, found.keys).to_pylist()
    bodies: Any = found.bodies.to_pylist()
    return Counter(zip(keys, times, bodies, strict=True))
