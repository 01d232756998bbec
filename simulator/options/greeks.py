"""Black-Scholes-Merton greeks and implied volatilities as the vendor gives them (rest.md 4, 10.8).

All are partial derivatives per unit (a volatility of 1.00, a rate of 1.00, a year), but for theta, which is per day of
a 365-day year. Signs and units are those of a recorded row of 2025 (SPY, trade greeks), which these formulas meet to
its last digit; the vendor cuts off after four decimals. Older samples have vera, speed, zomma and dual_gamma 0 or
nearly so, ultima limited to +-100, and other values of veta and color.
"""

from dataclasses import dataclass
from datetime import date
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

from simulator.market import Ints

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]

_CENT: Final = 100
_DAYS_A_YEAR: Final = 365
_EXPIRY_MS: Final = 16 * 3_600_000
_HOUR_MS: Final = 3_600_000
_YEAR_MS: Final = _DAYS_A_YEAR * 24 * _HOUR_MS
_OLD_EXPIRY_DAYS: Final = 0.15
_ANY_VOL: Final = 0.25
_UNSOLVED_ERROR: Final = 100.0
_NEXT_TO_NOTHING: Final = 0.001
_HALVINGS = 8
_MIN_WIDTH, _MAX_WIDTH = 1e-5, 16.0
_ROOT_2PI: Final = np.sqrt(2 * np.pi)


def years_to_expiry(expiration: date, day: date, ms: Ints, version: str) -> Floats:
    """Years from each time of a day (ms, New York) to expiry; `version` is the vendor's `1` or `latest`.

    Whole days of a 365-day year, as all recorded rows have it. On the expiration day itself: 0.15 days (`1`), or the
    time until 16:00, at least an hour (`latest`).
    """
    days = (expiration - day).days
    if days > 0:
        return np.full(len(ms), days / _DAYS_A_YEAR)
    if version == "1":
        return np.full(len(ms), _OLD_EXPIRY_DAYS / _DAYS_A_YEAR)
    left_ms: Floats = np.maximum(_EXPIRY_MS - np.asarray(ms, np.float64), _HOUR_MS)
    return left_ms / _YEAR_MS


def midpoint(bid: Ints, ask: Ints) -> Ints:
    """What the vendor takes for the price of a quote: the middle cut to cents, in 1/10000 dollar as bid and ask.

    So 0.00 / 0.01 has no price, and no greeks.
    """
    cents: Ints = (np.asarray(bid, np.int64) + ask) // (2 * _CENT) * _CENT
    return cents


@dataclass(frozen=True, slots=True)
class _Terms:
    """What the formulas share. `sign` is 1 for calls, -1 for puts; `width` is vol x root of years."""

    sign: Floats
    spot: Floats
    strike: Floats
    years: Floats
    vol: Floats
    rate: float
    dividend: float | Floats
    width: Floats
    d1: Floats
    d2: Floats
    spot_now: Floats
    strike_now: Floats
    density: Floats

    @classmethod
    def of(
        cls,
        sign: Floats,
        spot: Floats,
        strike: Floats,
        years: Floats,
        vol: Floats,
        rate: float,
        dividend: float | Floats,
    ) -> "_Terms":
        width = vol * np.sqrt(years)
        d1 = (np.log(spot / strike) + (rate - dividend) * years) / width + width / 2
        spot_now, strike_now = spot * np.exp(-dividend * years), strike * np.exp(-rate * years)
        density = np.exp(-d1 * d1 / 2) / _ROOT_2PI
        return cls(sign, spot, strike, years, vol, rate, dividend, width, d1, d1 - width, spot_now, strike_now, density)

    @property
    def in_spot(self) -> Floats:
        """The part of the price that is held in the underlying."""
        held: Floats = self.sign * self.spot_now * ndtr(self.sign * self.d1)
        return held

    @property
    def in_cash(self) -> Floats:
        owed: Floats = self.sign * self.strike_now * ndtr(self.sign * self.d2)
        return owed

    @property
    def vega(self) -> Floats:
        return self.spot_now * self.density * np.sqrt(self.years)

    @property
    def gamma(self) -> Floats:
        return self.spot_now * self.density / (self.spot * self.spot * self.width)


