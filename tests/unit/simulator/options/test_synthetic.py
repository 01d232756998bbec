import subprocess
import sys
from datetime import date, time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulator.market import Grid, Quotes, Ticks, Trades, bars_of_trades
from simulator.options.greeks import implied_vol, years_to_expiry
from simulator.options.synthetic import SyntheticOptions
from simulator.options.synthetic_chains import ROOTS, TEST_EXPIRATION
from simulator.options.synthetic_ticks import RATE, at_the_money, volatility
from simulator.sources.synthetic import Synthetic
from stoculus.calendar import option_session_hours, trading_days
from stoculus.instruments import OptionContract

DAY = date(2024, 1, 3)
EXPIRATION = date(2024, 1, 5)
OPEN_MS, CLOSE_MS = 34_200_000, 57_600_000
MINUTES = Grid(OPEN_MS, CLOSE_MS, 60_000)
HALF_DAY = date(2015, 12, 24)
DAYS = [*trading_days(date(2012, 6, 1), date(2026, 6, 30))[::133], HALF_DAY, EXPIRATION]
SOURCE = SyntheticOptions(Synthetic())


def chain(root: str, expiration: date = EXPIRATION, day: date = DAY) -> list[OptionContract]:
    return sorted(contract for contract in SOURCE.contracts(root, day, None) if contract.expiration == expiration)


def quotes_of(contract: OptionContract, day: date) -> Quotes:
    found = SOURCE.quotes(contract, day)
    assert found is not None
    return found


def trades_of(contract: OptionContract, day: date) -> Trades:
    found = SOURCE.trades(contract, day)
    assert found is not None
    return found


def same(one: Ticks, other: Ticks) -> bool:
    return all(np.array_equal(a, b) for a, b in zip(one.columns(), other.columns(), strict=True))


@st.composite
def held(draw: st.DrawFn) -> tuple[OptionContract, date]:
    root = draw(st.sampled_from(["AAPL", "BRKB", "IBM", "LOAD", "SPX", "SPXW", "SPY", "XSP"]))
    day = draw(st.sampled_from(DAYS))
    return draw(st.sampled_from(SOURCE.contracts(root, day, None))), day


@settings(max_examples=60, deadline=None)
@given(held())
def test_quotes_are_two_sided_round_a_price_within_its_bounds(what: tuple[OptionContract, date]) -> None:
    contract, day = what
    quotes, path = quotes_of(contract, day), SOURCE.underlying(contract.root, day)
    assert path is not None
    spot = path.price[np.searchsorted(path.ms, quotes.ms, "right") - 1].astype(np.int64)
    years = years_to_expiry(contract.expiration, day, quotes.ms, "latest")
    strike = contract.strike_thousandths * 10 * np.exp(-RATE * years)
    sign = 1 if contract.right == "call" else -1
    quoted = quotes.ask > 0

    assert (np.diff(quotes.ms) >= 0).all()
    assert quotes.ms[0] == OPEN_MS
    assert (quotes.bid[quoted] < quotes.ask[quoted]).all()
    assert (quotes.bid[quoted] <= (spot if sign > 0 else strike)[quoted]).all()
    assert (quotes.ask[quoted] >= (sign * (spot - strike))[quoted]).all()
    assert ((quotes.bid_size > 0) == (quotes.bid > 0)).all()
    assert ((quotes.ask_size > 0) == quoted).all()
    assert quoted[1:].all()
    assert (quotes.bid_condition == 50).all()
    assert (quotes.bid_exchange > 0).all()
    for side in (quotes.bid, quotes.ask):
        assert (side % ROOTS[contract.root].ticks[0] == 0).all()
        dear = side >= 32_000  # away from the change of ticks
        assert (side[dear] % ROOTS[contract.root].ticks[1] == 0).all()


