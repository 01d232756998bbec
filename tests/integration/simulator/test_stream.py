"""The simulator's stream over a real socket: the protocol, and that a played day is its history."""

from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import httpx2
import orjson
import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect

from simulator.testing import running_simulator
from tests.integration.simulator.streaming import (
    QUOTE_FIELDS,
    TRADE_FIELDS,
    Listener,
    Message,
    history,
    listening,
    of_history,
    of_stream,
)

DAY = "2024-01-03"
SMALL = {"root": "SYM0001"}


@pytest.fixture
def played() -> Iterator[Listener]:
    """A day as fast as it is taken."""
    with running_simulator(sim_live_date=DAY, sim_live_speed="max") as url, listening(url) as listener:
        yield listener


@pytest.fixture(scope="module")
def stock_day() -> Iterator[Listener]:
    """All that is streamed of a stock, received to the end of its day."""
    with running_simulator(sim_live_date=DAY, sim_live_speed="max") as url, listening(url) as listener:
        for what in ("QUOTE", "TRADE", "MARKET_VALUE"):
            assert listener.request(what, SMALL) == "SUBSCRIBED"
        listener.receive_day()
        yield listener


@pytest.fixture(scope="module")
def silent_url() -> Iterator[str]:
    """Nothing that exists is subscribed here: no day is played."""
    with running_simulator(sim_live_date=DAY) as url:
        yield url


@pytest.fixture
def silent(silent_url: str) -> Iterator[Listener]:
    with listening(silent_url) as listener:
        yield listener


def test_a_cold_terminal_logs_in_with_the_first_subscription_and_holds_the_answer() -> None:
    with running_simulator(sim_live_date=DAY) as url, listening(url, login_s=0.5) as listener:
        status = f"{url}/v3/terminal/fpss/status"
        assert listener.receive() == {"header": {"type": "STATUS", "status": "DISCONNECTED"}}
        assert httpx2.get(status).text == "DISCONNECTED"

        assert listener.request("QUOTE", SMALL) == "SUBSCRIBED"

        words = [message["header"]["status"] for message in listener.messages]
        assert "UNVERIFIED" in words
        assert words[-1] == "CONNECTED"
        assert httpx2.get(status).text == "CONNECTED"


def test_a_played_day_of_a_stock_is_its_history(stock_day: Listener) -> None:
    query = {"symbol": "SYM0001", "date": DAY}
    trades = history(stock_day, "stock/history/trade", query)
    quotes = history(stock_day, "stock/history/quote", {**query, "interval": "tick"})
    assert of_stream(stock_day.bodies("TRADE"), TRADE_FIELDS) == of_history(trades, TRADE_FIELDS)
    assert of_stream(stock_day.bodies("QUOTE"), QUOTE_FIELDS) == of_history(quotes, QUOTE_FIELDS)
    assert {body["date"] for kind in ("TRADE", "QUOTE", "OHLC") for body in stock_day.bodies(kind)} == {20240103}
    _check_order(stock_day)
    bar = history(stock_day, "stock/history/eod", {"symbol": "SYM0001", "start_date": DAY, "end_date": DAY})[0]
    before = [body for body in stock_day.bodies("OHLC") if body["ms_of_day"] < 62_100_000][-1]
    assert all(before[name] == float(bar[name]) for name in ("open", "high", "low", "close", "volume"))


def _check_order(played: Listener) -> None:
    ticks = [each for each in played.messages if each["header"]["type"] in ("QUOTE", "OHLC", "TRADE")]
    times = [each[each["header"]["type"].lower()]["ms_of_day"] for each in ticks]
    assert all(earlier <= later for earlier, later in pairwise(times))
    kinds = [each["header"]["type"] for each in ticks]
    assert all(after == "TRADE" for kind, after in pairwise(kinds) if kind == "OHLC")
    assert all(before == "OHLC" for before, kind in pairwise(kinds) if kind == "TRADE")
    assert len({tuple(each["header"]) for each in ticks}) == 2  # either order of keys


def test_the_session_starts_before_the_ticks_of_the_open_and_stops_behind_those_of_the_close(
    stock_day: Listener,
) -> None:
    states = [at for at, message in enumerate(stock_day.messages) if message["header"]["type"] == "STATE"]
    assert [stock_day.messages[at]["header"]["state"] for at in states] == ["START", "STOP"]
    before, inside, after = (
        [each["quote"]["ms_of_day"] for each in part if "quote" in each]
        for part in (
            stock_day.messages[: states[0]],
            stock_day.messages[states[0] : states[1]],
            stock_day.messages[states[1] :],
        )
    )
    assert max(before) < 34_200_000 <= min(inside)
    assert max(inside) <= 57_600_000 < min(after)


