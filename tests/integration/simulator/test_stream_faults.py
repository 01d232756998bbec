"""Scripted faults of the simulator's stream."""

from collections.abc import Iterator
from itertools import pairwise

import pytest
from websockets.exceptions import ConnectionClosedError

from simulator.testing import running_simulator
from tests.integration.simulator.streaming import Listener, listening

LOAD = {"root": "LOAD"}


@pytest.fixture(scope="module")
def simulator_url() -> Iterator[str]:
    """A day at its own pace."""
    with running_simulator(sim_live_date="2024-01-03", sim_live_speed=20) as url:
        yield url


@pytest.fixture
def live(simulator_url: str) -> Iterator[Listener]:
    """A client that gets quotes."""
    with listening(simulator_url) as listener:
        listener.http.delete("/__faults")
        listener.request("QUOTE", LOAD)
        listener.receive_until("QUOTE")
        yield listener
        listener.http.delete("/__faults")
        listener.switch()


def test_a_dropped_connection_is_1006_and_the_day_goes_on(live: Listener, simulator_url: str) -> None:
    live.fault(kind="stream_drop")
    with pytest.raises(ConnectionClosedError) as closed:
        live.receive_for_ever()
    assert closed.value.rcvd is None

    last = live.bodies("QUOTE")[-1]["ms_of_day"]
    with listening(simulator_url) as again:  # subscriptions are the terminal's: they outlive the connection
        assert again.receive_until("QUOTE")["quote"]["ms_of_day"] > last


def test_a_half_open_connection_is_open_and_says_nothing(live: Listener) -> None:
    live.fault(kind="stream_half_open")
    with pytest.raises(TimeoutError):
        live.receive_for_ever(timeout=1)
    assert not live.socket.ping().wait(0.3)


def test_silence_is_of_ticks_alone(live: Listener) -> None:
    lost = live.state()["ticks_lost"]
    live.fault(kind="stream_silence", seconds=60)
    live.catch_up()
    live.messages.clear()
    live.receive_until("STATUS", 3)
    assert not live.bodies("QUOTE")

    live.fault(kind="stream_silence", seconds=0.1)
    live.receive_until("QUOTE")
    assert live.state()["ticks_lost"] > lost


def test_a_terminal_without_vendor_says_so_refuses_and_comes_back(live: Listener) -> None:
    live.fault(kind="stream_disconnected", seconds=60)

    assert live.request("TRADE", LOAD) == "ERROR"
    assert live.receive_until("STATUS")["header"]["status"] == "DISCONNECTED"

    live.fault(kind="stream_disconnected", seconds=0.1)
    live.receive_until("QUOTE")
    assert live.state()["status"] == "CONNECTED"


@pytest.mark.parametrize("restored", ["none", "half"])
def test_subscriptions_may_be_lost_with_the_vendor(live: Listener, restored: str) -> None:
    live.request("TRADE", LOAD)
    live.switch(restored=restored)
    live.fault(kind="stream_disconnected", seconds=0.1)

    assert live.state()["subscriptions"] == {"none": 0, "half": 1}[restored]
    live.request("TRADE", LOAD, add=False)


@pytest.mark.parametrize("word", ["ERROR", "MAX_STREAMS_REACHED", "INVALID_PERMS"])
def test_a_subscription_is_refused_so_many_times(live: Listener, word: str) -> None:
    script = {"times": 2, "match": {"symbol": "AAPL"}, "fault": {"kind": "stream_refused", "response": word}}
    live.http.post("/__faults", json=script)

    assert live.request("TRADE", {"root": "SYM0001"}) == "SUBSCRIBED"
    assert [live.request("QUOTE", {"root": "AAPL"}) for _ in range(3)] == [word, word, "SUBSCRIBED"]
    asked = live.http.get("/__requests", params={"path": "stream", "symbol": "AAPL"}).json()["requests"]
    assert [each["status"] for each in asked][-3:] == [word, word, "SUBSCRIBED"]
    for what, root in (("TRADE", "SYM0001"), ("QUOTE", "AAPL")):
        live.request(what, {"root": root}, add=False)


def test_a_duplicate_is_the_same_tick_twice(live: Listener) -> None:
    live.messages.clear()
    live.fault(kind="stream_duplicate")
    live.catch_up()
    live.receive_until("STATUS", 2)

    quotes = live.bodies("QUOTE")
    assert sum(one == other for one, other in pairwise(quotes)) == 1


def test_a_backward_tick_is_older_than_the_one_before(live: Listener) -> None:
    live.messages.clear()
    live.fault(kind="stream_backward")
    live.catch_up()
    live.receive_until("STATUS", 2)

    times = [quote["ms_of_day"] for quote in live.bodies("QUOTE")]
    assert sum(later < earlier for earlier, later in pairwise(times)) == 1


def test_a_burst_plays_faster(live: Listener) -> None:
    def played_ms() -> int:
        live.messages.clear()
        live.receive_until("STATUS", 5)
        times = [quote["ms_of_day"] for quote in live.bodies("QUOTE")]
        return int(times[-1] - times[0])

    usual = played_ms()
    live.fault(kind="stream_burst", seconds=30, factor=50)
    live.catch_up()

    assert played_ms() > 5 * usual


def test_another_login_disconnects_the_stream_too(live: Listener) -> None:
    live.http.post("/__faults", json={"fault": {"kind": "another_login"}})
    live.catch_up()

    assert live.receive_until("STATUS")["header"]["status"] == "DISCONNECTED"
    assert live.request("TRADE", LOAD) == "ERROR"


def test_stop_ends_all_subscriptions(live: Listener) -> None:
    live.send({"msg_type": "STOP"})
    live.request("QUOTE", LOAD, add=False)
    live.messages.clear()
    live.receive_until("STATUS", 3)

    assert not live.bodies("QUOTE")


def test_a_fault_of_the_stream_strikes_no_request_over_http(live: Listener) -> None:
    live.http.post("/__faults", json={"fault": {"kind": "stream_refused"}})

    assert live.http.get("/v3/stock/list/symbols").status_code == 200
    assert live.http.get("/__faults").json()[0]["seen"] == 0
