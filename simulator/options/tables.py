"""The columns of each option answer, in the vendor's CSV order (rest.md 5), and what its request may say."""

from dataclasses import dataclass
from typing import Final, Literal

from simulator.cells import Cell
from simulator.formats import BLOCK_ROWS, Columns
from simulator.tables import DAY, EOD, QUOTE, bar, quote, trade

Family = Literal["eod", "ohlc", "quote", "trade", "trade_quote", "open_interest", "greeks", "trade_greeks"]

CONTRACT: Final[Columns] = (
    ("symbol", Cell.TEXT),
    ("expiration", Cell.TEXT),
    ("strike", Cell.NUMBER),
    ("right", Cell.TEXT),
)
EXPIRATIONS: Final[Columns] = CONTRACT[:2]
STRIKES: Final[Columns] = (CONTRACT[0], CONTRACT[2])

_ORDERS: Final[dict[str, str]] = {
    "first_order": "delta theta vega rho epsilon lambda",
    "second_order": "gamma vanna charm vomma veta",
    "third_order": "speed zomma color ultima",
    "implied_volatility": "",
    "all": "delta theta vega rho epsilon lambda gamma vanna charm vomma veta vera speed zomma color ultima"
    " d1 d2 dual_delta dual_gamma",
}
_TRADE: Final[Columns] = (("timestamp", Cell.TIME), *trade(Cell.QUOTE_PRICE))
_TWO_SIDES: Final[Columns] = (("timestamp", Cell.TIME), ("bid", Cell.TRADE_PRICE), ("ask", Cell.TRADE_PRICE))


@dataclass(frozen=True, slots=True)
class OptionTable:
    """An endpoint below `option/history/`: its columns behind the contract's, and the arguments that it takes.

    `daily`: one row a contract and day. `reports`: after the end of the day, so `date` is none of the arguments.
    """

    family: Family
    columns: Columns
    any_expiration: bool
    at_interval: bool = False
    reports: bool = False

    @property
    def daily(self) -> bool:
        return self.reports or self.family == "open_interest"

    @property
    def block_rows(self) -> int:
        """Greeks are many columns, and take as many again while they are computed."""
        return BLOCK_ROWS // 4 if self.greeks else BLOCK_ROWS

    @property
    def greeks(self) -> tuple[str, ...]:
        """The columns that the greeks function answers."""
        return tuple(name for name, cell in self.columns if cell is Cell.GREEK)


def _greeks(names: str, price: Cell = Cell.TRADE_PRICE) -> Columns:
    solved = [(name, Cell.GREEK) for name in (*names.split(), "implied_vol", "iv_error")]
    return (*solved, ("underlying_timestamp", Cell.TIME), ("underlying_price", price))


_THREE_VOLATILITIES: Final[Columns] = (
    ("timestamp", Cell.TIME),
    ("bid", Cell.TRADE_PRICE),
    ("bid_implied_vol", Cell.GREEK),
    ("midpoint", Cell.TRADE_PRICE),
    ("implied_vol", Cell.GREEK),
    ("ask", Cell.TRADE_PRICE),
    ("ask_implied_vol", Cell.GREEK),
    *_greeks("")[1:],
)

TABLES: Final[dict[str, OptionTable]] = {
    "eod": OptionTable("eod", EOD, any_expiration=True, reports=True),
    "ohlc": OptionTable("ohlc", bar(Cell.OPTION_BAR_PRICE), any_expiration=False, at_interval=True),
    "quote": OptionTable("quote", QUOTE, any_expiration=True, at_interval=True),
    "trade": OptionTable("trade", _TRADE, any_expiration=True),
    "trade_quote": OptionTable(
        "trade_quote",
        (("trade_timestamp", Cell.TIME), ("quote_timestamp", Cell.TIME), *_TRADE[1:], *quote(Cell.QUOTE_PRICE)),
        any_expiration=True,
    ),
    "open_interest": OptionTable(
        "open_interest", (("timestamp", Cell.TIME), ("open_interest", Cell.INTEGER)), any_expiration=True
    ),
    "greeks/eod": OptionTable(
        "greeks",
        (("timestamp", Cell.TIME), *DAY, *_greeks(_ORDERS["all"], Cell.BAR_PRICE)),
        any_expiration=True,
        reports=True,
    ),
    **{
        f"greeks/{order}": OptionTable(
            "greeks",
            _THREE_VOLATILITIES if order == "implied_volatility" else (*_TWO_SIDES, *_greeks(names)),
            any_expiration=False,
            at_interval=True,
        )
        for order, names in _ORDERS.items()
    },
    **{
        f"trade_greeks/{order}": OptionTable("trade_greeks", (*_TRADE, *_greeks(names)), any_expiration=True)
        for order, names in _ORDERS.items()
    },
}
