"""`stoculus backtest submit` and `estimate`."""

from typing import Annotated

import typer

from stoculus.cli import request
from stoculus.cli.backtests.asking import connect, follow
from stoculus.cli.output import Json, print_json, print_table
from stoculus.cli.selection import AroundSpot, Contract, Dte, Expirations, File, Right, Root, Strikes, Symbols

Schema = Annotated[
    str | None,
    typer.Option(
        help="ohlcv (default), quote, trade, tradequote or eod; of options also openinterest, greeksfirst, greeksall, "
        "iv, greekseod, tradegreeks."
    ),
]
Interval = Annotated[str | None, typer.Option(help="Of ohlcv, quote, greeksfirst, greeksall and iv: 1s, 1m, 1h …")]
Start = Annotated[str | None, typer.Option(metavar="DAY", help="First New York day: 2024-01-02.")]
End = Annotated[str | None, typer.Option(metavar="DAY", help="Last New York day, included. Default: the first.")]
Session = Annotated[str | None, typer.Option(help="regular (default) or extended.")]
BacktestId = Annotated[str | None, typer.Option("--id", help="Its id; the same request again is the same backtest.")]
Watch = Annotated[bool, typer.Option("--watch", help="Show the progress until it ends.")]
Wait = Annotated[bool, typer.Option("--wait", help="Wait until it ends; exit code 1 where it did not complete.")]


def submit(
    file: File = None,
    symbols: Symbols = None,
    root: Root = None,
    expirations: Expirations = None,
    dte: Dte = None,
    strikes: Strikes = None,
    around_spot: AroundSpot = None,
    right: Right = None,
    contract: Contract = None,
    schema: Schema = None,
    interval: Interval = None,
    start: Start = None,
    end: End = None,
    session: Session = None,
    backtest_id: BacktestId = None,
    watch: Watch = False,
    wait: Wait = False,
    as_json: Json = False,
) -> None:
    r"""Submit a backtest: a JSON file, or stocks, options or both with one schema.

    The coordinator checks the request, creates a topic for each symbol or
    chain, and has the services fill them. The same request again with the
    same id is the same backtest: nothing is done twice. Days are New York's.

    Prints the id and the topics. With --json the backtest as the coordinator
    describes it: with --wait as it ended, with --watch a line at each change.

    Exit codes: 0 accepted (with --wait or --watch: completed), 1 refused or
    not completed, 2 wrong usage.

    Examples:
      stoculus backtest submit --symbols AAPL,MSFT --start 2024-01-02 \
          --end 2024-01-05 --id 42 --watch
      stoculus backtest submit --root SPXW --dte 0:7 --strikes 4600:4800 \
          --schema quote --interval 1m --start 2024-01-05
      stoculus backtest submit request.json --wait --json
    """
    chain = (root, expirations, dte, strikes, around_spot, right, contract)
    selection = request.Selection(symbols, *chain, schema, interval)
    body = request.backtest(file, selection, start, end, session, backtest_id)
    client = connect()
    answer = client.ask("POST", "", body)
    if watch or wait:
        follow(client, answer["backtest_id"], quiet=not watch, as_json=as_json)
    elif as_json:
        print_json(answer)
    else:
        typer.echo(f"Backtest {answer['backtest_id']} is {answer['state']}. It fills:")
        typer.echo("\n".join(f"  {topic}" for topic in answer["topics"]))
        typer.echo(f"See it work: stoculus backtest watch {answer['backtest_id']}")


def estimate(
    file: File = None,
    symbols: Symbols = None,
    root: Root = None,
    expirations: Expirations = None,
    dte: Dte = None,
    strikes: Strikes = None,
    around_spot: AroundSpot = None,
    right: Right = None,
    contract: Contract = None,
    schema: Schema = None,
    interval: Interval = None,
    start: Start = None,
    end: End = None,
    session: Session = None,
    as_json: Json = False,
) -> None:
    r"""Say what a backtest would cost, and how the vendor will be asked.

    Takes what `stoculus backtest submit` takes. Nothing is stored and no topic
    is created; the vendor's lists are asked, its data is not.

    Prints a row for each topic: requests, records, bytes and seconds, about;
    then which way the vendor is asked. Warnings go to standard error.

    Exit codes: 0 it could be submitted, 1 it would be refused, 2 wrong usage.

    Examples:
      stoculus backtest estimate --symbols AAPL --schema quote \
          --start 2024-01-02 --end 2024-03-28
      stoculus backtest estimate --root SPXW --expirations all \
          --schema trade --start 2024-01-02 --json
    """
    chain = (root, expirations, dte, strikes, around_spot, right, contract)
    selection = request.Selection(symbols, *chain, schema, interval)
    answer = connect().ask("POST", ":estimate", request.backtest(file, selection, start, end, session))
    if as_json:
        print_json(answer)
        return
    rows = [
        (t["task_id"], *(f"{t[k]:,}" for k in ("requests", "rows", "bytes")), f"{t['seconds']:,.0f}")
        for t in answer["tasks"]
    ]
    rows.append(("all", *(f"{answer[k]:,}" for k in ("requests", "rows", "bytes")), f"{answer['seconds']:,.0f}"))
    print_table(("topic", ">requests", ">records, about", ">bytes, about", ">seconds, about"), rows)
    for task in answer["tasks"]:
        for note in task["notes"]:
            typer.echo(f"{task['task_id']}: {note}")
    for warning in answer["warnings"]:
        typer.echo(warning, err=True)
