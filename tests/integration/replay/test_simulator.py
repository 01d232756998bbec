"""Replays to the WebSocket of a simulator, as a plain client hears them."""

from collections.abc import Iterator
from dataclasses import dataclass

import pyarrow as pa
import pytest

from simulator.testing import running_simulator
from stoculus.errors import InvalidRequest, ServiceUnavailable, SettingsInvalid
from stoculus.instruments import OptionContract
from stoculus.reading.feed import times_us
from stoculus.records.catalog import record_type
from stoculus.replay import Replay, State, Status
from stoculus.settings import VendorSettings
from tests.integration.reading.conftest import CHAIN_QUOTE, OPEN_US, chain_rows
from tests.integration.services.harness import until
from tests.integration.simulator.streaming import QUOTE_FIELDS, TRADE_FIELDS, Listener, Message, listening, of_stream
from tests.integration.written import Selection, Written
from tests.unit.stoculus.reading.feeds import records

S = 1_000_000
DAY_US = 86_400 * S
TRADES = record_type("StockTrade")
OVER_TWO_DAYS = [OPEN_US - 2 * S, *(OPEN_US + n * S // 4 for n in range(100)), OPEN_US + DAY_US + 7 * S]
NBBO = records(record_type("StockQuote"), OVER_TWO_DAYS, bid=[n / 8 for n in range(102)])
TAPE = records(TRADES, OVER_TWO_DAYS, price=[10 + n / 10_000 for n in range(102)], condition=[0] * 102)
CHAIN = chain_rows(CHAIN_QUOTE, [OPEN_US + n * S for n in range(20)])
CONTRACT = OptionContract.parse(str(CHAIN["symbol"][1].as_py()))
CONTRACT_ASKED = {"root": "SPXW", "expiration": 20240105, "strike": CONTRACT.strike_thousandths, "right": "P"}


@pytest.fixture(scope="module")
def ticks(where: VendorSettings) -> Written:
    """Quotes and trades of a stock, and of a chain."""
    chosen = [Selection("AAPL", "quote"), Selection("AAPL", "trade"), Selection("SPXW", "quote", "option")]
    backtest = Written(where.kafka, where.registry, chosen)
    for task, rows in zip(backtest.tasks, (NBBO, TAPE, CHAIN), strict=True):
        task.write(rows).complete()
    return backtest.say("completed")


@dataclass(frozen=True, slots=True)
class Heard:
    """What a client has heard of a replay; where replay and stream were before it had subscribed, and at the end."""

    listener: Listener
    before: Status
    after: Status
    stream: Message


@pytest.fixture(scope="module")
def heard(ticks: Written, where: VendorSettings) -> Iterator[Heard]:
    """By a client of a simulator that would play a day of its own."""
    with running_simulator(sim_live_date="2024-01-02", sim_live_speed="max") as url, listening(url) as listener:
        settings = where.model_copy(update={"theta_url": url})
        with Replay(ticks.backtest_id, to="simulator", speed="max", settings=settings) as replay:
            before = until(lambda: next(filter(waits_for_a_client, [replay.status]), None), "it waits")
            assert listener.request("QUOTE", {"root": "AAPL"}) == "SUBSCRIBED"
            listener.request("TRADE", {"root": "AAPL"})
            listener.request("QUOTE", CONTRACT_ASKED, "OPTION")
            after = replay.wait()
        listener.catch_up()
        yield Heard(listener, before, after, listener.state())


def waits_for_a_client(status: Status) -> bool:
    return (status.state, status.waits_for) == (State.WAITING, "a client that subscribes")


def seconds(rows: pa.RecordBatch, fields: tuple[str, ...]) -> list[tuple[float, ...]]:
    """Rows as the frames say them: the time is in milliseconds of the New York day."""
    columns = [rows[field].to_pylist() for field in fields]
    midnight_us = OPEN_US - 34_200 * S
    times = (times_us(rows) - midnight_us) % DAY_US // 1000
    return list(zip(times.tolist(), *columns, strict=True))


def test_a_client_hears_the_recorded_ticks_in_their_order_as_the_vendor_sends_them(heard: Heard) -> None:
    listener = heard.listener
    quotes = [each for each in listener.messages if each["header"]["type"] == "QUOTE"]
    of_stock, of_chain = (
        [each["quote"] for each in quotes if each["contract"]["security_type"] == kind] for kind in ("STOCK", "OPTION")
    )
    assert of_stream(of_stock, QUOTE_FIELDS) == seconds(NBBO, QUOTE_FIELDS)
    assert of_stream(of_chain, QUOTE_FIELDS) == seconds(CHAIN.take(pa.array(range(1, 80, 4))), QUOTE_FIELDS)
    assert of_stream(listener.bodies("TRADE"), TRADE_FIELDS) == seconds(TAPE, TRADE_FIELDS)
    assert [body["date"] for body in of_stock] == [20240102] * 101 + [20240103]

    told = [each["header"].get("state") or each["header"]["type"] for each in listener.messages]
    events = [each for each in told if each not in ("STATUS", "REQ_RESPONSE")]
    one_time = ["QUOTE", "OHLC", "TRADE"]
    assert events[:4] == [*one_time, "START"]
    assert events[4:8] == ["QUOTE", "OHLC", "TRADE", "QUOTE"]
    assert events[-6:] == ["STOP", "START", *one_time, "STOP"]
    bars = listener.bodies("OHLC")
    assert bars[100]["volume"] == int(TAPE["size"].to_numpy()[:101].sum())
    assert (bars[101]["open"], bars[101]["count"]) == (TAPE["price"][101].as_py(), 1)


def test_it_waits_until_something_is_subscribed_and_the_simulators_own_day_is_quiet(heard: Heard) -> None:
    assert heard.before.records == 0
    assert heard.after.records == NBBO.num_rows + TAPE.num_rows + CHAIN.num_rows
    assert heard.stream["ticks_sent"] == NBBO.num_rows + TAPE.num_rows + CHAIN.num_rows // 4
    assert (heard.stream["position"], heard.stream["tape"]) == (None, "2024-01-03T09:30:07.000000")

    heard.listener.http.delete("/__tape")
    until(lambda: heard.listener.state()["position"], "its own day goes on")


def test_what_the_vendor_does_not_stream_is_refused(history: Written, where: VendorSettings) -> None:
    with pytest.raises(InvalidRequest, match="ohlcv1m") as refused:
        Replay(history.backtest_id, to="simulator", settings=where)

    assert refused.value.remedy == f"Choose topics: --topic {history.topics[0]}."


def test_what_is_no_simulator_is_told(ticks: Written, where: VendorSettings) -> None:
    def replay(url: str) -> Replay:
        settings = where.model_copy(update={"theta_url": url})
        return Replay(ticks.backtest_id, to="simulator", settings=settings)

    with pytest.raises(ServiceUnavailable, match="does not answer"), replay("http://127.0.0.1:1"):
        pass
    other = where.registry_url.partition("/apis")[0]
    with pytest.raises(SettingsInvalid, match="takes no tape"), replay(other):
        pass
