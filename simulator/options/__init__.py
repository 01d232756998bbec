"""Options of the simulated terminal: lists, contracts and history.

Where the rows come from is an OptionSource; endpoints select contracts, compute greeks and render.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Literal, Protocol

from simulator.market import Bars, Eod, Grid, Ints, Quotes, Trades
from stoculus.instruments import OptionContract

Kind = Literal["trade", "quote"]


@dataclass(frozen=True, slots=True)
class Underlying:
    """The underlying's price on a day: ascending times (ms of the New York day) and prices in 1/10000 dollar."""

    ms: Ints
    price: Ints


class OptionSource(Protocol):
    """Option rows of whole days; None where nothing is held. Prices in 1/10000 dollar, times in ms of the day.

    Contracts, strikes and their order are as at the vendor: in no order.
    """

    limited_by_tier: bool

    def roots(self) -> Sequence[str]:
        """All roots, ascending."""

    def expirations(self, root: str) -> Sequence[date]:
        """All expirations of a root, ascending; impossible ones of test contracts are among them."""

    def strikes(self, root: str, expiration: date) -> Sequence[int]:
        """All strikes of an expiration in 1/1000 dollar."""

    def contracts(self, root: str, day: date, kind: Kind | None) -> Sequence[OptionContract]:
        """The contracts that have trades or quotes on the day; None: whatever is held of the day."""

    def dates(self, root: str, expiration: date, kind: Kind) -> Sequence[date]:
        """The days on which a contract of the expiration has trades or quotes, ascending."""

    def trades(self, contract: OptionContract, day: date) -> Trades | None:
        """Every trade of the day."""

    def quotes(self, contract: OptionContract, day: date) -> Quotes | None:
        """Every change of the national best bid and offer of the day."""

    def bars(self, contract: OptionContract, day: date, grid: Grid) -> Bars | None:
        """One bar for each point of the grid."""

    def quotes_at(self, contract: OptionContract, day: date, grid: Grid) -> Quotes | None:
        """The last quote at or before each point of the grid."""

    def eod(self, contract: OptionContract, day: date) -> Eod | None:
        """The report of the day."""

    def open_interest(self, contract: OptionContract, day: date) -> tuple[int, int] | None:
        """Report time in ms of the day, and the open interest."""

    def underlying(self, root: str, day: date) -> Underlying | None:
        """The underlying's path; None: no greeks."""
