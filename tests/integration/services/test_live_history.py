"""History as a live topic holds it: a played day, streamed and asked for, is the same records byte for byte."""

import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

import httpx2
import numpy as np
import pyarrow as pa
import pytest

from services.kit.chains import Chains
from services.kit.names import NameList
from services.kit.service import utc_now
from services.live_stream.healing.difference import Records, missing
from services.live_stream.healing.history import History
from services.live_stream.rows import Rows
from services.live_stream.topic import LiveTopic
from simulator.testing import running_simulator
from stoculus.errors import VendorAnswerMalformed, VendorUnreachable
from stoculus.instruments import OptionContract, Stock
from stoculus.records.codec import encode
from stoculus.streams import OptionFeed, StockFeed
from tests.unit.services.live_stream.making import micros
from theta_client.client import ThetaClient, Tier
from theta_client.stream.buffer import Frames
from theta_client.stream.events import Subscribed
from theta_client.stream.parse import Parser
from theta_client.stream.session import StreamSession
from theta_client.stream.subscription import Subscription

DAY, NEXT_DAY = date(2024, 1, 3), date(2024, 1, 4)
MIDNIGHT_US, NEXT_US = micros(DAY, 0, 0), micros(NEXT_DAY, 0, 0)
STOCKS = [Stock("SYM0001"), Stock("BRK.B")]
TICKS = ("quote", "trade")


def stock_topic(stock: Stock, schema: str) -> LiveTopic:
    return LiveTopic.of(StockFeed.model_validate({"ticker": stock.ticker, "schema": schema}))


def option_topic(schema: str) -> LiveTopic:
    return LiveTopic.of(OptionFeed.model_validate({"root": "A", "schema": schema, "expirations": "all"}))


def history_of(url: str, **settings: Any) -> tuple[ThetaClient, History]:
    client = ThetaClient(url, Tier.PRO, **settings)
    return client, History(client, NameList("stock", client.symbols, utc_now), Chains(client, utc_now))


@dataclass
class Played:
    """A simulator that has played its day, and what it streamed, by asset and kind of ticks."""

    url: str
    contracts: list[OptionContract] = field(default_factory=list)
    streamed: dict[tuple[str, str], list[pa.RecordBatch]] = field(default_factory=dict)

    def play(self, stocks: list[Stock]) -> None:
        parser, rows = Parser(), Rows()
        for frames in self._frames([*stocks, *self.contracts]):
            parsed = parser.parse(frames)
            assert not parsed.malformed
            for ticks, lives in (
                ("quote", rows.quotes(parsed.quotes, parser.instruments)),
                ("trade", rows.trades(parsed.trades, parser.instruments)),
            ):
                for asset, live in lives.items():
                    self.streamed.setdefault((asset, ticks), []).append(live.records)

    def _frames(self, instruments: list[Stock | OptionContract]) -> Iterator[Frames]:
        state = httpx2.get(f"{self.url}/__stream").json()
        wanted = [Subscription(ticks, one) for one in instruments for ticks in ("quote", "trade")]
        last = Subscription("quote", Stock("NOTHING"))
        with StreamSession(state["url"], buffer_frames=10_000_000) as session:
            session.want(wanted)
            while True:
                for item in session.take(10_000, 0.2):
                    if isinstance(item, Frames):
                        yield item
                    elif isinstance(item, Subscribed) and item.subscription == last:
                        return  # behind all ticks of the day
                state = httpx2.get(f"{self.url}/__stream").json()
                if state["position"] and not state["loading"] and not state["ticks_left"]:
                    session.want([*wanted, last])

    def records(self, topic: LiveTopic, from_us: int, until_us: int) -> Records:
        """What was streamed to a topic in a window."""
        found = []
        for batch in self.streamed.get((topic.asset, topic.ticks), []):
            times = batch["ts_event"].cast(pa.int64()).to_numpy()
            symbols = np.array(batch["symbol" if topic.asset == "stock" else "root"].to_pylist())
            found.append(batch.filter(pa.array((times >= from_us) & (times < until_us) & (symbols == topic.symbol))))
        return records_of(topic, found)


