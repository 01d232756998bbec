import csv
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from simulator.options.greeks import Flags, Floats, greeks, implied_vol, midpoint, price, years_to_expiry

ql = pytest.importorskip("QuantLib")

EXPIRY = date(2024, 1, 5)
FOUR_DECIMALS = 0.000_1


def floats(*values: float) -> Floats:
    return np.array(values, np.float64)


@dataclass(frozen=True, slots=True)
class Contract:
    is_call: bool
    spot: float
    strike: float
    years: float
    vol: float
    rate: float
    dividend: float

    def referee(self) -> Any:
        """QuantLib's Black formula of the contract."""
        forward = self.spot * np.exp((self.rate - self.dividend) * self.years)
        payoff = ql.PlainVanillaPayoff(ql.Option.Call if self.is_call else ql.Option.Put, self.strike)
        return ql.BlackCalculator(payoff, forward, self.vol * np.sqrt(self.years), np.exp(-self.rate * self.years))

    def greeks(self) -> dict[str, float]:
        found = greeks(
            is_call=np.array([self.is_call]),
            price=floats(self.referee().value()),
            spot=floats(self.spot),
            strike=floats(self.strike),
            years=floats(self.years),
            rate=self.rate,
            dividend=self.dividend,
        )
        return {name: float(column[0]) for name, column in found.items()}


@st.composite
def contracts(draw: st.DrawFn) -> Contract:
    spot, years, vol = (draw(st.floats(*ends)) for ends in ((5, 5_000), (0.005, 2), (0.06, 1.2)))
    strike = spot * np.exp(draw(st.floats(-2, 2)) * vol * np.sqrt(years))
    return Contract(
        draw(st.booleans()), spot, strike, years, vol, draw(st.floats(-0.01, 0.08)), draw(st.floats(0, 0.05))
    )


@given(contracts())
def test_the_volatility_of_a_model_price_is_found_again(contract: Contract) -> None:
    found = contract.greeks()

    assert found["implied_vol"] == pytest.approx(contract.vol, rel=1e-6)
    assert found["iv_error"] == pytest.approx(0, abs=1e-12)


@given(contracts())
def test_first_order_greeks_and_gamma_are_quantlibs(contract: Contract) -> None:
    found, referee = contract.greeks(), contract.referee()
    spot, years = contract.spot, contract.years

    expected = {
        "delta": referee.delta(spot),
        "theta": referee.theta(spot, years) / 365,
        "vega": referee.vega(years),
        "rho": referee.rho(years),
        "epsilon": referee.dividendRho(years),
        "lambda": referee.elasticity(spot),
        "gamma": referee.gamma(spot),
        "dual_delta": referee.strikeSensitivity(),
        "dual_gamma": referee.strikeGamma(),
    }
    for name, value in expected.items():
        assert found[name] == pytest.approx(value, rel=1e-6, abs=1e-8), name


def slope(contract: Contract, by: str, what: Callable[[Contract], float], width: float) -> float:
    value = getattr(contract, by)
    up, down = (replace(contract, **{by: value + step}) for step in (width, -width))
    return (what(up) - what(down)) / (2 * width)


DELTA: Callable[[Contract], float] = lambda at: float(at.referee().delta(at.spot))  # noqa: E731
GAMMA: Callable[[Contract], float] = lambda at: float(at.referee().gamma(at.spot))  # noqa: E731
VEGA: Callable[[Contract], float] = lambda at: float(at.referee().vega(at.years))  # noqa: E731
RHO: Callable[[Contract], float] = lambda at: float(at.referee().rho(at.years))  # noqa: E731


def vomma(at: Contract) -> float:
    return slope(at, "vol", VEGA, at.vol * 1e-4)


@pytest.mark.parametrize(
    ("name", "of", "by", "sign"),
    [
        ("vanna", DELTA, "vol", 1),
        ("charm", DELTA, "years", -1),
        ("vomma", VEGA, "vol", 1),
        ("veta", VEGA, "years", 1),
        ("vera", RHO, "vol", 1),
        ("speed", GAMMA, "spot", 1),
        ("zomma", GAMMA, "vol", 1),
        ("color", GAMMA, "years", 1),
        ("ultima", vomma, "vol", 1),
    ],
)
@given(contract=contracts())
def test_higher_orders_are_slopes_of_quantlibs_lower_ones(
    name: str, of: Callable[[Contract], float], by: str, sign: int, contract: Contract
) -> None:
    at = getattr(contract, by)
    wide, narrow = (slope(contract, by, of, at * width) for width in (2e-3, 1e-3))
    scale = abs(of(contract)) / at
    assume(abs(wide - narrow) < 1e-3 * max(abs(narrow), scale))

    assert contract.greeks()[name] == pytest.approx(sign * narrow, rel=5e-3, abs=5e-3 * scale)


@given(contracts(), st.floats(-0.5, 0.0))
def test_a_price_below_the_intrinsic_value_has_the_greeks_of_that(contract: Contract, less: float) -> None:
    sign = 1 if contract.is_call else -1
    dividends = np.exp(-contract.dividend * contract.years)
    intrinsic = sign * (contract.spot * dividends - contract.strike * np.exp(-contract.rate * contract.years))
    assume(intrinsic > 0.01)

    found = greeks(
        is_call=np.array([contract.is_call]),
        price=floats(intrinsic * (1 + less)),
        spot=floats(contract.spot),
        strike=floats(contract.strike),
        years=floats(contract.years),
        rate=contract.rate,
        dividend=contract.dividend,
    )

    assert found["delta"][0] == pytest.approx(sign * dividends)
    assert found["iv_error"][0] == pytest.approx(100 if less == -1 else 1 / (1 + less) - 1, abs=1e-9)
    assert all(found[name][0] == 0 for name in found if name not in ("delta", "iv_error"))


