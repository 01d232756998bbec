from datetime import date, timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.options.greeks import price
from simulator.options.synthetic_chains import ROOTS
from simulator.options.synthetic_ticks import RATE, at_the_money, traded, volatility
from stoculus.instruments import OptionContract

DAY = date(2024, 1, 3)


@given(st.sampled_from(["SPX", "AAPL", "LOAD"]), st.dates(date(2012, 6, 1), date(2030, 12, 31)))
def test_the_volatility_at_the_money_is_a_markets(root: str, day: date) -> None:
    assert 0.08 < at_the_money(ROOTS[root], day) < 1


@given(st.floats(0.1, 0.8), st.floats(1 / 8_760, 2), st.booleans())
def test_the_smile_lets_no_one_earn_without_risk(vol: float, years: float, is_call: bool) -> None:
    """Calls get cheaper with the strike and puts dearer, by less than the strike rises."""
    strikes = 100 * np.exp(np.linspace(-0.5, 0.5, 101))
    smile = np.array([volatility(vol, np.array([100.0]), strike, np.array([years]))[0] for strike in strikes])
    ones = np.ones(len(strikes))
    prices = price(
        is_call=ones > 0 if is_call else ones < 0,
        spot=100 * ones,
        strike=strikes,
        years=years * ones,
        vol=smile,
        rate=RATE,
        dividend=0,
    )
    slopes = np.diff(prices) / np.diff(strikes) * (-1 if is_call else 1)

    assert (slopes >= -1e-9).all()
    assert (slopes <= 1 + 1e-9).all()


def test_low_strikes_are_dear() -> None:
    low, middle, high = (volatility(0.2, np.array([100.0]), strike, np.array([0.1]))[0] for strike in (80, 100, 120))

    assert low > high > 0.9 * middle


@pytest.mark.parametrize("root", ["SPXW", "AAPL"])
def test_more_is_traded_near_the_money_and_near_expiry(root: str) -> None:
    level = ROOTS[root].level(DAY)

    def sum_of_trades(distance: float, days: int) -> int:
        strikes = [round(level * (1 + distance) * 1000) + n for n in range(200)]
        contracts = [OptionContract(root, DAY + timedelta(days=days), strike, "call") for strike in strikes]
        return sum(traded(ROOTS[root], contract, DAY).trades for contract in contracts)

    assert sum_of_trades(0, 2) > sum_of_trades(0, 60) > sum_of_trades(0.5, 60)
    assert sum_of_trades(0, 2) > 2 * sum_of_trades(0.2, 2)
