"""Ticks to feeds."""

from datetime import date
from typing import cast

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from simulator.market import DAY_MS, Grid, Trades, bars_of_trades
from simulator.options.synthetic import SyntheticOptions
from simulator.sources.synthetic import Synthetic
from simulator.stream.feeds import Day, contract_json
from simulator.stream.requests import Subject
from stoculus.instruments import OptionContract

DAY = date(2024, 1, 3)
STOCKS = Synthetic()


class OneStock:
    """A source of some trades."""

    def __init__(self, trades: Trades) -> None:
        self._trades = trades

    def trades(self, symbol: str, day: date) -> Trades | None:
        return self._trades


def day(stocks: object = STOCKS) -> Day:
    return Day(DAY, cast(Synthetic, stocks), SyntheticOptions(STOCKS), ("A",))


def trades_of(rows: list[tuple[int, int, int]]) -> Trades:
    condition, size, price = (np.array(column, np.int64) for column in zip(*rows, strict=True))
    none = np.full(len(rows), 255)
    ms = np.arange(len(rows))
    return Trades(ms, ms + 2**31 - 1, none, none, none, none, condition, size, none, price)


@settings(deadline=None)
@given(
    st.lists(st.tuples(st.sampled_from([0, 1, 2, 6, 51, 95, 115]), st.integers(1, 9), st.integers(1, 9)), min_size=1)
)
def test_the_bar_at_each_trade_is_that_of_the_trades_so_far(rows: list[tuple[int, int, int]]) -> None:
    trades = trades_of(rows)
    feed = day(OneStock(trades)).feeds(Subject("STOCK", "TRADE", "X"), ohlc=True)[0]

    for at in range(len(rows)):
        so_far = bars_of_trades(trades.rows(slice(at + 1)), Grid(0, DAY_MS - 1, DAY_MS))
        bar = [int(column[0]) for column in so_far.columns()[1:7]]
        assert [int(column[at]) for column in feed.columns[1:7]] == bar


def test_a_sequence_beyond_31_bits_has_a_sign() -> None:
    feed = day(OneStock(trades_of([(0, 1, 1), (0, 1, 1)]))).feeds(Subject("STOCK", "TRADE", "X"), ohlc=False)[0]

    assert feed.columns[1].tolist() == [2**31 - 1, -(2**31)]


def test_what_nobody_knows_has_no_feed() -> None:
    unknown = OptionContract("NOSUCH", DAY, 1, "put")

    for subject in (Subject("STOCK", "QUOTE", "NOSUCH"), Subject("OPTION", "TRADE", unknown)):
        assert day().feeds(subject, ohlc=True) == ()
    assert day().feeds(Subject("INDEX", "TRADE", "SPX"), ohlc=True) == ()


def test_a_contract_is_spelled_as_the_vendor_does() -> None:
    contract = OptionContract("QQQ", date(2023, 11, 10), 360_000, "put")

    assert contract_json("AAPL") == '{"security_type":"STOCK","root":"AAPL"}'
    assert contract_json(contract) == (
        '{"security_type":"OPTION","root":"QQQ","expiration":20231110,"strike":360000,"right":"P"}'
    )
