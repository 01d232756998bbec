from pathlib import Path

import pytest

from simulator.formats import head
from simulator.options.tables import CONTRACT, TABLES


@pytest.mark.recordings
@pytest.mark.parametrize(
    "kind",
    [
        "trade",
        "trade_quote",
        "greeks/all",
        "greeks/eod",
        *(f"trade_greeks/{order}" for order in ("all", "first_order", "second_order", "third_order")),
        "trade_greeks/implied_volatility",
    ],
)
def test_columns_are_those_of_a_recorded_answer(theta_recorded: Path, kind: str) -> None:
    recorded = theta_recorded / f"mdds/decoded-csv/option_history_{kind.replace('/', '_')}.csv"

    ours = head("csv", (*CONTRACT, *TABLES[kind].columns)).decode().rstrip()

    assert ours == recorded.read_text().splitlines()[0]


@pytest.mark.parametrize(
    ("kind", "columns"),
    [
        ("eod", "created,last_trade,open,high,low,close,volume,count,bid_size,bid_exchange,bid,bid_condition,ask_size,"
         "ask_exchange,ask,ask_condition"),
        ("ohlc", "timestamp,open,high,low,close,volume,count,vwap"),
        ("quote", "timestamp,bid_size,bid_exchange,bid,bid_condition,ask_size,ask_exchange,ask,ask_condition"),
        ("open_interest", "timestamp,open_interest"),
        ("greeks/first_order", "timestamp,bid,ask,delta,theta,vega,rho,epsilon,lambda,implied_vol,iv_error,"
         "underlying_timestamp,underlying_price"),
        ("greeks/second_order", "timestamp,bid,ask,gamma,vanna,charm,vomma,veta,implied_vol,iv_error,"
         "underlying_timestamp,underlying_price"),
        ("greeks/third_order", "timestamp,bid,ask,speed,zomma,color,ultima,implied_vol,iv_error,"
         "underlying_timestamp,underlying_price"),
        ("greeks/implied_volatility", "timestamp,bid,bid_implied_vol,midpoint,implied_vol,ask,ask_implied_vol,"
         "iv_error,underlying_timestamp,underlying_price"),
    ],
)  # fmt: skip
def test_columns_are_those_of_the_vendors_examples(kind: str, columns: str) -> None:
    assert ",".join(name for name, _ in TABLES[kind].columns) == columns