def test_without_a_price_the_vendor_shows_an_error_of_100() -> None:
    """rest.md 5: AAPL 262.50 call on 2024-11-04 09:30:00, spot 221.00."""
    found = greeks(
        is_call=np.array([True, True]),
        price=floats(0, 0),
        spot=floats(221.00, 540.86),
        strike=floats(262.5, 500),
        years=floats(4 / 365, 7 / 365),
        rate=0.0481,
        dividend=0,
    )

    assert found["iv_error"].tolist() == [100, 100]
    assert found["implied_vol"].tolist() == [0.25, 0]
    assert found["delta"].round(4).tolist() == [0, 1]
    assert found["lambda"][0] == pytest.approx(261.9304, rel=1e-4)
    assert found["d1"][0] == pytest.approx(-6.5422, abs=2 * FOUR_DECIMALS)
    assert found["d2"][0] == pytest.approx(-6.5683, abs=2 * FOUR_DECIMALS)


def test_the_middle_of_a_quote_is_cut_to_cents() -> None:
    assert midpoint(np.array([0, 0, 65_600]), np.array([100, 200, 65_700])).tolist() == [0, 100, 65_600]


def test_years_are_whole_days_but_on_the_last() -> None:
    at = np.array([34_200_000, 57_600_000 - 1_800_000, 58_000_000])

    assert years_to_expiry(EXPIRY, date(2024, 1, 2), at, "latest").tolist() == [3 / 365] * 3
    assert years_to_expiry(EXPIRY, date(2024, 1, 2), at, "1").tolist() == [3 / 365] * 3
    assert years_to_expiry(EXPIRY, EXPIRY, at, "1").tolist() == [0.15 / 365] * 3
    assert (years_to_expiry(EXPIRY, EXPIRY, at, "latest") * 365 * 24).tolist() == pytest.approx([6.5, 1, 1])


def test_the_recorded_trade_greeks_come_out_to_the_last_digit(theta_recorded: Path) -> None:
    """With SOFR of the day before, 4.36 %, and no dividend. The recording is cut off after four decimals."""
    [row] = rows(theta_recorded / "mdds/decoded-csv/option_history_trade_greeks_all.csv")
    day = date.fromisoformat(row["timestamp"][:10])
    years = years_to_expiry(date(2026, 1, 16), day, np.array([34_372_940]), "latest")

    found = greeks(
        is_call=np.array([True]),
        price=floats(float(row["price"])),
        spot=floats(float(row["underlying_price"])),
        strike=floats(float(row["strike"])),
        years=years,
        rate=0.0436,
        dividend=0,
    )

    for name, column in found.items():
        recorded = float(row[name])
        # The volatility was searched for to 0.0001 %: so much is left in what is large.
        assert abs(float(column[0]) - recorded) <= FOUR_DECIMALS + 1e-4 * abs(recorded), name


def rows(path: Path) -> list[dict[str, str]]:
    with path.open() as lines:
        return list(csv.DictReader(lines))


def test_a_recorded_chain_comes_out_with_sofr_of_its_day(theta_recorded: Path) -> None:
    """SPY, 482 contracts. The vendor's own search ends with errors of some per cent where a price is a few cents."""
    chain = rows(theta_recorded / "v3-csv/spy-chain-2026-05-15/theta_v3_option_greeks_first_order_spy.csv")
    recorded = {name: np.array([float(row[name]) for row in chain]) for name in list(chain[0])[5:15]}
    units = [np.rint(recorded[side] * 10_000).astype(np.int64) for side in ("bid", "ask")]
    found = greeks(
        is_call=np.array([row["right"] == "CALL" for row in chain]),
        price=midpoint(units[0], units[1]) / 10_000,
        spot=np.array([float(row["underlying_price"]) for row in chain]),
        strike=np.array([float(row["strike"]) for row in chain]),
        years=np.full(len(chain), 7 / 365),
        rate=0.0356,
        dividend=0,
    )

    unsolved = recorded["iv_error"] == 100
    assert np.array_equal(found["iv_error"] == 100, unsolved)
    assert np.array_equal(found["implied_vol"] == 0, recorded["implied_vol"] == 0)
    assert np.array_equal(found["implied_vol"][unsolved], recorded["implied_vol"][unsolved])
    for name, tolerance in {
        "delta": 0.0003,
        "theta": 0.0015,
        "vega": 0.05,
        "rho": 0.004,
        "epsilon": 0.004,
        "implied_vol": 0.007,
    }.items():
        assert np.abs(found[name] - recorded[name])[~unsolved].max() < tolerance, name


def test_prices_of_calls_and_puts_have_parity() -> None:
    spot, strike, years = floats(100, 100, 100), floats(90, 100, 115), floats(0.1, 0.5, 2)
    vol = floats(0.2, 0.4, 0.6)
    call, put = (side_price(np.full(3, is_call), spot, strike, years, vol) for is_call in (True, False))

    assert call - put == pytest.approx(spot * np.exp(-0.02 * years) - strike * np.exp(-0.04 * years))


def side_price(is_call: Flags, spot: Floats, strike: Floats, years: Floats, vol: Floats) -> Floats:
    return price(is_call=is_call, spot=spot, strike=strike, years=years, vol=vol, rate=0.04, dividend=0.02)


def test_nothing_to_solve_is_no_rows() -> None:
    none = floats()
    vol, error = implied_vol(
        is_call=np.array([], np.bool_), price=none, spot=none, strike=none, years=none, rate=0.04, dividend=0
    )

    assert len(vol) == len(error) == 0
