"""What the vendor answered once, put into a source: the simulator spells it as the vendor did."""

import csv
import json
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from simulator.market import Bars, Eod, Quotes, Ticks, Trades
from stoculus.instruments import OptionContract
from tests.unit.simulator.options.small_chain import SmallChain, body, rows

pytestmark = pytest.mark.recordings

SPY = OptionContract("SPY", date(2024, 6, 21), 500_000, "call")
SPY_DAY = {"symbol": "SPY", "expiration": "20240621", "strike": "500", "right": "C", "date": "20240614"}
TRADE = "sequence ext_condition1 ext_condition2 ext_condition3 ext_condition4 condition size exchange price"
QUOTE = "bid_size bid_exchange bid bid_condition ask_size ask_exchange ask ask_condition"
DAY = "open high low close volume count"
PRICES = ("price", "bid", "ask", "open", "high", "low", "close", "vwap")


def table(theta_recorded: Path, name: str) -> list[str]:
    return (theta_recorded / f"mdds/decoded-csv/option_history_{name}.csv").read_text().split()


def answer(theta_recorded: Path, kind: str) -> tuple[dict[str, str], Any, OptionContract]:
    """Query, body and contract of a recorded JSON answer."""
    recorded = json.loads((theta_recorded / f"v3-json/aapl-spy-2026-01/option-history-{kind}.json").read_text())
    found = recorded["response"]["body"]
    named = found["response"][0]["contract"]
    day, strike = date.fromisoformat(named["expiration"]), round(named["strike"] * 1000)
    return (
        recorded["request"]["queryParams"],
        found,
        OptionContract(named["symbol"], day, strike, named["right"].lower()),
    )


def ms_of(text: str) -> int:
    return int((np.datetime64(text, "ms") - np.datetime64(text[:10], "ms")) / np.timedelta64(1, "ms"))


def units(row: dict[str, Any], name: str) -> int:
    return round(float(row[name]) * (10_000 if name in PRICES else 1))


def ticks_of(make: type[Ticks], rows: list[dict[str, Any]], columns: str, time: str = "timestamp") -> Any:
    """A time and the named columns as ticks; prices in 1/10000 dollar."""
    others = (np.array([units(row, name) for row in rows]) for name in columns.split())
    return make(np.array([ms_of(row[time]) for row in rows]), *others)


def test_trades_are_spelled_as_the_vendor_spelled_them(theta_recorded: Path) -> None:
    lines = table(theta_recorded, "trade")
    source = SmallChain(held_trades={SPY: ticks_of(Trades, list(csv.DictReader(lines)), TRADE)})

    assert body("trade", SPY_DAY, source).split("\r\n")[:-2] == lines
    assert len(lines) == 99


def test_trades_find_their_quotes(theta_recorded: Path) -> None:
    """The recorded quotes are those at trades only: each is the last one before its trade."""
    lines = table(theta_recorded, "trade_quote")
    recorded = list(csv.DictReader(lines))
    source = SmallChain(
        held_trades={SPY: ticks_of(Trades, recorded, TRADE, "trade_timestamp")},
        held_quotes={SPY: ticks_of(Quotes, recorded, QUOTE, "quote_timestamp")},
    )

    assert body("trade_quote", {**SPY_DAY, "exclusive": "false"}, source).split("\r\n")[:-2] == lines


def test_trade_greeks_are_met(theta_recorded: Path) -> None:
    """With the rate of that day; but for the last digits, which the vendor's search for the volatility leaves open."""
    contract = OptionContract("SPY", date(2026, 1, 16), 540_000, "call")
    [theirs] = csv.DictReader(table(theta_recorded, "trade_greeks_all"))
    source = SmallChain(held_trades={contract: ticks_of(Trades, [theirs], TRADE)}, spot=5_651_300)
    query = {"symbol": "SPY", "expiration": "20260116", "strike": "540", "right": "C", "date": "20250502"}

    [ours] = rows("trade_greeks/all", {**query, "rate_value": "4.36"}, source)

    names = list(theirs)
    assert [ours[name] for name in names[4:14]] == [theirs[name] for name in names[4:14]]
    for name in names[14:-2]:
        assert float(ours[name]) == pytest.approx(float(theirs[name]), rel=1e-4, abs=1e-4), name
    assert ours["underlying_timestamp"] == theirs["underlying_timestamp"]


def test_bars_are_the_recorded_ones(theta_recorded: Path) -> None:
    query, found, contract = answer(theta_recorded, "ohlc")
    bars = ticks_of(Bars, found["response"][0]["data"], f"{DAY} vwap")

    assert json.loads(body("ohlc", query, SmallChain(held_bars={contract: bars}))) == found


def test_quotes_are_the_recorded_ones(theta_recorded: Path) -> None:
    query, found, contract = answer(theta_recorded, "quote")
    quotes = ticks_of(Quotes, found["response"][0]["data"], QUOTE)

    assert json.loads(body("quote", query, SmallChain(held_quotes={contract: quotes}))) == found


def test_reports_are_the_recorded_ones(theta_recorded: Path) -> None:
    query, found, contract = answer(theta_recorded, "eod")
    for row in found["response"][0]["data"]:
        quote = tuple(units(row, name) for name in QUOTE.split())
        times = [ms_of(row["created"]), ms_of(row["last_trade"])]
        values: list[Any] = [*times, *(units(row, name) for name in DAY.split()), quote]
        report = Eod(*values)
        day = row["created"][:10]

        ours = json.loads(
            body("eod", {**query, "start_date": day, "end_date": day}, SmallChain(held_reports={contract: report}))
        )

        assert ours["response"][0]["data"] == [row]
        assert ours["response"][0]["contract"] == found["response"][0]["contract"]