def price(
    *, is_call: Flags, spot: Floats, strike: Floats, years: Floats, vol: Floats, rate: float, dividend: float | Floats
) -> Floats:
    """Black-Scholes-Merton prices, in the currency of spot and strike."""
    terms = _Terms.of(np.where(is_call, 1.0, -1.0), spot, strike, years, vol, rate, dividend)
    return terms.in_spot - terms.in_cash


def implied_vol(
    *, is_call: Flags, price: Floats, spot: Floats, strike: Floats, years: Floats, rate: float, dividend: float | Floats
) -> tuple[Floats, Floats]:
    """The volatility of each price, and its error: (model price - price) / price.

    No volatility gives a price at or below the intrinsic value: it is 0 then, and the model's price the intrinsic one.
    Without a price the error is 100, and the volatility one that makes the option next to worthless, as the vendor's.
    """
    sign = np.where(is_call, 1.0, -1.0)
    vol, model = _solve(sign, price, spot, strike, years, rate, dividend)
    with np.errstate(divide="ignore", invalid="ignore"):
        error = np.where(price > 0, (model - price) / price, _UNSOLVED_ERROR)
    return vol, error


def _solve(
    sign: Floats, price: Floats, spot: Floats, strike: Floats, years: Floats, rate: float, dividend: float | Floats
) -> tuple[Floats, Floats]:
    """Volatilities and model prices, by the out-of-the-money option of the same strike: no digits are lost then."""
    discount = np.exp(-rate * years)
    forward = spot * np.exp((rate - dividend) * years)
    scale = discount * np.sqrt(forward * strike)
    intrinsic = discount * np.maximum(sign * (forward - strike), 0.0)
    depth = -np.abs(np.log(forward / strike))
    value = (price - intrinsic) / scale
    solvable = (price > 0) & (value > 1e-12) & (value < _normalised(np.float64(_MAX_WIDTH), depth))
    vol, model = np.zeros(len(price)), intrinsic.copy()
    vol[solvable] = _widths(depth[solvable], value[solvable]) / np.sqrt(years[solvable])
    model[solvable] = price[solvable]
    free = (price <= 0) & (intrinsic <= 0)
    vol[free] = _free_vol(depth[free], scale[free], years[free])
    return vol, model


def _free_vol(depth: Floats, scale: Floats, years: Floats) -> Floats:
    """Where the vendor's search for the volatility of a price of nothing ends: 0.5 halved until next to nothing."""
    vol = np.full(len(depth), 0.5)
    for _ in range(_HALVINGS):
        dear = scale * _normalised(vol * np.sqrt(years), depth) > _NEXT_TO_NOTHING
        vol[dear] /= 2
    vol[dear] = 0
    return vol


def _normalised(width: Floats | np.float64, depth: Floats) -> Floats:
    """Black's price of the out-of-the-money option over the root of forward x strike; depth = -|log moneyness|."""
    at = depth / width
    worth: Floats = np.exp(depth / 2) * ndtr(at + width / 2) - np.exp(-depth / 2) * ndtr(at - width / 2)
    return worth


def _widths(depth: Floats, value: Floats) -> Floats:
    """The vol x root of years at which the normalised price is the value. 1/log is near a line where both are small."""

    def miss(width: Floats, depth: Floats, target: Floats) -> Floats:
        worth = np.clip(_normalised(width, depth), 1e-300, 1 - 1e-16)
        missing: Floats = target - 1 / np.log(worth)
        return missing

    if not len(value):
        return value
    from scipy.optimize import elementwise  # here, because it takes long and few requests need it

    steepest = np.maximum(np.sqrt(-2 * depth), 2 * _MIN_WIDTH)
    below = _normalised(steepest, depth) > value
    bracket = (np.where(below, _MIN_WIDTH, steepest), np.where(below, steepest, _MAX_WIDTH))
    found = elementwise.find_root(
        miss, bracket, args=(depth, 1 / np.log(value)), tolerances={"xrtol": 1e-9, "xatol": 0, "fatol": 0, "frtol": 0}
    )
    widths: Floats = found.x
    return widths


