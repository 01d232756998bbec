"""Quotes and trades of one synthetic option contract and day, as functions of its name and its underlying's path.

A quote is two-sided round the Black-Scholes price at a made-up volatility surface; a trade happens at a quote.
"""

import math
from dataclasses import dataclass
from datetime import date, time
from typing import Final

import numpy as np

from simulator.market import NO_CONDITION, Ints, Quotes, Trades
from simulator.options import Underlying
from simulator.options.greeks import Floats, price, years_to_expiry
from simulator.options.synthetic_chains import LOAD_ROOT, Root
from simulator.sources.synthetic import digest, random_bytes, seeded, u_shape
from stoculus.calendar import option_session_hours
from stoculus.instruments import OptionContract

RATE: Final = 0.0436
"""The continuous rate, per year, of all synthetic option prices; there are no dividends."""
_DOLLAR: Final = 10_000
_OPEN_MS: Final = 34_200_000
_FINE_QUOTES_SINCE: Final = date(2018, 12, 3)  # before, option quotes have a resolution of one second (rest.md 10.3)
_CHEAP: Final = 3.0
_NATIONAL_BBO: Final = 50
_LOAD_QUOTES: Final = 420
_ALWAYS_TRADED: Final = 0.03
_NOT_HELD: Final = 0.14  # of a recorded chain

# Drawn from by one random byte a row; conditions as often as in a recorded day.
_EXCHANGES = np.repeat(
    np.array([5, 6, 42, 65, 60, 43, 1, 4, 7, 9, 11, 22, 31, 46, 47, 69], np.int16),
    [50, 30, 24, 22, 20, 16, 14, 12, 12, 12, 10, 10, 8, 6, 5, 5],
)
_CONDITIONS = np.repeat(np.array([130, 18, 131, 125, 95], np.int16), [183, 39, 18, 13, 3])
_QUOTE_SIZES = np.repeat(
    np.array([1, 2, 5, 10, 14, 33, 58, 93, 210, 430], np.int16), [30, 30, 30] + [26] * 4 + [22] * 2 + [18]
)
_TRADE_SIZES = np.repeat(np.array([1, 2, 3, 5, 10, 20, 50, 200], np.int16), [130, 46, 24, 20, 20, 8, 6, 2])


@dataclass(frozen=True, slots=True)
class Traded:
    """How much goes on in a contract on a day: quotes, trades, contracts held."""

    quotes: int
    trades: int
    held: int


def at_the_money(root: Root, day: date) -> float:
    """The volatility at the money: the underlying's own, and a slow wave."""
    own = 0.13 if root.is_index else 0.18 + digest(root.symbol) % 100 / 250
    return own * math.exp(0.25 * math.sin(2 * math.pi * day.toordinal() / 89))


def volatility(at_the_money: float, spot: Floats, strike: float, years: Floats) -> Floats:
    """A smile over the distance from spot, in deviations: low strikes are dear, but leave no riskless gain."""
    far = np.clip(np.log(strike / spot) / (at_the_money * np.sqrt(years + 0.02)), -5, 5)
    smile: Floats = at_the_money * (1 - 0.08 * far + 0.018 * far * far)
    return smile


def traded(root: Root, contract: OptionContract, day: date) -> Traded:
    """More near the money and near expiry."""
    trade_share, held_share, zero_share = _shares(f"{contract.osi}/{day}")
    years = max((contract.expiration - day).days, 0.3) / 365
    distance = math.log(contract.strike / root.level(day))
    near = math.exp(-((distance / at_the_money(root, day)) ** 2) / (4 * years))
    busy = root.activity * near * min(1.0, 0.25 + 2 / (1 + 365 * years))
    trades = int(-12 * busy * math.log(trade_share))
    if abs(distance) < _ALWAYS_TRADED:  # so that each expiration has trades on each day
        trades = max(trades, 1)
    held = 0 if zero_share < _NOT_HELD else int(-900 * root.activity * (0.15 + near) * math.log(held_share))
    return Traded(_LOAD_QUOTES if root.name == LOAD_ROOT else 100 + int(150 * busy), trades, held)


def _shares(text: str) -> list[float]:
    """Three even draws from ]0, 1]: cheaper than a generator, for whole chains are asked what they trade."""
    digits = digest(text)
    return [((digits >> shift) % 2**32 + 1) / 2**32 for shift in (0, 32, 64)]


def _times(random: np.random.Generator, root: str, day: date, rows: int) -> Ints:
    """Ascending, from the open to the last moment of the session."""
    close_ms = _ms(option_session_hours(root, day, "regular")[1])
    gaps = np.cumsum(random.standard_exponential(rows + 1))
    times: Ints = _OPEN_MS + (u_shape(gaps[:-1] / gaps[-1]) * (close_ms - _OPEN_MS)).astype(np.int32)
    return times