@settings(max_examples=60, deadline=None)
@given(held())
def test_trades_are_at_the_quotes_and_all_else_follows_from_both(what: tuple[OptionContract, date]) -> None:
    contract, day = what
    quotes, trades = quotes_of(contract, day), SOURCE.trades(contract, day)
    bars, rows = SOURCE.bars(contract, day, MINUTES), SOURCE.quotes_at(contract, day, MINUTES)
    report = SOURCE.eod(contract, day)
    assert bars is not None
    assert rows is not None
    assert report is not None

    index = np.searchsorted(quotes.ms, rows.ms, "right") - 1
    assert (rows.ask == quotes.ask[index]).all()
    assert (rows.bid_exchange == quotes.bid_exchange[index]).all()
    assert report.quote == tuple(int(column[-1]) for column in quotes.columns()[1:])
    if trades is None:
        assert not bars.volume.any()
        assert (report.last_trade_ms, report.open, report.high, report.low, report.close) == (0, 0, 0, 0, 0)
        assert (report.volume, report.count) == (0, 0)
        return
    at = np.searchsorted(quotes.ms, trades.ms, "right") - 1
    assert (trades.price > 0).all()
    assert ((quotes.bid[at] <= trades.price) & (trades.price <= quotes.ask[at])).all()
    assert (np.diff(trades.ms) >= 0).all()
    assert same(bars, bars_of_trades(trades, MINUTES))
    assert report.volume == trades.size.sum()
    assert report.last_trade_ms == trades.ms[-1]
    assert report.created_ms >= 62_100_000
    assert {255} == set(trades.ext1) | set(trades.ext2) | set(trades.ext3) | set(trades.ext4)
    assert set(trades.condition) <= {18, 125, 130, 131, 95}


@settings(deadline=None)
@given(held())
def test_rows_end_with_the_session(what: tuple[OptionContract, date]) -> None:
    contract, day = what
    close = option_session_hours(contract.root, day, "regular")[1]
    last_ms = (close.hour * 60 + close.minute) * 60_000

    assert quotes_of(contract, day).ms[-1] <= last_ms
    trades = SOURCE.trades(contract, day)
    assert trades is None or trades.ms[-1] <= last_ms


@pytest.mark.parametrize(
    ("root", "day", "close"),
    [("SPY", DAY, time(16, 15)), ("AAPL", DAY, time(16)), ("SPY", HALF_DAY, time(13, 15)), ("IBM", HALF_DAY, time(13))],
)
def test_quotes_go_on_until_the_close_of_the_root(root: str, day: date, close: time) -> None:
    last_ms = max(quotes_of(contract, day).ms[-1] for contract in SOURCE.contracts(root, day, None)[:200])

    assert (close.hour * 60 + close.minute) * 60_000 - last_ms < 120_000


def test_a_contract_day_is_a_pure_function_of_its_name() -> None:
    contract = OptionContract("AAPL", date(2024, 1, 19), chain("AAPL", date(2024, 1, 19))[30].strike_thousandths, "put")
    other = SyntheticOptions(Synthetic())
    other.eod(contract, date(2024, 1, 4))
    there = other.quotes(contract, DAY)

    assert there is not None
    assert same(quotes_of(contract, DAY), there)
    assert other.contracts("AAPL", DAY, None) == SOURCE.contracts("AAPL", DAY, None)
    assert not same(quotes_of(contract, DAY), quotes_of(contract, date(2024, 1, 4)))


def test_another_process_makes_the_same_chain() -> None:
    code = (
        "from datetime import date; from simulator.options.synthetic import SyntheticOptions as O;"
        "from simulator.sources.synthetic import Synthetic as S; o, day = O(S()), date(2024, 1, 3);"
        "first = o.contracts('XSP', day, None)[0]; print(first.osi, int(o.quotes(first, day).ask.sum()))"
    )
    printed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout

    first = SOURCE.contracts("XSP", DAY, None)[0]
    assert printed.strip() == f"{first.osi} {int(quotes_of(first, DAY).ask.sum())}"


