"""The columns of each answer, in the vendor's CSV order (rest.md 5)."""

from simulator.cells import Cell
from simulator.formats import Columns


def trade(price: Cell) -> Columns:
    """The columns of a trade behind its time."""
    return (
        ("sequence", Cell.INTEGER),
        ("ext_condition1", Cell.INTEGER),
        ("ext_condition2", Cell.INTEGER),
        ("ext_condition3", Cell.INTEGER),
        ("ext_condition4", Cell.INTEGER),
        ("condition", Cell.INTEGER),
        ("size", Cell.INTEGER),
        ("exchange", Cell.INTEGER),
        ("price", price),
    )


def quote(price: Cell) -> Columns:
    """The columns of a quote behind its time."""
    return (
        ("bid_size", Cell.INTEGER),
        ("bid_exchange", Cell.INTEGER),
        ("bid", price),
        ("bid_condition", Cell.INTEGER),
        ("ask_size", Cell.INTEGER),
        ("ask_exchange", Cell.INTEGER),
        ("ask", price),
        ("ask_condition", Cell.INTEGER),
    )


def bar(price: Cell) -> Columns:
    """The columns of a bar."""
    return (
        ("timestamp", Cell.TIME),
        ("open", price),
        ("high", price),
        ("low", price),
        ("close", price),
        ("volume", Cell.INTEGER),
        ("count", Cell.INTEGER),
        ("vwap", Cell.VWAP),
    )


TRADE: Columns = (("timestamp", Cell.TIME), *trade(Cell.TRADE_PRICE))
QUOTE: Columns = (("timestamp", Cell.TIME), *quote(Cell.QUOTE_PRICE))
TRADE_QUOTE: Columns = (
    ("trade_timestamp", Cell.TIME),
    ("quote_timestamp", Cell.TIME),
    *trade(Cell.TRADE_PRICE),
    *quote(Cell.TRADE_PRICE),
)
OHLC: Columns = bar(Cell.BAR_PRICE)
DAY: Columns = (
    ("open", Cell.NUMBER),
    ("high", Cell.NUMBER),
    ("low", Cell.NUMBER),
    ("close", Cell.NUMBER),
    ("volume", Cell.INTEGER),
    ("count", Cell.INTEGER),
    *quote(Cell.NUMBER),
)
EOD: Columns = (("created", Cell.TIME), ("last_trade", Cell.TIME), *DAY)
SYMBOLS: Columns = (("symbol", Cell.TEXT),)
DATES: Columns = (("date", Cell.TEXT),)
DAY_TYPE: Columns = (("type", Cell.TEXT), ("open", Cell.TEXT), ("close", Cell.TEXT))
HOLIDAYS: Columns = (("date", Cell.TEXT), *DAY_TYPE)
