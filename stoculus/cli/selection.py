"""The options of every command that selects instruments: stocks, chains of options, contracts."""

from typing import Annotated, Final

import typer

_STOCKS: Final = "Stocks"
_CHAINS: Final = "Options of a root, or contracts by their symbols"

File = Annotated[
    str | None, typer.Argument(metavar="FILE", help="The request as JSON; - is standard input.", show_default=False)
]
Symbols = Annotated[str | None, typer.Option(help="Tickers: AAPL,MSFT.", rich_help_panel=_STOCKS)]
Root = Annotated[str | None, typer.Option(help="Root: SPXW. SPX is another one.", rich_help_panel=_CHAINS)]
Expirations = Annotated[
    str | None,
    typer.Option(help="Days 2024-01-05,2024-01-12, a range 2024-01-05:2024-02-16, or all.", rich_help_panel=_CHAINS),
]
Dte = Annotated[
    str | None,
    typer.Option(
        metavar="DAYS", help="Calendar days to the expiration, on each day: 0, or a range 0:7.", rich_help_panel=_CHAINS
    ),
]
Strikes = Annotated[
    str | None,
    typer.Option(help="Dollars 4700,4750, a range 4600:4800, or all (default).", rich_help_panel=_CHAINS),
]
AroundSpot = Annotated[
    int | None,
    typer.Option(
        metavar="N", help="N strikes above and below the underlying's price, on each day.", rich_help_panel=_CHAINS
    ),
]
Right = Annotated[str | None, typer.Option(help="call, put or both (default).", rich_help_panel=_CHAINS)]
Contract = Annotated[
    list[str] | None,
    typer.Option(metavar="OSI", help="'SPXW  240105C04700000'. May be repeated.", rich_help_panel=_CHAINS),
]