def _ms(at: time) -> int:
    return ((at.hour * 60 + at.minute) * 60 + at.second) * 1000 + at.microsecond // 1000


def _quote_times(random: np.random.Generator, contract: OptionContract, day: date, rows: int) -> Ints:
    times = _times(random, contract.root, day, rows)
    times[0] = _OPEN_MS
    times[1] = min(int(times[1]), _OPEN_MS + int(random.integers(1, 20_000)))
    return times if day >= _FINE_QUOTES_SINCE else times // 1000 * 1000


def quotes(root: Root, contract: OptionContract, day: date, rows: int, path: Underlying) -> Quotes:
    """Every quote of the day. Some contracts have none at the open, and say so by zeros."""
    random = seeded(contract.osi, day, "quote")
    times = _quote_times(random, contract, day, rows)
    spot = path.price[(times - _OPEN_MS) // 1000] / _DOLLAR
    years = years_to_expiry(contract.expiration, day, times, "latest")
    worth = _worth(contract, spot, years, at_the_money(root, day))
    bid, ask = _sides(worth, root.ticks)
    draws = random_bytes(random, 4 * rows).reshape(4, rows)
    bid_size, ask_size = _QUOTE_SIZES[draws[:2]]
    bid_size[bid == 0] = 0
    if root.name != LOAD_ROOT and random.random() < 0.4:
        bid[0] = ask[0] = bid_size[0] = ask_size[0] = 0
    condition = np.full(rows, _NATIONAL_BBO, np.int16)
    return Quotes(
        ms=times,
        bid_size=bid_size,
        bid_exchange=_EXCHANGES[draws[2]],
        bid=bid,
        bid_condition=condition,
        ask_size=ask_size,
        ask_exchange=_EXCHANGES[draws[3]],
        ask=ask,
        ask_condition=condition,
    )


def _worth(contract: OptionContract, spot: Floats, years: Floats, at_the_money: float) -> Floats:
    """Dollars."""
    return price(
        is_call=np.full(len(spot), contract.right == "call"),
        spot=spot,
        strike=np.full(len(spot), contract.strike),
        years=years,
        vol=volatility(at_the_money, spot, contract.strike, years),
        rate=RATE,
        dividend=0.0,
    )


def _sides(worth: Floats, ticks: tuple[int, int]) -> tuple[Ints, Ints]:
    """Bid and ask in 1/10000 dollar: the price less and more half a spread, out to the next tick."""
    tick = np.where(worth < _CHEAP, *ticks)
    price, half = worth * _DOLLAR, ticks[0] / 2 + worth * (0.004 * _DOLLAR)
    bid: Ints = (np.maximum(price - half, 0) // tick * tick).astype(np.int32)
    ask: Ints = (np.ceil((price + half) / tick) * tick).astype(np.int32)
    return bid, ask


def trades(root: Root, contract: OptionContract, day: date, rows: int, quotes: Quotes) -> Trades:
    """Every trade of the day, each at the bid, the ask or between them of the last quote at or before it."""
    random = seeded(contract.osi, day, "trade")
    times = np.maximum(_times(random, contract.root, day, rows), quotes.ms[1] + 1)
    at = np.searchsorted(quotes.ms, times, "right") - 1
    bid, ask, side = quotes.bid[at], quotes.ask[at], random_bytes(random, rows)
    middle = (bid + ask) // 2 // root.ticks[0] * root.ticks[0]
    price = np.where(side < 115, bid, np.where(side < 235, ask, np.maximum(middle, bid)))
    none = np.full(rows, NO_CONDITION, np.int16)
    return Trades(
        ms=times,
        sequence=_sequences(random, day, times),
        ext1=none,
        ext2=none,
        ext3=none,
        ext4=none,
        condition=_CONDITIONS[random_bytes(random, rows)],
        size=_TRADE_SIZES[random_bytes(random, rows)],
        exchange=_EXCHANGES[random_bytes(random, rows)],
        price=np.where(price > 0, price, ask),
    )


def _sequences(random: np.random.Generator, day: date, times: Ints) -> Ints:
    """One tape for all contracts, about 30,000 a second, in 32 bits with a sign; not rising within a second."""
    start = digest(f"tape/{day}") % 2**32
    count = start + (times.astype(np.int64) - _OPEN_MS) * 30 + random.integers(0, 30_000, len(times))
    sequences: Ints = (count + 2**31) % 2**32 - 2**31
    return sequences