def test_a_played_day_of_options_is_its_history(played: Listener) -> None:
    contracts: list[Message] = [
        {"root": "AAPL", "expiration": 20240105, "strike": strike, "right": right} for strike, right in _near(played)
    ]
    for contract in contracts:
        for what in ("TRADE", "QUOTE"):
            assert played.request(what, contract, "OPTION") == "SUBSCRIBED"
    played.receive_day()

    sequences = []
    for contract in contracts:
        own = {"security_type": "OPTION", **contract}
        some = [message for message in played.messages if message.get("contract") == own]
        query = {
            "symbol": "AAPL",
            "expiration": "2024-01-05",
            "strike": f"{contract['strike'] / 1000:.3f}",
            "right": "call" if contract["right"] == "C" else "put",
            "date": DAY,
        }
        quotes = history(played, "option/history/quote", {**query, "interval": "tick"})
        trades = history(played, "option/history/trade", query)
        assert of_stream([each["quote"] for each in some if "quote" in each], QUOTE_FIELDS) == of_history(
            quotes, QUOTE_FIELDS
        )
        assert of_stream([each["trade"] for each in some if "trade" in each], TRADE_FIELDS) == of_history(
            trades, TRADE_FIELDS
        )
        sequences += [int(trade["sequence"]) for trade in trades]
    assert sequences
    _check_order(played)


def _near(listener: Listener) -> list[tuple[int, str]]:
    query = {"symbol": "AAPL", "date": DAY, "format": "ndjson"}
    answer = listener.http.get("/v3/option/list/contracts/trade", params=query)
    rows = [orjson.loads(line) for line in answer.text.splitlines()]
    some = [row for row in rows if row["expiration"] == "2024-01-05"][:3]
    return [(round(float(row["strike"]) * 1000), row["right"][0]) for row in some]


@pytest.mark.chaos
@pytest.mark.recordings
def test_a_recorded_day_is_its_history(recordings: Path) -> None:
    with (
        running_simulator(sim_recordings=recordings, sim_live_date="2013-10-07", sim_live_speed="max") as url,
        listening(url) as listener,
    ):
        for what in ("TRADE", "QUOTE"):
            assert listener.request(what, {"root": "IBM"}) == "SUBSCRIBED"
        listener.receive_day()

        query = {"symbol": "IBM", "date": "2013-10-07"}
        trades = history(listener, "stock/history/trade", query)
        quotes = history(listener, "stock/history/quote", {**query, "interval": "tick"})
        assert of_stream(listener.bodies("TRADE"), TRADE_FIELDS) == of_history(trades, TRADE_FIELDS)
        assert of_stream(listener.bodies("QUOTE"), QUOTE_FIELDS) == of_history(quotes, QUOTE_FIELDS)


def test_the_full_stream_of_stocks_is_a_quote_a_bar_and_the_trade() -> None:
    settings = {"sim_live_date": DAY, "sim_live_speed": "max", "sim_bulk_symbols": "SYM0001,SYM0002"}
    with running_simulator(**settings) as url, listening(url) as listener:
        assert listener.request("TRADE", None) == "SUBSCRIBED"
        listener.receive_day()

        ticks = [message for message in listener.messages if "contract" in message]
        kinds = [message["header"]["type"] for message in ticks]
        assert kinds == ["QUOTE", "OHLC", "TRADE"] * 4_000
        assert {message["contract"]["root"] for message in ticks} == {"SYM0001", "SYM0002"}


def test_the_full_stream_of_options_has_the_next_two_quotes_too() -> None:
    settings = {"sim_live_date": DAY, "sim_live_speed": "max", "sim_bulk_symbols": "A"}
    with running_simulator(**settings) as url, listening(url) as listener:
        assert listener.request("TRADE", None, "OPTION") == "SUBSCRIBED"
        listener.receive_day()

        by_contract: dict[str, list[str]] = {}
        for message in listener.messages:
            if "contract" in message:
                by_contract.setdefault(str(message["contract"]), []).append(message["header"]["type"])
        once = [kinds for kinds in by_contract.values() if kinds.count("TRADE") == 1 and len(kinds) == 5]
        assert once
        assert all(kinds == ["QUOTE", "OHLC", "TRADE", "QUOTE", "QUOTE"] for kinds in once)


def test_a_market_value_is_between_bid_and_ask(stock_day: Listener) -> None:
    values = stock_day.bodies("MARKET_VALUE")
    assert len(values) == 6_000
    assert all(value["market_bid"] <= value["market_price"] <= value["market_ask"] for value in values)


def test_a_contract_that_does_not_exist_is_subscribed_and_silent(silent: Listener) -> None:
    assert silent.request("TRADE", {"root": "NOSUCH"}) == "SUBSCRIBED"
    contract = {"root": "AAPL", "expiration": 18821117, "strike": 1, "right": "P"}
    assert silent.request("QUOTE", contract, "OPTION") == "SUBSCRIBED"
    silent.receive_until("STATUS", 3)

    assert not [message for message in silent.messages if "contract" in message]
    assert silent.state()["position"] is None  # the day waits for something that has ticks
    silent.send({"msg_type": "STOP"})


