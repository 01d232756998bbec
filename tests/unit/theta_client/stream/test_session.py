import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any, TypeVar

import pytest
from websockets.exceptions import ConnectionClosed

from stoculus.errors import (
    Defect,
    SessionTaken,
    SettingsInvalid,
    StoculusError,
    TierTooLow,
    VendorDisconnected,
    VendorFault,
    VendorRefused,
    VendorSilent,
    VendorUnreachable,
)
from stoculus.instruments import Stock
from tests.unit.theta_client.stream.conftest import OHLC, STOCK_QUOTE, STOCK_TRADE, CannedStream
from theta_client.session import Budget
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
from theta_client.stream.session import StreamSession, Watch
from theta_client.stream.subscription import Subscription
from theta_client.stream.wanted import Pace

TRADES = Subscription("trade", Stock("AAPL"))
QUOTES = Subscription("quote", Stock("AAPL"))
PACE = Pace(between_requests_s=0.001, answer_timeout_s=9, login_grace_s=0.2, first_retry_s=0.1, most_retry_s=0.2)
WATCH = Watch(connect_timeout_s=2, heartbeat_timeout_s=9, healthy_s=30)
Kind = TypeVar("Kind", bound=Event)


@dataclass
class Clock:
    """A real clock that naps push on: they take no time."""

    ahead_s: float = 0.0
    naps: list[float] = field(default_factory=list)

    def monotonic(self) -> float:
        return time.monotonic() + self.ahead_s

    def sleep(self, seconds: float, aborted: threading.Event) -> None:
        self.naps.append(seconds)
        self.ahead_s += seconds
        aborted.wait(0.01)


class Reader:
    """Takes from a session and remembers."""

    def __init__(self, session: StreamSession) -> None:
        self.session = session
        self.seen: list[Frames | Event] = []

    def until(self, done: Callable[[list[Frames | Event]], Any]) -> Any:
        """What `done` finds in all that was taken, as soon as it finds something."""
        end = time.monotonic() + 20
        while not (found := done(self.seen)):
            assert time.monotonic() < end, self.seen
            self.seen += self.session.take(1000, 0.05)
        return found

    def event(self, kind: type[Kind], place: int = 0) -> Kind:
        """The event of the kind that came as the `place`-th."""
        found: list[Kind] = self.until(lambda seen: [e for e in seen if isinstance(e, kind)][place : place + 1])
        return found[0]

    def frames(self, count: int) -> list[bytes]:
        def found(seen: list[Frames | Event]) -> list[bytes]:
            all_of_them = [frame for item in seen if isinstance(item, Frames) for frame in item.frames]
            return all_of_them if len(all_of_them) >= count else []

        frames: list[bytes] = self.until(found)
        return frames


@contextmanager
def session(url: str, *wanted: Subscription, **changes: Any) -> Iterator[Reader]:
    clock = Clock()
    defaults: dict[str, Any] = {
        "pace": PACE, "watch": WATCH, "monotonic": clock.monotonic, "sleep": clock.sleep, "random": lambda: 0.5,
    }  # fmt: skip
    with StreamSession(url, **(defaults | changes)) as one:
        one.want(wanted)
        yield Reader(one)


def test_what_is_wanted_is_subscribed_and_its_frames_come_with_their_receive_time(stream: CannedStream) -> None:
    with session(stream.url, TRADES, QUOTES, now_us=lambda: 77) as reader:
        assert reader.event(Connected) == Connected(1, 77)
        assert reader.event(StatusChanged) == StatusChanged(1, 77, "CONNECTED")
        assert [reader.event(Subscribed, n).subscription for n in range(2)] == [TRADES, QUOTES]
        stream.send(STOCK_QUOTE, OHLC, STOCK_TRADE)
        assert reader.frames(3) == [STOCK_QUOTE, OHLC, STOCK_TRADE]
        assert all(item.received_us == [77] * len(item.frames) for item in reader.seen if isinstance(item, Frames))
        reader.session.want([QUOTES])
        assert reader.event(Unsubscribed).subscription == TRADES
    stream.close()
    assert [request.get("add") for request in stream.requests()] == [True, True, False, None]
    assert stream.requests()[-1] == {"msg_type": "STOP"}