def records_of(topic: LiveTopic, batches: list[pa.RecordBatch]) -> Records:
    whole: Any = pa.Table.from_batches(batches, topic.tick_record.arrow).combine_chunks()
    columns = {name: whole[name].combine_chunks() for name in ("symbol", "ts_event")}
    bodies = [encode(batch, topic.tick_record) for batch in batches]
    return Records(columns["symbol"], columns["ts_event"], pa.concat_arrays([pa.array([], pa.binary()), *bodies]))


@pytest.fixture(scope="module")
def played() -> Iterator[Played]:
    with running_simulator(sim_live_date=DAY, sim_live_speed="max") as url, ThetaClient(url, Tier.PRO) as client:
        played = Played(url)
        traded = client.option_contracts("trade", "A", DAY)
        expirations = sorted({contract.expiration for contract in traded})[:2]
        by_expiration = [[one for one in traded if one.expiration == expiration] for expiration in expirations]
        played.contracts = [one for some in by_expiration for one in some[len(some) // 2 - 4 : len(some) // 2 + 4]]
        played.play(STOCKS)
        yield played


@pytest.fixture(scope="module")
def history(played: Played) -> Iterator[History]:
    client, made = history_of(played.url)
    with client:
        yield made


def asked(
    history: History, topic: LiveTopic, instruments: list[Any], from_us: int = MIDNIGHT_US, until_us: int = NEXT_US
) -> list[pa.RecordBatch]:
    batches = list(history.records(topic, instruments, from_us, until_us, threading.Event()))
    assert all(batch.schema == topic.tick_record.arrow for batch in batches)
    return batches


def check_same(found: Records, streamed: Records) -> None:
    assert missing(found, streamed).tolist() == missing(streamed, found).tolist() == []
    assert len(found) == len(streamed)


@pytest.mark.parametrize("ticks", TICKS)
@pytest.mark.parametrize("stock", STOCKS, ids=lambda stock: stock.ticker)
def test_a_day_of_a_stock_is_what_was_streamed(played: Played, history: History, stock: Stock, ticks: str) -> None:
    topic = stock_topic(stock, ticks)

    found = records_of(topic, asked(history, topic, [stock]))

    streamed = played.records(topic, MIDNIGHT_US, NEXT_US)
    assert len(streamed) > 1_000
    check_same(found, streamed)
    assert found.bodies.equals(streamed.bodies)


@pytest.mark.parametrize("ticks", TICKS)
def test_a_day_of_contracts_is_what_was_streamed_in_the_order_of_a_topic(
    played: Played, history: History, ticks: str
) -> None:
    topic = option_topic(ticks)

    batches = asked(history, topic, played.contracts)

    streamed = played.records(topic, MIDNIGHT_US, NEXT_US)
    assert len(streamed) > 20
    check_same(records_of(topic, batches), streamed)
    names = ("ts_event", "expiration", "strike", "right")
    keys = [key for batch in batches for key in zip(*(batch[name].to_pylist() for name in names), strict=True)]
    assert keys == sorted(keys)
    assert len({key[1:] for key in keys}) == len(played.contracts)


@pytest.mark.parametrize("some", [slice(1), slice(2), slice(3, 5)])
def test_only_wanted_contracts_are_given_however_they_are_asked_for(
    played: Played, history: History, some: slice
) -> None:
    topic, wanted = option_topic("trade"), played.contracts[some]

    batches = asked(history, topic, wanted)

    assert {symbol for batch in batches for symbol in batch["symbol"].to_pylist()} == {one.osi for one in wanted}


@pytest.mark.parametrize("ticks", TICKS)
def test_a_window_begins_and_ends_at_its_microsecond(played: Played, history: History, ticks: str) -> None:
    for topic, instruments in (
        (stock_topic(STOCKS[0], ticks), [STOCKS[0]]),
        (option_topic(ticks), played.contracts),
    ):
        times: Any = played.records(topic, MIDNIGHT_US, NEXT_US).ts_event.cast(pa.int64()).to_numpy()
        first, last = int(times[len(times) // 3]), int(times[len(times) // 2])
        for low, high in ((first, last), (first + 1, last + 1), (first - 500, last - 500), (first, first)):
            found = records_of(topic, asked(history, topic, instruments, low, high))

            check_same(found, played.records(topic, low, high))


def test_bars_are_given_as_their_trades(played: Played, history: History) -> None:
    topic = stock_topic(STOCKS[0], "ohlcv1m")

    assert asked(history, topic, [STOCKS[0]]) == asked(history, stock_topic(STOCKS[0], "trade"), [STOCKS[0]])


def test_several_days_come_one_by_one_with_one_request_each(played: Played, history: History) -> None:
    topic = stock_topic(STOCKS[0], "trade")
    httpx2.delete(f"{played.url}/__requests")

    batches = asked(history, topic, [STOCKS[0]], micros(date(2023, 12, 29), 15, 0), micros(NEXT_DAY, 10, 0))

    days = [batch["ts_event"][0].as_py().date() for batch in batches]
    assert days == sorted(days)
    assert {date(2023, 12, 29), date(2024, 1, 2), DAY, NEXT_DAY} == set(days)
    log = httpx2.get(f"{played.url}/__requests", params={"path": "stock/history/trade"}).json()
    sent = [request["query"] for request in log["requests"]]
    assert len(sent) == 7
    assert {request["venue"] for request in sent} == {"nqb"}
    assert (sent[0]["start_time"], sent[0]["end_time"]) == ("15:00:00.000", "23:59:59.999")
    assert (sent[-1]["start_time"], sent[-1]["end_time"]) == ("00:00:00.000", "09:59:59.999")


@pytest.mark.parametrize(
    ("friday", "monday"), [(date(2024, 3, 8), date(2024, 3, 11)), (date(2024, 11, 1), date(2024, 11, 4))]
)
def test_a_window_over_a_change_of_the_clocks_has_the_rows_of_its_days(
    history: History, friday: date, monday: date
) -> None:
    topic, from_us, until_us = stock_topic(STOCKS[0], "trade"), micros(friday, 15, 0), micros(monday, 10, 0)

    whole = records_of(topic, asked(history, topic, STOCKS[:1], from_us, until_us))

    parts = [(from_us, micros(friday, 23, 0)), (micros(monday, 1, 0), until_us)]
    alone = [batch for part in parts for batch in asked(history, topic, STOCKS[:1], *part)]
    check_same(whole, records_of(topic, alone))
    times: Any = whole.ts_event.cast(pa.int64()).to_numpy()
    assert from_us <= times[0] < micros(friday, 16, 0) < micros(monday, 9, 30) < times[-1] < until_us


def test_expired_contracts_and_no_contracts_are_nothing_and_nothing_is_asked(played: Played, history: History) -> None:
    expired = OptionContract("A", date(2024, 1, 2), 100_000, "call")

    assert asked(history, option_topic("trade"), [expired]) == asked(history, option_topic("trade"), []) == []
    assert asked(history, stock_topic(STOCKS[0], "trade"), []) == []


def test_a_day_without_data_is_nothing(history: History) -> None:
    saturday = date(2024, 1, 6)

    found = asked(history, stock_topic(STOCKS[0], "trade"), STOCKS[:1], micros(saturday, 0, 0), micros(saturday, 9, 0))

    assert found == []


def test_a_row_that_cannot_be_read_is_no_history(played: Played) -> None:
    client, history = history_of(played.url)
    fault = {"match": {"path": "stock/history/trade"}, "fault": {"kind": "drop_cell"}}
    with client:
        httpx2.post(f"{played.url}/__faults", json=fault).raise_for_status()
        try:
            with pytest.raises(VendorAnswerMalformed, match="cannot be read"):
                asked(history, stock_topic(STOCKS[0], "trade"), STOCKS[:1])
        finally:
            httpx2.delete(f"{played.url}/__faults")


def test_a_vendor_that_is_away_is_told() -> None:
    client, history = history_of("http://127.0.0.1:9", sleep=lambda *_: None)
    with client, pytest.raises(VendorUnreachable):
        asked(history, stock_topic(STOCKS[0], "trade"), STOCKS[:1])


@pytest.mark.chaos
@pytest.mark.recordings
def test_a_recorded_day_is_what_was_streamed(recordings: Path) -> None:
    day, stock = date(2013, 10, 7), Stock("BAC")
    window = micros(day, 0, 0), micros(date(2013, 10, 8), 0, 0)
    with running_simulator(sim_recordings=recordings, sim_live_date=day, sim_live_speed="max") as url:
        one = Played(url)
        one.play([stock])
        client, history = history_of(url)
        with client:
            for ticks in TICKS:
                topic = stock_topic(stock, ticks)
                found = records_of(topic, asked(history, topic, [stock], *window))
                check_same(found, one.records(topic, *window))
                assert len(found) > 10_000