def test_a_contract_that_is_not_listed_has_nothing() -> None:
    unknown = OptionContract("AAPL", date(2024, 1, 19), 123, "call")
    early, late = chain("SPXW")[0], date(2024, 1, 8)
    for contract, day in ((unknown, DAY), (early, date(2023, 1, 3)), (early, late), (early, date(2024, 1, 6))):
        assert SOURCE.quotes(contract, day) is None
        assert SOURCE.trades(contract, day) is None
        assert SOURCE.bars(contract, day, MINUTES) is None
        assert SOURCE.quotes_at(contract, day, MINUTES) is None
        assert SOURCE.eod(contract, day) is None
        assert SOURCE.open_interest(contract, day) is None


def test_lists_hold_what_is_there_in_no_order() -> None:
    contracts = SOURCE.contracts("SPXW", DAY, "quote")
    strikes = SOURCE.strikes("SPXW", EXPIRATION)

    assert len(set(contracts)) == len(contracts)
    assert contracts != sorted(contracts)
    assert strikes != sorted(strikes)
    assert {contract.strike_thousandths for contract in chain("SPXW")} <= set(strikes)
    assert not SOURCE.contracts("SPXW", date(2024, 1, 6), None)
    assert not SOURCE.contracts("NONE", DAY, None)
    assert not SOURCE.expirations("NONE")
    assert not SOURCE.strikes("NONE", EXPIRATION)


def test_test_contracts_are_in_lists_of_expirations_and_strikes_only() -> None:
    assert SOURCE.expirations("SPXW")[0] == TEST_EXPIRATION
    assert SOURCE.strikes("SPXW", TEST_EXPIRATION)
    assert not SOURCE.dates("SPXW", TEST_EXPIRATION, "quote")


def test_each_expiration_has_trades_on_each_of_its_days() -> None:
    days = SOURCE.dates("IBM", date(2024, 2, 16), "trade")

    assert days == SOURCE.dates("IBM", date(2024, 2, 16), "quote")
    for day in days[::60]:
        traded = SOURCE.contracts("IBM", day, "trade")
        assert date(2024, 2, 16) in {contract.expiration for contract in traded}
        assert all(SOURCE.trades(contract, day) is not None for contract in traded[::10])
        assert 0 < len(traded) < len(SOURCE.contracts("IBM", day, None))


def test_nearly_all_minutes_of_a_chain_are_empty() -> None:
    volumes = [bars.volume for contract in chain("SPXW") if (bars := SOURCE.bars(contract, DAY, MINUTES))]

    assert 0.94 < np.mean([volume == 0 for volume in volumes]) < 0.99


def test_some_contracts_have_no_quote_at_the_open() -> None:
    rows = [SOURCE.quotes_at(contract, DAY, Grid(OPEN_MS, OPEN_MS, 1)) for contract in chain("SPXW")]
    empty = [row for row in rows if row is not None and row.ask[0] == 0]

    assert 0.2 < len(empty) / len(rows) < 0.6
    for row in empty:
        assert (row.bid[0], row.bid_size[0], row.ask_size[0]) == (0, 0, 0)
        assert row.bid_exchange[0] > 0
        assert row.ask_condition[0] == 50


def test_far_contracts_have_no_bid() -> None:
    far = [quotes_of(contract, DAY) for contract in chain("SPXW") if contract.right == "call"][-5:]

    assert all((quotes.bid == 0).any() for quotes in far)


def test_quotes_before_december_2018_are_of_whole_seconds() -> None:
    assert not (quotes_of(chain("AAPL", date(2018, 1, 19), date(2017, 12, 1))[5], date(2017, 12, 1)).ms % 1000).any()
    assert (quotes_of(chain("SPXW")[5], DAY).ms % 1000).any()


def test_sequences_wrap_and_do_not_rise() -> None:
    near = [contract for contract in chain("SPXW", date(2024, 1, 19)) if abs(contract.strike - 4_700) < 30]
    days = trading_days(DAY, date(2024, 1, 12))
    parts = [trades_of(contract, day).sequence for day in days for contract in near]
    sequences = np.concatenate(parts)

    assert sequences.min() < 0 < sequences.max()
    assert (np.abs(sequences) <= 2**31).all()
    assert any((np.diff(part) < 0).any() for part in parts)


