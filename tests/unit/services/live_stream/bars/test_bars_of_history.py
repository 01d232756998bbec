"""Live bars against history: the simulator's own bars byte by byte, and recorded days against plain Python."""

import csv
import threading
from collections.abc import Iterator
from datetime import date
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from services.historical_option.job import OptionJob
from services.historical_option.sort import ChainSorter
from services.historical_stock.job import StockJob
from services.kit.chains import Chains
from services.kit.job import Job
from services.kit.names import NameList
from services.kit.service import utc_now
from services.live_stream.bars.builder import BarBuilder
from services.live_stream.bars.grid import Hours
from simulator.testing import running_simulator
from stoculus.calendar import Session, option_session_hours, session_hours
from stoculus.records.catalog import INTERVAL_US, RecordType, Schema, parse_schema
from stoculus.records.codec import decode, encode
from stoculus.tasks import OptionTask, StockTask
from tests.unit.services.live_stream.making import PlainBars, Trade, bars_in, bodies_in, micros
from theta_client.client import ThetaClient, Tier

DAY, HALF_DAY, RECORDED = date(2024, 1, 3), date(2015, 12, 24), date(2013, 10, 7)
GRACE_US = 2_000_000


@pytest.fixture(scope="module")
def client() -> Iterator[ThetaClient]:
    with running_simulator() as url, ThetaClient(url, Tier.PRO) as client:
        yield client


@pytest.fixture(scope="module")
def recorded(recordings: Path) -> Iterator[ThetaClient]:
    with running_simulator(sim_recordings=recordings) as url, ThetaClient(url, Tier.PRO) as client:
        yield client


@pytest.fixture(scope="module")
def sorter(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ChainSorter]:
    made = ChainSorter(256, tmp_path_factory.mktemp("spill"))
    yield made
    made.close()


def stocks(client: ThetaClient, ticker: str, day: date, schema: str, session: Session = "regular") -> Job:
    body = {"backtest_id": "1", "ticker": ticker, "start": day, "end": day, "schema": schema, "session": session}
    return StockJob(StockTask.model_validate(body), client, NameList("stock", client.symbols, utc_now))


def options(client: ThetaClient, sorter: ChainSorter, root: str, day: date, schema: str, **chosen: Any) -> Job:
    body = {"backtest_id": "1", "root": root, "start": day, "end": day, "schema": schema, **chosen}
    return OptionJob(OptionTask.model_validate(body), client, Chains(client, utc_now), sorter)


def bodies_of(job: Job) -> list[bytes]:
    """The Avro bodies of history, as they go to a topic."""
    return [
        body
        for window in job.facts.windows
        for rows in job.read(window, threading.Event(), tolerate_cut=False)
        for body in bodies_in(rows.bodies)
    ]


def live_bodies(trades: pa.RecordBatch, schema: Schema, hours: Hours) -> list[bytes]:
    """The Avro bodies of bars built from a day's trades, which come in batches of any size while the clock goes on."""
    times = trades["ts_event"].cast(pa.int64()).to_numpy()
    bars = BarBuilder(schema, hours, grace_us=GRACE_US, since_us=int(times[0]))
    random, found, at = np.random.default_rng(7), [], 0
    while at < len(times):
        batch = trades.slice(at, int(random.integers(1, 2_000)))
        assert bars.add(batch) == []
        at += batch.num_rows
        found.append(bars.advance(int(times[at - 1]) + int(random.integers(0, GRACE_US))))
    found.append(bars.close(int(times[-1]) + 1))
    return [body for batch in found for body in bodies_in(encode(batch, schema.record))]


def readable(bodies: list[bytes], record: RecordType) -> list[dict[str, Any]]:
    return decode(bodies, record).to_pylist()