def test_a_python_literal_with_strings_is_read(silent: Listener) -> None:
    contract = {"root": "NOSUCH", "expiration": "20240105", "strike": "4700000", "right": "C"}
    asked = {
        "msg_type": "STREAM",
        "sec_type": "OPTION",
        "req_type": "QUOTE",
        "add": True,
        "id": 7,
        "contract": contract,
    }
    silent.send(str(asked))

    assert silent.receive_until("REQ_RESPONSE")["header"]["req_id"] == 7


def test_a_malformed_request_is_not_answered_and_the_connection_stays(silent: Listener) -> None:
    for text in ("{", "[]", '{"msg_type":"STREAM"}', "{'a':}"):
        silent.send(text)

    assert silent.request("QUOTE", {"root": "NOSUCH"}) == "SUBSCRIBED"
    assert sum(each["header"]["type"] == "REQ_RESPONSE" for each in silent.messages) == 1


def test_a_strict_terminal_that_closes_does_so_at_what_an_ordinary_one_reads(silent: Listener) -> None:
    silent.switch(strict=True, malformed="close")
    silent.send(str({"msg_type": "STOP"}))
    with pytest.raises(ConnectionClosed) as closed:
        silent.receive_for_ever()
    silent.switch()

    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 1003


def test_without_ohlc_and_states_a_trade_comes_alone(played: Listener) -> None:
    played.switch(ohlc=False, states=False, eager_login=True)
    played.request("TRADE", SMALL)
    played.receive_day()

    assert len(played.bodies("TRADE")) == 2_000
    assert {message["header"]["type"] for message in played.messages} == {"STATUS", "REQ_RESPONSE", "TRADE"}


def test_another_path_is_404(silent: Listener) -> None:
    with pytest.raises(InvalidStatus, match="404"), connect(silent.state()["url"].replace("events", "other")):
        pass


def test_a_low_tier_streams_nothing() -> None:
    with running_simulator(sim_tier="value", sim_live_date=DAY) as url, listening(url) as listener:
        assert listener.request("QUOTE", SMALL) == "INVALID_PERMS"


def test_beyond_the_tier_s_number_is_max_streams_reached() -> None:
    with running_simulator(sim_tier="standard", sim_live_date=DAY) as url, listening(url) as listener:
        answers = [listener.request("QUOTE", {"root": f"X{number}"}) for number in range(1_001)]

        assert answers == ["SUBSCRIBED"] * 1_000 + ["MAX_STREAMS_REACHED"]
        assert listener.request("QUOTE", {"root": "X1"}, add=False) == "SUBSCRIBED"
        assert listener.request("QUOTE", {"root": "X1000"}) == "SUBSCRIBED"
        assert listener.request("TRADE", None) == "INVALID_PERMS"


def test_a_second_client_replaces_the_first(silent: Listener) -> None:
    with listening(str(silent.http.base_url)), pytest.raises(ConnectionClosed) as closed:
        silent.receive_for_ever()

    assert closed.value.rcvd is not None
    assert (closed.value.rcvd.code, closed.value.rcvd.reason) == (1000, "replaced by a new client connection")


@pytest.mark.parametrize(("policy", "first_gets_ticks"), [("broadcast", True), ("starve", False)])
def test_a_second_client_may_be_let_in(played: Listener, policy: str, first_gets_ticks: bool) -> None:
    played.switch(second_client=policy)
    with listening(str(played.http.base_url)) as second:
        second.request("QUOTE", SMALL)
        second.receive_day()
        played.receive_day()

    assert len(second.bodies("QUOTE")) == 6_000
    assert bool(played.bodies("QUOTE")) is first_gets_ticks


def test_a_later_subscription_joins_the_day_where_it_is() -> None:
    with running_simulator(sim_live_date=DAY, sim_live_speed=5_000) as url, listening(url) as listener:
        listener.request("QUOTE", {"root": "SYM0002"})
        reached = listener.receive_until("QUOTE", 20)["quote"]["ms_of_day"]
        listener.request("TRADE", SMALL)
        listener.receive_until("TRADE", 100)

        trades = history(listener, "stock/history/trade", {"symbol": "SYM0001", "date": DAY})
        come = of_stream(listener.bodies("TRADE"), TRADE_FIELDS)
        whole = of_history(trades, TRADE_FIELDS)
        assert come == whole[(first := whole.index(come[0])) : first + len(come)]
        assert come[0][0] >= reached
        listener.request("QUOTE", {"root": "SYM0002"}, add=False)
        listener.messages.clear()
        listener.receive_until("TRADE", 100)
        assert not listener.bodies("QUOTE")


def test_without_a_date_the_clock_s_day_goes_on_from_the_clock_s_time() -> None:
    with running_simulator(sim_clock="2024-01-03T12:00:00-05:00") as url, listening(url) as listener:
        listener.request("QUOTE", {"root": "AAPL"})
        first = listener.receive_until("QUOTE")["quote"]

        assert first["date"] == 20240103
        assert 12 * 3_600_000 <= first["ms_of_day"] < 13 * 3_600_000