def test_a_cold_terminal_is_asked_after_a_grace(stream: CannedStream) -> None:
    stream.word = "DISCONNECTED"

    def log_in(request: dict[str, Any]) -> str | None:
        held, stream.word = stream.word == "DISCONNECTED", "CONNECTED"
        return None if held else "SUBSCRIBED"

    stream.answer = log_in
    with session(stream.url, TRADES) as reader:
        reader.event(Subscribed)
        assert [e.word for e in reader.seen if isinstance(e, StatusChanged)] == ["DISCONNECTED", "CONNECTED"]


def test_an_error_is_told_and_asked_again_and_a_refusal_is_final(stream: CannedStream) -> None:
    answers = iter(["ERROR", "SUBSCRIBED", "INVALID_PERMS"])
    stream.answer = lambda request: next(answers)
    with session(stream.url, TRADES) as reader:
        refused = reader.event(Refused)
        assert (refused.subscription, refused.response, refused.final) == (TRADES, "ERROR", False)
        reader.event(Subscribed)
        reader.session.want([TRADES, QUOTES])
        refused = reader.event(Refused, 1)
        assert (refused.subscription, refused.response, refused.final) == (QUOTES, "INVALID_PERMS", True)
    ids = [request["id"] for request in stream.requests() if "id" in request]
    assert ids == sorted(set(ids))


def test_an_upstream_that_comes_back_is_subscribed_anew(stream: CannedStream) -> None:
    with session(stream.url, TRADES) as reader:
        reader.event(Subscribed)
        stream.word = "DISCONNECTED"
        assert reader.event(StatusChanged, 1).word == "DISCONNECTED"
        stream.word = "CONNECTED"
        reader.event(Subscribed, 1)
        assert not [e for e in reader.seen if isinstance(e, Disconnected)]


def test_a_broken_connection_is_opened_again_and_all_is_subscribed_anew(stream: CannedStream) -> None:
    with session(stream.url, TRADES) as reader:
        for number in range(4):
            assert reader.event(Subscribed, number).connection == number + 1
            stream.send(STOCK_TRADE)
            reader.frames(number + 1)
            stream.reset()
            lost = reader.event(Disconnected, number)
            assert isinstance(lost.error, VendorUnreachable)
            assert (lost.connection, lost.attempts) == (number + 1, number + 1)
        reader.event(Subscribed, 4)
        assert [item.connection for item in reader.seen if isinstance(item, Frames)] == [1, 2, 3, 4]


def test_events_stand_between_the_frames_where_they_came(stream: CannedStream) -> None:
    with session(stream.url, TRADES) as reader:
        reader.event(Subscribed)
        state = b'{"header":{"type":"STATE","status":"CONNECTED","state":"STOP"}}'
        stream.send(STOCK_TRADE, state, STOCK_QUOTE)
        reader.frames(2)
        place = reader.seen.index(reader.event(MarketState))
        before = [item.frames for item in reader.seen[:place] if isinstance(item, Frames)]
        after = [item.frames for item in reader.seen[place:] if isinstance(item, Frames)]
        assert (before, after) == ([[STOCK_TRADE]], [[STOCK_QUOTE]])


def test_odd_messages_go_to_the_parser(stream: CannedStream) -> None:
    odd = [b"no json", b"{}", b'{"header":{"type":"NEWS"}}', b'{"header":{"type":"REQ_RESPONSE"}}', b"[1]", b'"x"']
    with session(stream.url) as reader:
        reader.event(StatusChanged)
        stream.send(*odd)
        assert reader.frames(len(odd)) == odd


def test_a_silent_terminal_is_given_up_within_the_heartbeat_time(stream: CannedStream) -> None:
    with session(stream.url, TRADES, watch=Watch(heartbeat_timeout_s=0.5)) as reader:
        reader.event(Subscribed)
        stream.word = None
        lost = reader.event(Disconnected)
        assert isinstance(lost.error, VendorSilent)
        stream.word = "CONNECTED"
        reader.event(Subscribed, 1)


def test_the_time_of_a_long_back_off_is_not_held_against_the_next_connection(stream: CannedStream) -> None:
    hour = {VendorUnreachable: Budget(9, 7200, 7200)}
    with session(stream.url, TRADES, budgets=hour) as reader:
        reader.session.expect_data(60)
        reader.event(Subscribed)
        stream.reset()
        reader.event(Subscribed, 1)
        stream.send(STOCK_TRADE)
        reader.frames(1)
        assert len([e for e in reader.seen if isinstance(e, Disconnected)]) == 1