def test_calls_and_puts_of_a_strike_have_parity_within_the_spread() -> None:
    path = SOURCE.underlying("LOAD", DAY)
    assert path is not None
    contracts = SOURCE.contracts("LOAD", DAY, None)
    first = {contract: [int(column[0]) for column in quotes_of(contract, DAY).columns()] for contract in contracts[::7]}
    for call in [contract for contract in first if contract.right == "call"]:
        put = quotes_of(OptionContract("LOAD", call.expiration, call.strike_thousandths, "put"), DAY)
        years = (call.expiration - DAY).days / 365
        held = int(path.price[0]) - call.strike_thousandths * 10 * np.exp(-RATE * years)
        bid, ask = first[call][3], first[call][7]

        assert bid - int(put.ask[0]) <= held <= ask - int(put.bid[0])


def test_dearer_strikes_have_cheaper_calls_and_dearer_puts() -> None:
    for right, sign in (("call", -1), ("put", 1)):
        asks = [quotes_of(contract, DAY).ask[0] for contract in chain("LOAD") if contract.right == right]
        assert (np.diff(asks) * sign >= 0).all()


def test_the_middle_gives_the_surface_back() -> None:
    path = SOURCE.underlying("SPXW", DAY)
    assert path is not None
    for contract in [contract for contract in chain("SPXW") if abs(contract.strike / 4700 - 1) < 0.02]:
        quotes = quotes_of(contract, DAY).rows(slice(1, None))
        spot = path.price[(quotes.ms - OPEN_MS) // 1000] / 10_000
        years = years_to_expiry(contract.expiration, DAY, quotes.ms, "latest")
        found, _ = implied_vol(
            is_call=np.full(len(spot), contract.right == "call"),
            price=(quotes.bid + quotes.ask) / 20_000,
            spot=spot,
            strike=np.full(len(spot), contract.strike),
            years=years,
            rate=RATE,
            dividend=0,
        )
        expected = volatility(at_the_money(ROOTS["SPXW"], DAY), spot, contract.strike, years)

        assert np.median(np.abs(found / expected - 1)) < 0.05


def test_the_underlying_is_the_stocks_own_tape() -> None:
    stock, path = Synthetic().trades("BRK.B", DAY), SOURCE.underlying("BRKB", DAY)

    assert path is not None
    assert stock is not None
    assert path.price[-1] == stock.price[np.searchsorted(stock.ms, path.ms[-1], "right") - 1]
    assert path.price[100] == stock.price[np.searchsorted(stock.ms, path.ms[100], "right") - 1]
    assert (np.diff(path.ms) == 1000).all()


def test_the_index_is_one_for_all_its_roots() -> None:
    index, weekly, small = (SOURCE.underlying(root, DAY) for root in ("SPX", "SPXW", "XSP"))

    assert index is not None
    assert weekly is not None
    assert small is not None
    assert (index.price == weekly.price).all()
    assert np.abs(index.price / 10 - small.price).max() <= 100
    assert 4_600 < index.price.mean() / 10_000 < 4_800
    assert SOURCE.underlying("SPX", date(2024, 1, 6)) is None
    assert SOURCE.underlying("NONE", DAY) is None


def test_open_interest_is_reported_in_the_morning() -> None:
    reports = [report for contract in chain("SPXW") if (report := SOURCE.open_interest(contract, DAY))]

    assert len(reports) == len(chain("SPXW"))
    assert all(23_400_000 <= ms < 23_402_000 for ms, _ in reports)
    assert 0.05 < np.mean([held == 0 for _, held in reports]) < 0.3


def test_every_minute_of_load_is_quoted() -> None:
    contracts = SOURCE.contracts("LOAD", DAY, None)

    assert len(contracts) == 5_000
    for contract in contracts[::100]:
        rows = SOURCE.quotes_at(contract, DAY, MINUTES)
        assert rows is not None
        assert len(rows) == 391
        assert (rows.ask > 0).all()
        assert (rows.ask_size > 0).all()
