"""A source of a few option rows for tests that need to know each of them."""

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

import numpy as np

from simulator.clock import Clock
from simulator.formats import Dialect, document
from simulator.market import Bars, Eod, Grid, Quotes, Trades, bars_of_trades, quotes_on_grid
from simulator.options import Kind, Underlying
from simulator.options.history import OptionHistories
from stoculus.calendar import NEW_YORK
from stoculus.instruments import OptionContract

DAY = date(2024, 1, 3)
NEAR, FAR, IMPOSSIBLE = date(2024, 1, 5), date(2024, 1, 19), date(1882, 11, 17)
LATER = datetime(2026, 1, 1, tzinfo=NEW_YORK)
OPEN_MS = 34_200_000
"""The first quote of each contract is at the open, one of 1.00 by 1.10; each minute both rise by a cent."""


@dataclass(slots=True)
class SmallChain:
    """The root TEST: strikes 90 to 110 by 5, calls and puts, on 2024-01-03 and 04; its spot is 101.00 all day.

    One trade a contract, 1 at the bid of the open at 09:30:30.5; what is put into a dictionary is answered instead.
    """

    limited_by_tier: bool = True
    asked: list[str] = field(default_factory=list)
    held_trades: dict[OptionContract, Trades] = field(default_factory=dict)
    held_quotes: dict[OptionContract, Quotes] = field(default_factory=dict)
    held_bars: dict[OptionContract, Bars] = field(default_factory=dict)
    held_reports: dict[OptionContract, Eod] = field(default_factory=dict)
    spot: int = 1_010_000

    def roots(self) -> Sequence[str]:
        return ["OTHER", "TEST"]

    def expirations(self, root: str) -> Sequence[date]:
        return [IMPOSSIBLE, NEAR, FAR] if root == "TEST" else []

    def strikes(self, root: str, expiration: date) -> Sequence[int]:
        return [105_000, 90_000, 110_000, 100_000, 95_000] if expiration in (NEAR, FAR) and root == "TEST" else []

    def contracts(self, root: str, day: date, kind: Kind | None) -> Sequence[OptionContract]:
        if day not in (DAY, date(2024, 1, 4)):
            return []
        every = [
            OptionContract(root, expiration, strike, right)
            for right in ("put", "call")
            for expiration in (FAR, NEAR)
            for strike in self.strikes(root, expiration)
        ]
        return [each for each in every if kind != "trade" or each.right == "call"]

    def dates(self, root: str, expiration: date, kind: Kind) -> Sequence[date]:
        return [DAY, date(2024, 1, 4)] if expiration in (NEAR, FAR) and root == "TEST" else []

    def trades(self, contract: OptionContract, day: date) -> Trades | None:
        self.asked.append(contract.osi)
        if contract in self.held_trades:
            return self.held_trades[contract]
        if contract not in self.contracts("TEST", day, None):
            return None
        none = np.array([255])
        one = np.array([1])
        price = np.array([10_000])
        return Trades(np.array([OPEN_MS + 30_500]), -one, none, none, none, none, 18 * one, one, 5 * one, price)

    def quotes(self, contract: OptionContract, day: date) -> Quotes | None:
        self.asked.append(contract.osi)
        if contract in self.held_quotes:
            return self.held_quotes[contract]
        if contract not in self.contracts("TEST", day, None):
            return None
        minute = np.arange(391)
        ten, fifty = np.full(391, 10), np.full(391, 50)
        bid = 10_000 + 100 * minute
        return Quotes(OPEN_MS + 60_000 * minute, ten, ten, bid, fifty, ten, ten, bid + 1_000, fifty)

    def bars(self, contract: OptionContract, day: date, grid: Grid) -> Bars | None:
        if contract in self.held_bars:
            return self.held_bars[contract]
        trades = self.trades(contract, day)
        return None if trades is None else bars_of_trades(trades, grid)

    def quotes_at(self, contract: OptionContract, day: date, grid: Grid) -> Quotes | None:
        quotes = self.quotes(contract, day)
        return None if quotes is None else quotes_on_grid(quotes, grid)

    def eod(self, contract: OptionContract, day: date) -> Eod | None:
        self.asked.append(contract.osi)
        if contract in self.held_reports:
            return self.held_reports[contract]
        if contract not in self.contracts("TEST", day, None):
            return None
        quote = (10, 5, 14_900, 50, 10, 5, 15_900, 50)
        return Eod(62_100_000, OPEN_MS + 30_500, 10_000, 10_000, 10_000, 10_000, 1, 1, quote)

    def open_interest(self, contract: OptionContract, day: date) -> tuple[int, int] | None:
        return (23_400_000, 7) if contract in self.contracts("TEST", day, None) else None

    def underlying(self, root: str, day: date) -> Underlying | None:
        return Underlying(np.array([OPEN_MS]), np.array([self.spot]))


def body(
    kind: str,
    query: dict[str, str],
    source: SmallChain | None = None,
    clock: Clock | None = None,
    dialect: Dialect | None = None,
) -> str:
    """The answer of a history endpoint; one-minute intervals, synthetic chain, 2026, unless told."""
    endpoint = OptionHistories(source or SmallChain(), clock or Clock(LATER)).endpoints[f"option/history/{kind}"]
    request = endpoint.read({"interval": "1m", **query})
    runs = list(endpoint.runs(request, dialect or Dialect()))
    return b"".join(document(request.format, endpoint.columns, runs)).decode()


def rows(kind: str, query: dict[str, str], *args: Any) -> list[dict[str, str]]:
    """The same, its CSV read."""
    return list(csv.DictReader(io.StringIO(body(kind, query, *args), newline="")))
