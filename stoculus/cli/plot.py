"""`stoculus plot`: a backtest as pictures."""

from pathlib import Path
from typing import Annotated

import typer

from stoculus.cli import completing
from stoculus.cli.backtests.asking import Id
from stoculus.cli.output import Json, print_json, print_table

Topics = Annotated[
    list[str] | None,
    typer.Option("--topic", help="Only this one. May be repeated.", autocompletion=completing.topics),
]
Start = Annotated[
    str | None, typer.Option(metavar="TIME", help="From this market time on: 2024-01-02T09:30, New York's.")
]
End = Annotated[str | None, typer.Option(metavar="TIME", help="Up to this market time; a day alone is included.")]
To = Annotated[Path | None, typer.Option(help="A .png or .html file. Default: backtest-ID.png.", show_default=False)]


def plot(
    backtest_id: Id, topics: Topics = None, start: Start = None, end: End = None, to: To = None, as_json: Json = False
) -> None:
    r"""Draw a backtest: price, spread and coverage, to PNG or HTML.

    Bars become candles, or a line with the range from low to high where there
    are many; trades a line; quotes bid, ask and the spread in basis points.
    A chain is drawn as a whole: the forward and the straddle at the money, the
    chain by strike at noon, records and contracts at each time. Last comes
    what is there of each trading day, and why days are empty. Time is New
    York's, without nights and weekends. What is committed now is drawn, also
    where the backtest runs or has failed.

    Writes the file, one that is there is replaced, and prints the numbers of
    each topic. The HTML page holds all in itself, the numbers too.

    Exit codes: 0 written, 1 there is no such backtest, or nothing to draw,
    2 wrong usage.

    Examples:
      stoculus plot 42
      stoculus plot 42 --to 42.html
      stoculus plot 42 --topic stock-aapl-trade-historical-42 \
          --start 2024-01-03T09:30 --end 2024-01-03T10:00 --to open.png
    """
    from stoculus.cli.connections import reachable_kafka, settings
    from stoculus.errors import InvalidRequest, SettingsInvalid

    file = to or Path(f"backtest-{backtest_id}.png")
    if file.suffix not in (".png", ".html"):
        raise typer.BadParameter(f"{file} is neither .png nor .html.", param_hint="--to")
    if not file.absolute().parent.is_dir():
        raise typer.BadParameter(f"There is no folder {file.parent}.", param_hint="--to")
    try:
        from stoculus.plot import plot_backtest
        from stoculus.plot.numbers import COLUMNS
    except ModuleNotFoundError as error:
        raise SettingsInvalid(
            f"`stoculus plot` needs {error.name}, which is not installed.",
            remedy="Install it: pip install 'stoculus[plot]'",
        ) from error
    where = settings()
    reachable_kafka(where.kafka)
    drawn = plot_backtest(backtest_id, topics=topics, start=start, end=end, settings=where)
    try:
        drawn.save(file)
    except OSError as error:
        raise InvalidRequest(f"{file} cannot be written: {error.strerror}.", remedy="Name another: --to.") from error
    if as_json:
        print_json({"file": str(file), **drawn.as_json()})
        return
    print_table(COLUMNS, [numbers.as_texts() for numbers in drawn.numbers], title=drawn.title)
    for note in drawn.notes:
        typer.echo(note, err=True)
    typer.echo(f"Written: {file}")