def test_data_that_is_due_and_does_not_come_is_a_stall_though_the_heart_beats(stream: CannedStream) -> None:
    with session(stream.url, TRADES) as reader:
        reader.session.expect_data(0.3)
        lost = reader.event(Disconnected)
        assert isinstance(lost.error, VendorSilent)
        assert "alive but" in lost.error.message
        reader.session.expect_data(None)
        seen = len([e for e in reader.until(lambda s: s) if isinstance(e, Disconnected)])
        reader.event(Subscribed, seen)


def test_no_data_is_due_where_nothing_is_confirmed_or_the_upstream_is_away(stream: CannedStream) -> None:
    stream.answer = lambda request: "INVALID_PERMS"
    clock = Clock()
    with session(stream.url, TRADES, monotonic=clock.monotonic, watch=Watch(heartbeat_timeout_s=1e6)) as reader:
        reader.session.expect_data(30)
        reader.event(Refused)
        clock.ahead_s += 100
        stream.send(OHLC)
        reader.frames(1)
        stream.answer = lambda request: "SUBSCRIBED"
        reader.session.want([QUOTES])
        reader.event(Subscribed)
        stream.word = "DISCONNECTED"
        reader.event(StatusChanged, 1)
        clock.ahead_s += 100
        stream.word = "CONNECTED"
        reader.event(Subscribed, 1)
        assert not [e for e in reader.seen if isinstance(e, Disconnected)]


def test_the_waits_grow_by_cause_with_full_jitter_and_start_anew_after_a_healthy_time(stream: CannedStream) -> None:
    clock = Clock()
    budgets = {VendorUnreachable: Budget(2, 4, 10)}
    changes = {"budgets": budgets, "monotonic": clock.monotonic, "sleep": clock.sleep}
    with session(stream.url, TRADES, watch=Watch(heartbeat_timeout_s=1e6), **changes) as reader:
        for number in range(4):
            reader.event(Subscribed, number)
            stream.reset()
            reader.event(Disconnected, number)
        assert clock.naps[:4] == [2, 4, 5, 5]
        reader.event(Subscribed, 4)
        clock.ahead_s += 60
        stream.send(STOCK_TRADE)
        reader.frames(1)
        stream.reset()
        reader.event(Disconnected, 4)
        reader.event(Subscribed, 5)
        assert clock.naps[4:5] == [2]
        lost = [(e.attempts, e.exhausted) for e in reader.seen if isinstance(e, Disconnected)]
        assert lost == [(1, False), (2, False), (3, True), (4, True), (1, False)]


def test_a_client_that_was_replaced_says_so_and_does_not_fight(stream: CannedStream) -> None:
    clock = Clock()
    with session(stream.url, TRADES, monotonic=clock.monotonic, sleep=clock.sleep) as reader:
        reader.event(Subscribed)
        stream.clients[-1].close(1000, "replaced by a new client connection")
        lost = reader.event(Disconnected)
        assert isinstance(lost.error, SessionTaken)
        assert lost.exhausted
        reader.event(Subscribed, 1)
        assert clock.naps == [7.5]


@pytest.mark.parametrize(("status", "kind"), [(503, VendorDisconnected), (410, VendorRefused), (403, TierTooLow)])
def test_a_refused_handshake_is_told_by_its_meaning(
    stream: CannedStream, status: int, kind: type[StoculusError]
) -> None:
    stream.handshake_status = status
    with session(stream.url) as reader:
        assert isinstance(reader.event(Disconnected).error, kind)


def test_a_wrong_path_is_refused(stream: CannedStream) -> None:
    with session(stream.url.replace("/v1/", "/v2/")) as reader:
        assert isinstance(reader.event(Disconnected).error, VendorRefused)


def test_a_url_that_is_none_is_told() -> None:
    with session("http://127.0.0.1:1") as reader:
        assert isinstance(reader.event(Disconnected).error, SettingsInvalid)


