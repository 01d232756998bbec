"""The columns of each answer, in the vendor's CSV order (rest.md 5)."""

from simulator.cells import Cell
from simulator.formats import Columns

_TRADE: Columns = (
    ("sequence", Cell.INTEGER),
    ("ext_condition1", Cell.INTEGER),
    ("ext_condition2", Cell.INTEGER),
    ("ext_condition3", Cell.INTEGER),
    ("ext_condition4", Cell.INTEGER),
    ("condition", Cell.INTEGER),
    ("size", Cell.INTEGER),
    ("exchange", Cell.INTEGER),
    ("price", Cell.TRADE_PRICE),
)


def _quote(price: Cell) -> Columns:
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


TRADE: Columns = (("timestamp", Cell.TIME), *_TRADE)
QUOTE: Columns = (("timestamp", Cell.TIME), *_quote(Cell.QUOTE_PRICE))
TRADE_QUOTE: Columns = (
    ("trade_timestamp", Cell.TIME),
    ("quote_timestamp", Cell.TIME),
    *_TRADE,
    *_quote(Cell.TRADE_PRICE),
)
OHLC: Columns = (
    ("timestamp", Cell.TIME),
    ("open", Cell.BAR_PRICE),
    ("high", Cell.BAR_PRICE),
    ("low", Cell.BAR_PRICE),
    ("close", Cell.BAR_PRICE),
    ("volume", Cell.INTEGER),
    ("count", Cell.INTEGER),
    ("vwap", Cell.VWAP),
)
EOD: Columns = (
    ("created", Cell.TIME),
    ("last_trade", Cell.TIME),
    ("open", Cell.NUMBER),
    ("high", Cell.NUMBER),
    ("low", Cell.NUMBER),
    ("close", Cell.NUMBER),
    ("volume", Cell.INTEGER),
    ("count", Cell.INTEGER),
    *_quote(Cell.NUMBER),
)
SYMBOLS: Columns = (("symbol", Cell.TEXT),)
DATES: Columns = (("date", Cell.TEXT),)
DAY_TYPE: Columns = (("type", Cell.TEXT), ("open", Cell.TEXT), ("close", Cell.TEXT))
HOLIDAYS: Columns = (("date", Cell.TEXT), *DAY_TYPE)
