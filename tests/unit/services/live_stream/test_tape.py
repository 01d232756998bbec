"""The loop, fed by hand: what the terminal says of its link."""

import threading
import time
from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import date
from typing import Any, cast

import orjson
import pytest
from prometheus_client import CollectorRegistry

from services.live_stream.bars.grid import midnight_us
from services.live_stream.broker.acks import Described
from services.live_stream.counts import Counts
from services.live_stream.healing import finding
from services.live_stream.tape import Tape, turn_s
from services.live_stream.wanted import Streams
from stoculus.errors import VendorUnreachable
from stoculus.instruments import Stock
from stoculus.streams import StreamSpec
from tests.unit.services.live_stream.street import Street
from theta_client.stream.buffer import Frames
from theta_client.stream.events import Connected, Event, StatusChanged, Subscribed
from theta_client.stream.subscription import Subscription

LONGER_THAN_A_TICK_S = 0.12
TRADES = Subscription("trade", Stock("AAPL"))
SPEC = StreamSpec.model_validate(
    {"stream_id": "one", "feeds": [{"asset": "stock", "ticker": "AAPL", "schema": "trade"}]}
)


@dataclass
class Terminal:
    """A session to a terminal that says what it is told to, and marks and a broker that take everything."""

    street: Street = field(default_factory=Street)
    heard_us: int = 0
    items: list[Frames | Event] = field(default_factory=list)
    wanted: tuple[Subscription, ...] = ()
    is_away: bool = False

    def __post_init__(self) -> None:
        street, self.streams = self.street, Streams()
        broker: Any = street.broker
        broker.open, broker.pump = (lambda *_: 0), (lambda _: True)
        self.tape = Tape(
            cast(Any, self),
            self.streams,
            street.tools,
            cast(Any, self),
            {},
            lambda topics: dict.fromkeys(topics, Described(0, None, may_be_written=True)),
            self.enumerate_feed,
            street.threads,
            Counts(CollectorRegistry()),
            first_day=None,
            silence_s=20,
        )
        self.streams.put(SPEC)
        self.beat(2)
        now_us = street.now_us
        self.items = [Connected(1, now_us), Subscribed(1, now_us, TRADES), Frames(1, [now_us], [self.trade()])]
        self.beat(3)

    @property
    def channel(self) -> Any:
        return self.tape.channels[SPEC.topics[0]]

    def has_gap(self) -> bool:
        return self.channel.gap is not None

    def enumerate_feed(self, _feed: Any, _day: date, _aborted: threading.Event) -> list[Subscription]:
        if self.is_away:
            raise VendorUnreachable("The terminal is away.", remedy="Start it.")
        return [TRADES]

    def trade(self) -> bytes:
        day = self.street.day
        ms = (self.street.now_us - midnight_us(day)) // 1000
        trade = {"ms_of_day": ms, "sequence": 1, "size": 1, "condition": 0, "price": 1.5, "exchange": 57}
        return orjson.dumps(
            {
                "header": {"type": "TRADE", "status": "CONNECTED"},
                "contract": {"security_type": "STOCK", "root": "AAPL"},
                "trade": {**trade, "date": int(day.strftime("%Y%m%d"))},
            }
        )

    def beat(self, times: int = 1) -> None:
        """Heartbeats, and what the service makes of each."""
        for _ in range(times):
            self.street.now_us += 1_000_000
            self.heard_us = self.street.now_us
            until_s = time.monotonic() + LONGER_THAN_A_TICK_S
            while time.monotonic() < until_s:
                self.tape.turn()
            self.street.threads.go()
            self.street.broker.log.acked = self.street.broker.log.end

    # As the tape's session and marks

    def take(self, _most: int, _timeout_s: float) -> list[Frames | Event]:
        items, self.items = self.items, []
        return items

    def want(self, subscriptions: Collection[Subscription]) -> None:
        self.wanted = tuple(subscriptions)

    def expect_data(self, _within_s: float | None) -> None: ...

    def turn(self, _channels: Any) -> None: ...


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Terminal:
    street = Street()
    monkeypatch.setattr(finding, "PartitionReader", street.broker.reader)
    return Terminal(street)


def test_a_link_that_is_up_again_is_a_gap_though_the_terminal_confirmed_while_it_was_down(terminal: Terminal) -> None:
    assert not terminal.has_gap()
    terminal.items = [StatusChanged(1, terminal.heard_us, "DISCONNECTED")]
    terminal.beat()
    assert terminal.has_gap()
    terminal.items = [Subscribed(1, terminal.heard_us, TRADES)]
    terminal.beat(8)
    assert not terminal.has_gap()

    terminal.items = [StatusChanged(1, terminal.heard_us, "CONNECTED")]
    terminal.beat()
    assert terminal.has_gap()


def test_turns_are_as_long_as_their_requests_need_within_bounds() -> None:
    assert [turn_s(requests) for requests in (0, 1, 10, 1_000)] == [0.003, 0.003, 0.005, 0.05]