def raw_server(*answers: bytes) -> tuple[socket.socket, str]:
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        with suppress(OSError):
            connection, _ = listener.accept()
            with connection:
                connection.recv(65536)
                for answer in answers:
                    connection.sendall(answer)
                if not answers:
                    connection.recv(1)

    threading.Thread(target=serve, daemon=True).start()
    return listener, f"ws://127.0.0.1:{listener.getsockname()[1]}/v1/events"


@pytest.mark.parametrize(
    ("answers", "kind"),
    [((), VendorSilent), ((b"SSH-2.0-x\r\n",), VendorUnreachable), ((b"HTTP/1.1 200 OK\r\n\r\n",), StoculusError)],
)
def test_what_is_no_websocket_is_told(answers: tuple[bytes, ...], kind: type[StoculusError]) -> None:
    listener, url = raw_server(*answers)
    with listener, session(url, watch=Watch(connect_timeout_s=0.3)) as reader:
        assert isinstance(reader.event(Disconnected).error, kind)


def test_nobody_at_the_address_is_told_again_and_again() -> None:
    listener, url = raw_server()
    listener.close()
    with session(url) as reader:
        assert isinstance(reader.event(Disconnected, 12).error, VendorUnreachable)


def test_a_message_beyond_all_bounds_ends_the_connection(stream: CannedStream) -> None:
    with session(stream.url, TRADES) as reader:
        reader.event(Subscribed)
        with suppress(ConnectionClosed):
            stream.send(b"x" * (1 << 21))
        assert isinstance(reader.event(Disconnected).error, VendorFault)
        reader.event(Subscribed, 1)


def test_a_message_in_parts_comes_whole(stream: CannedStream) -> None:
    with session(stream.url, TRADES) as reader:
        reader.event(Subscribed)
        text = STOCK_TRADE.decode()
        stream.clients[-1].send([text[:30], text[30:90], text[90:]])
        assert reader.frames(1) == [STOCK_TRADE]


def test_a_slow_taker_never_stops_the_reading_and_is_told_what_was_dropped(stream: CannedStream) -> None:
    with session(stream.url, TRADES, buffer_frames=100) as reader:
        reader.event(Subscribed)
        stream.send(*[STOCK_TRADE] * 1000)
        state = b'{"header":{"type":"STATE","status":"CONNECTED","state":"STOP"}}'
        stream.send(state)
        assert stream.clients[-1].ping().wait(20), "all before it is read"
        reader.event(MarketState)
        kept = sum(len(item.frames) for item in reader.seen if isinstance(item, Frames))
        assert 0 < kept <= 100
        assert kept + sum(e.frames for e in reader.seen if isinstance(e, Dropped)) == 1000
        stream.send(STOCK_QUOTE)
        reader.until(lambda seen: isinstance(seen[-1], Frames) and seen[-1].frames[-1] == STOCK_QUOTE)
        assert not [e for e in reader.seen if isinstance(e, Disconnected)]


def test_a_fault_of_the_session_itself_is_raised_to_the_taker(stream: CannedStream) -> None:
    def broken() -> int:
        raise ZeroDivisionError

    with session(stream.url, now_us=broken) as reader, pytest.raises(Defect, match="ZeroDivisionError"):
        reader.event(Connected)


def test_a_session_can_be_closed_while_it_waits_for_the_next_try() -> None:
    listener, url = raw_server()
    listener.close()
    with session(url, sleep=lambda seconds, aborted: aborted.wait(3600)) as reader:
        reader.event(Disconnected)


def test_a_ping_of_the_terminal_is_answered_and_its_own_pings_go_out(stream: CannedStream) -> None:
    watch = Watch(heartbeat_timeout_s=9, ping_interval_s=0)
    with session(stream.url, TRADES, watch=watch) as reader:
        reader.event(Subscribed)
        assert stream.clients[-1].ping().wait(20)


def test_the_last_of_many_wanted_sets_holds(stream: CannedStream) -> None:
    with session(stream.url) as reader:
        threads = [threading.Thread(target=reader.session.want, args=([TRADES],)) for _ in range(20)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        reader.session.want([QUOTES])
        reader.until(lambda seen: any(isinstance(e, Subscribed) and e.subscription == QUOTES for e in seen))
        told = [type(e) for e in reader.seen if isinstance(e, Subscribed | Unsubscribed) and e.subscription == TRADES]
        assert told.count(Subscribed) <= 1