@pytest.mark.parametrize(
    ("ticker", "day", "schema", "session"),
    [
        ("AAPL", DAY, "ohlcv1m", "regular"),
        ("AAPL", DAY, "ohlcv1m", "extended"),
        ("AAPL", DAY, "ohlcv1s", "regular"),
        ("AAPL", DAY, "ohlcv1h", "extended"),
        ("BRK.B", DAY, "ohlcv1h", "regular"),
        ("MSFT", HALF_DAY, "ohlcv1m", "regular"),
        ("MSFT", HALF_DAY, "ohlcv5m", "extended"),
        ("SYM0001", date(2024, 3, 11), "ohlcv1m", "regular"),
        ("SYM0001", date(2024, 11, 4), "ohlcv10s", "regular"),
    ],
)
def test_bars_of_a_stock_are_the_bytes_of_history(
    client: ThetaClient, ticker: str, day: date, schema: str, session: Session
) -> None:
    bars = parse_schema(schema)
    trades = decode(bodies_of(stocks(client, ticker, day, "trade", session)), parse_schema("trade").record)
    expected = bodies_of(stocks(client, ticker, day, schema, session))

    found = live_bodies(trades, bars, partial(session_hours, session=session))

    assert len(expected) > 3
    assert found == expected, _first_difference(found, expected, bars.record)


@pytest.mark.parametrize(
    ("root", "day", "schema", "chosen"),
    [
        ("SPXW", DAY, "ohlcv1m", {"expirations": ["2024-01-05"]}),
        ("AAPL", DAY, "ohlcv5m", {"expirations": ["2024-01-05"], "session": "extended"}),
        ("SPY", date(2015, 12, 24), "ohlcv1m", {"expirations": {"dte": {"min": 0, "max": 10}}}),
    ],
)
def test_bars_of_a_chain_are_the_bytes_of_history(
    client: ThetaClient, sorter: ChainSorter, root: str, day: date, schema: str, chosen: dict[str, Any]
) -> None:
    bars = parse_schema(schema, asset="option")
    record = parse_schema("trade", asset="option").record
    trades = decode(bodies_of(options(client, sorter, root, day, "trade", **chosen)), record)
    expected = bodies_of(options(client, sorter, root, day, schema, **chosen))

    found = live_bodies(trades, bars, partial(option_session_hours, root, session=chosen.get("session", "regular")))

    assert len(expected) > 100
    assert found == expected, _first_difference(found, expected, bars.record)


@pytest.mark.recordings
@pytest.mark.parametrize(("ticker", "session"), [("BAC", "regular"), ("BAC", "extended")])
def test_bars_of_a_recorded_day_are_those_of_the_table(
    recorded: ThetaClient, theta_conditions: Path, ticker: str, session: Session
) -> None:
    trades = decode(bodies_of(stocks(recorded, ticker, RECORDED, "trade", session)), parse_schema("trade").record)
    bars = parse_schema("ohlcv1m")
    ends = (
        (micros(RECORDED, 9, 30), micros(RECORDED, 16, 0))
        if session == "regular"
        else (micros(RECORDED, 0, 0), micros(RECORDED, 23, 59, 59.999))
    )
    plain = PlainBars(*ends, INTERVAL_US["1m"], rules=_rules(theta_conditions))
    names = ("symbol", "ts_event", "condition", "size", "price")
    columns = [trades[name].cast(pa.int64()) if name == "ts_event" else trades[name] for name in names]
    for row in zip(*(column.to_pylist() for column in columns), strict=True):
        plain.add(Trade(*row))

    found = decode(live_bodies(trades, bars, partial(session_hours, session=session)), bars.record)

    expected = plain.close()
    assert bars_in([found]) == expected
    assert len(expected) >= 390


def _rules(path: Path) -> dict[int, str]:
    """What each condition updates, as PlainBars spells it."""
    with path.open() as file:
        return {
            int(row["Code"]): "".join(
                letter
                for letter, name, word in (
                    ("V", "Volume", "true"),
                    ("H", "High", "true"),
                    ("L", "Low", "true"),
                    ("=", "Last", "true"),
                    ("*", "Last", "*"),
                )
                if row[name] == word
            )
            for row in csv.DictReader(file)
        }


def _first_difference(found: list[bytes], expected: list[bytes], record: RecordType) -> str:
    rows = zip(readable(found, record), readable(expected, record), strict=False)
    different = next((f"{ours} is not {theirs}" for ours, theirs in rows if ours != theirs), "none up to the end")
    return f"{len(found)} bars and {len(expected)}; the first that differs: {different}"
