"""The made-up option market: each answer is a pure function of root, day and contract.

Underlyings are the synthetic stocks' own paths, and one index. Bars, quotes at an interval and end-of-day reports are
computed from ticks by the vendor's rules, so that all answers of a day agree.
"""

from collections.abc import Sequence
from datetime import date, timedelta
from typing import Final, TypeVar, cast

import numpy as np

from simulator.caching import ByteCache
from simulator.market import Bars, Eod, Grid, Ints, Quotes, Trades, bars_of_trades, quotes_on_grid
from simulator.options import Kind, Underlying
from simulator.options.synthetic_chains import ROOTS, TEST_EXPIRATION, Listing, Root, listing, terms
from simulator.options.synthetic_ticks import quotes, traded, trades
from simulator.sources.synthetic import FIRST_DAY, Synthetic, report_of, seeded
from stoculus.calendar import is_trading_day
from stoculus.instruments import OptionContract, Right

T = TypeVar("T")

_CACHE_BYTES = 192 * 1024 * 1024
_PATH_BYTES = 32 * 1024 * 1024
_SECONDS = np.arange(34_200_000, 58_500_001, 1000, dtype=np.int32)  # 09:30 to 16:15
_OPEN_INTEREST_MS = 23_400_000
_REPORT_MS = 62_100_000
_CENT: Final = 100
_INDEX_MOVE = 0.007
_NO_TRADES = Trades(*(np.array([], np.int32) for _ in range(10)))
_RIGHTS: Final[tuple[Right, Right]] = ("call", "put")
_TEST_STRIKES = (100_000, 5_000, 50_000)


class SyntheticOptions:
    """The made-up option market as a source, on the made-up stock market."""

    limited_by_tier = True

    def __init__(self, stocks: Synthetic) -> None:
        self._stocks = stocks
        self._paths: ByteCache[tuple[str, date], Underlying] = ByteCache(
            _PATH_BYTES, lambda path: path.ms.nbytes + path.price.nbytes
        )
        self._quotes: ByteCache[tuple[OptionContract, date], Quotes] = ByteCache(
            _CACHE_BYTES, lambda ticks: ticks.bytes
        )

    def roots(self) -> Sequence[str]:
        return tuple(ROOTS)

    def expirations(self, root: str) -> Sequence[date]:
        if root not in ROOTS:
            return []
        tests = [] if ROOTS[root].cycle in ("monthly", "load") else [TEST_EXPIRATION]
        return tests + list(terms(ROOTS[root].cycle))

    def strikes(self, root: str, expiration: date) -> Sequence[int]:
        if root in ROOTS and expiration == TEST_EXPIRATION:
            return _TEST_STRIKES
        held = _listing(root, expiration)
        return _shuffled(held.strikes(held.days[-1]).tolist(), f"{root}/strikes", expiration) if held else []

    def contracts(self, root: str, day: date, kind: Kind | None) -> Sequence[OptionContract]:
        if root not in ROOTS:
            return []
        found = [
            OptionContract(root, expiration, strike, right)
            for expiration, term in terms(ROOTS[root].cycle).items()
            if term.first <= day <= term.last and (held := _listing(root, expiration))
            for strike in held.strikes(day).tolist()
            for right in _RIGHTS
        ]
        if kind == "trade":
            found = [contract for contract in found if traded(ROOTS[root], contract, day).trades]
        return _shuffled(found, f"{root}/contracts", day)

    def dates(self, root: str, expiration: date, kind: Kind) -> Sequence[date]:  # noqa: ARG002 -- some trade each day
        held = _listing(root, expiration)
        return held.days if held else []

    def trades(self, contract: OptionContract, day: date) -> Trades | None:
        found = self._trades(contract, day) if _is_held(contract, day) else _NO_TRADES
        return found if len(found) else None

    def quotes(self, contract: OptionContract, day: date) -> Quotes | None:
        return self._ticks(contract, day) if _is_held(contract, day) else None

    def bars(self, contract: OptionContract, day: date, grid: Grid) -> Bars | None:
        return bars_of_trades(self._trades(contract, day), grid) if _is_held(contract, day) else None

    def quotes_at(self, contract: OptionContract, day: date, grid: Grid) -> Quotes | None:
        return quotes_on_grid(self._ticks(contract, day), grid) if _is_held(contract, day) else None

    def eod(self, contract: OptionContract, day: date) -> Eod | None:
        if not _is_held(contract, day):
            return None
        created_ms = _REPORT_MS + int(seeded(contract.root, day, "report").integers(500, 400_000))
        return report_of(self._trades(contract, day), self._ticks(contract, day), created_ms)

    def open_interest(self, contract: OptionContract, day: date) -> tuple[int, int] | None:
        if not _is_held(contract, day):
            return None
        at_ms = _OPEN_INTEREST_MS + int(seeded(contract.osi, day, "report").integers(0, 2_000))
        return at_ms, traded(ROOTS[contract.root], contract, day).held

    def underlying(self, root: str, day: date) -> Underlying | None:
        held = root in ROOTS and day >= FIRST_DAY and is_trading_day(day)
        return self._path(ROOTS[root], day) if held else None

    def _path(self, root: Root, day: date) -> Underlying:
        return self._paths.get_or(
            (root.name if root.is_index else root.symbol, day),
            lambda: _index_path(root, day) if root.is_index else self._stock(root, day),
        )

    def _stock(self, root: Root, day: date) -> Underlying:
        """The stock's last trade at or before each second; before the first trade, the first."""
        ticks = cast(Trades, self._stocks.trades(root.symbol, day))
        at = np.searchsorted(ticks.ms, _SECONDS, "right") - 1
        return Underlying(_SECONDS, ticks.price[np.maximum(at, 0)])

    def _ticks(self, contract: OptionContract, day: date) -> Quotes:
        return self._quotes.get_or((contract, day), lambda: self._make(contract, day))

    def _make(self, contract: OptionContract, day: date) -> Quotes:
        root = ROOTS[contract.root]
        return quotes(root, contract, day, traded(root, contract, day).quotes, self._path(root, day))

    def _trades(self, contract: OptionContract, day: date) -> Trades:
        root = ROOTS[contract.root]
        rows = traded(root, contract, day).trades
        return trades(root, contract, day, rows, self._ticks(contract, day)) if rows else _NO_TRADES


def _listing(root: str, expiration: date) -> Listing | None:
    return listing(ROOTS[root], expiration) if root in ROOTS else None


def _is_held(contract: OptionContract, day: date) -> bool:
    held = _listing(contract.root, contract.expiration)
    return held is not None and held.has(contract.strike_thousandths, day)


def _shuffled(items: list[T], what: str, day: date) -> list[T]:
    """In no order, as at the vendor, but always the same."""
    return [items[number] for number in seeded(what, day, "order").permutation(len(items)).tolist()]


def _index_path(root: Root, day: date) -> Underlying:
    """From the day's level to the next day's, a price each second."""
    random = seeded(root.symbol, day, "index")
    first, last = np.log(root.level(day)), np.log(root.level(day + timedelta(days=1)))
    walk = np.cumsum(random.standard_normal(len(_SECONDS))) * (_INDEX_MOVE / np.sqrt(len(_SECONDS)))
    cents: Ints = np.rint(np.exp(walk + np.linspace(first, last - walk[-1], len(walk))) * 100).astype(np.int32)
    return Underlying(_SECONDS, cents * _CENT)
