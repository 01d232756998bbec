"""`stoculus backtest …`: submit, look at and change backtests at the coordinator."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from stoculus.cli import request
from stoculus.cli.output import Json, print_json, print_table, utc
from stoculus.cli.selection import AroundSpot, Contract, Dte, Expirations, File, Right, Root, Strikes, Symbols

if TYPE_CHECKING:
    from stoculus.cli.client import Coordinator

app = typer.Typer(no_args_is_help=True, help="Backtests: submit, watch, list, change, and their receipts.")

Id = Annotated[str, typer.Argument(metavar="ID", help="The backtest's id.", show_default=False)]
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


@app.command()
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
    """Submit a backtest: a JSON file, or stocks, options or both with one schema.

    stoculus backtest submit --symbols AAPL,MSFT --schema ohlcv --interval 1m --start 2024-01-02 --end 2024-01-05

    stoculus backtest submit --root SPXW --dte 0:7 --strikes 4600:4800 --schema quote --interval 1m --start 2024-01-05
    """
    chain = (root, expirations, dte, strikes, around_spot, right, contract)
    selection = request.Selection(symbols, *chain, schema, interval)
    body = request.backtest(file, selection, start, end, session, backtest_id)
    client = _connect()
    answer = client.ask("POST", "", body)
    if watch or wait:
        _follow(client, answer["backtest_id"], quiet=not watch)
    elif as_json:
        print_json(answer)
    else:
        typer.echo(f"Backtest {answer['backtest_id']} is {answer['state']}. It fills:")
        typer.echo("\n".join(f"  {topic}" for topic in answer["topics"]))
        typer.echo(f"See it work: stoculus backtest watch {answer['backtest_id']}")


@app.command()
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
    """Say what a backtest would cost, and how the vendor will be asked; nothing is stored."""
    chain = (root, expirations, dte, strikes, around_spot, right, contract)
    selection = request.Selection(symbols, *chain, schema, interval)
    body = request.backtest(file, selection, start, end, session)
    answer = _connect().ask("POST", ":estimate", body)
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


@app.command("list")
def list_backtests(as_json: Json = False) -> None:
    """List the backtests, the newest first."""
    client = _connect()
    found: list[dict[str, Any]] = []
    cursor: str | None = None
    while True:
        page = client.ask("GET", "", params={"limit": "200"} | ({"cursor": cursor} if cursor else {}))
        found += page["backtests"]
        if not (cursor := page["next_cursor"]):
            break
    if as_json:
        print_json(found)
        return
    rows = [
        (one["backtest_id"], one["state"], str(len(one["topics"])), f"{one['records']:,}", utc(one["created_at"]))
        for one in found
    ]
    print_table(("backtest", "state", ">topics", ">records", "submitted (UTC)"), rows)


@app.command()
def show(backtest_id: Id, as_json: Json = False) -> None:
    """Show a backtest and its topics."""
    answer = _connect().ask("GET", _path(backtest_id))
    if as_json:
        print_json(answer)
        return
    title = f"Backtest {answer['backtest_id']}: {answer['state']}, {answer['records']:,} records"
    rows = [_task_row(task) for task in answer["tasks"]]
    print_table(("topic", "state", ">records", ">of about", "complete until (UTC)", "remarks"), rows, title=title)


@app.command()
def watch(backtest_id: Id) -> None:
    """Show the progress until it ends: bars on a terminal, else lines. Exit code 1 where it did not complete."""
    _follow(_connect(), backtest_id)


@app.command()
def pause(backtest_id: Id) -> None:
    """Pause a backtest; what is on the topics stays."""
    _act(backtest_id, "pause")


@app.command()
def resume(backtest_id: Id) -> None:
    """Go on with a paused backtest."""
    _act(backtest_id, "resume")


@app.command()
def cancel(backtest_id: Id) -> None:
    """Stop a backtest for good; what is on the topics stays."""
    _act(backtest_id, "cancel")


@app.command()
def retry(
    backtest_id: Id,
    max_bad_rows: Annotated[
        int | None, typer.Option(min=0, help="Malformed rows that each topic may put into quarantine.")
    ] = None,
) -> None:
    """Go on with a failed backtest."""
    _act(backtest_id, "retry", None if max_bad_rows is None else {"max_bad_rows": max_bad_rows})


@app.command()
def delete(backtest_id: Id) -> None:
    """Delete a backtest and its topics. Its id is never used again."""
    answer = _connect().ask("DELETE", _path(backtest_id))
    typer.echo(f"Backtest {answer['backtest_id']} is {answer['state']}, with {len(answer['topics'])} topics.")


@app.command()
def receipt(backtest_id: Id, as_json: Json = False) -> None:
    """Show what a completed backtest wrote: records, first and last event, hash of each topic."""
    answer = _connect().ask("GET", _path(backtest_id) + "/receipt")
    if as_json:
        print_json(answer)
        return
    rows = [
        (
            each["task_id"],
            f"{each['records']:,}",
            utc(each["first_ts_event"]),
            utc(each["last_ts_event"]),
            str(len(each["days"])),
            f"{each['empty_bars']:,}",
            f"{each['bad_rows']:,}",
            "" if each["last_offset"] is None else str(each["last_offset"]),
            each["hash"][:16],
        )
        for each in answer["receipts"]
    ]
    numbers = (">days", ">empty rows left out", ">bad rows", ">last offset")
    title = f"Receipt of backtest {answer['backtest_id']}: {answer['records']:,} records"
    print_table(("topic", ">records", "first (UTC)", "last (UTC)", *numbers, "hash"), rows, title=title)


def _connect() -> "Coordinator":
    from stoculus.cli.client import connect

    return connect()


def _path(backtest_id: str) -> str:
    from stoculus.cli.client import path_of

    return path_of(backtest_id)


def _act(backtest_id: str, action: str, body: Any = None) -> None:
    answer = _connect().ask("POST", f"{_path(backtest_id)}:{action}", body)
    typer.echo(f"Backtest {answer['backtest_id']}: wanted is {answer['wanted']}, it is {answer['state']}.")


def _follow(client: "Coordinator", backtest_id: str, *, quiet: bool = False) -> None:
    from rich.console import Console

    from stoculus.cli.watch import report, watch

    console = Console(highlight=False)
    try:
        last = watch(client.snapshots(backtest_id), console, quiet=quiet)
    except KeyboardInterrupt:
        typer.echo(f"The backtest goes on. See it again: stoculus backtest watch {backtest_id}", err=True)
        raise
    report(last, console)


def _task_row(task: dict[str, Any]) -> tuple[str, ...]:
    failure = task["failure"] or {}
    remarks = [task["waiting"], failure.get("message"), failure.get("remedy"), *task["warnings"]]
    about = "" if task["state"] == "completed" else f"{task['rows_expected']:,}"
    told = " ".join(remark for remark in remarks if remark)
    return (task["topic"], task["state"], f"{task['records']:,}", about, utc(task["complete_until"]), told)
