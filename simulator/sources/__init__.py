"""Where the simulator's rows come from."""

from collections.abc import Sequence
from datetime import date
from typing import Literal, Protocol

from simulator.market import Bars, Eod, Grid, Quotes, Trades

Kind = Literal["trade", "quote"]


class Source(Protocol):
    """Stock rows of whole days; None where nothing is held. Prices in 1/10000 dollar, times in ms of the day."""

    limited_by_tier: bool

    def symbols(self) -> Sequence[str]:
        """All symbols, ascending."""

    def dates(self, symbol: str, kind: Kind) -> Sequence[date]:
        """The days with trades or quotes, ascending; days to come may be among them."""

    def trades(self, symbol: str, day: date) -> Trades | None:
        """Every trade of the day."""

    def quotes(self, symbol: str, day: date) -> Quotes | None:
        """Every change of the national best bid and offer of the day."""

    def bars(self, symbol: str, day: date, grid: Grid) -> Bars | None:
        """One bar for each point of the grid."""

    def quotes_at(self, symbol: str, day: date, grid: Grid) -> Quotes | None:
        """The last quote at or before each point of the grid."""

    def eod(self, symbol: str, start: date, end: date) -> Sequence[tuple[date, Eod]]:
        """The reports of the days from start to end, both included, ascending."""