def greeks(
    *, is_call: Flags, price: Floats, spot: Floats, strike: Floats, years: Floats, rate: float, dividend: float | Floats
) -> dict[str, Floats]:
    """All greeks at the implied volatility of each price, by the vendor's column names.

    Prices, spots and strikes in dollars; rate and dividend continuous, per year as fractions. Where the volatility
    is 0, delta is that of the intrinsic value and all else is 0.
    """
    sign = np.where(is_call, 1.0, -1.0)
    vol, error = implied_vol(
        is_call=is_call, price=price, spot=spot, strike=strike, years=years, rate=rate, dividend=dividend
    )
    solved = vol > 0
    terms = _Terms.of(sign, spot, strike, years, np.where(solved, vol, _ANY_VOL), rate, dividend)
    columns = _first_order(terms) | _second_order(terms) | _third_order(terms)
    columns |= {"d1": terms.d1, "d2": terms.d2} | _dual(terms)
    columns = {name: np.where(solved, column, 0.0) for name, column in columns.items()}
    inside = ~solved & (sign * (terms.spot_now - terms.strike_now) > 0)
    columns["delta"][inside] = (sign * terms.spot_now / spot)[inside]
    return columns | {"implied_vol": vol, "iv_error": error}


def _first_order(at: _Terms) -> dict[str, Floats]:
    in_spot, in_cash = at.in_spot, at.in_cash
    decay = -at.spot_now * at.density * at.vol / (2 * np.sqrt(at.years)) - at.rate * in_cash + at.dividend * in_spot
    worth = in_spot - in_cash
    with np.errstate(divide="ignore", invalid="ignore"):
        leverage = np.where(worth > 0, in_spot / worth, 0.0)
    return {
        "delta": in_spot / at.spot,
        "theta": decay / _DAYS_A_YEAR,
        "vega": at.vega,
        "rho": at.years * in_cash,
        "epsilon": -at.years * in_spot,
        "lambda": leverage,
    }


def _second_order(at: _Terms) -> dict[str, Floats]:
    """By vol: vanna (of delta), vomma (of vega), vera (of rho). By years: veta (of vega), charm (of delta, negated)."""
    carry = at.rate - at.dividend
    turn = (2 * carry * at.years - at.d2 * at.width) / (2 * at.years * at.width)
    return {
        "gamma": at.gamma,
        "vanna": -at.spot_now / at.spot * at.density * at.d2 / at.vol,
        "charm": at.dividend * at.in_spot / at.spot - at.spot_now / at.spot * at.density * turn,
        "vomma": at.vega * at.d1 * at.d2 / at.vol,
        "veta": -at.vega * (at.dividend + carry * at.d1 / at.width - (1 + at.d1 * at.d2) / (2 * at.years)),
        "vera": -at.years * at.spot_now * at.density * at.d1 / at.vol,
    }


def _third_order(at: _Terms) -> dict[str, Floats]:
    """Of gamma: speed by spot, zomma by vol, color by years. Of vomma: ultima by vol."""
    carry = at.rate - at.dividend
    product = at.d1 * at.d2
    turn = (2 * carry * at.years - at.d2 * at.width) / at.width
    return {
        "speed": -at.gamma / at.spot * (at.d1 / at.width + 1),
        "zomma": at.gamma * (product - 1) / at.vol,
        "color": -at.gamma / (2 * at.years) * (2 * at.dividend * at.years + 1 + turn * at.d1),
        "ultima": -at.vega / at.vol**2 * (product * (1 - product) + at.d1**2 + at.d2**2),
    }


def _dual(at: _Terms) -> dict[str, Floats]:
    """Derivatives by the strike."""
    density = at.spot_now * at.density / at.strike  # = discount x density at d2
    return {"dual_delta": -at.in_cash / at.strike, "dual_gamma": density / (at.strike * at.width)}
