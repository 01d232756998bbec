"""`stoculus backtest …`: submit, look at and change backtests at the coordinator."""

import sys
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from stoculus.cli.output import Json, print_json, print_table

if TYPE_CHECKING:
    from stoculus.cli.client import Coordinator

app = typer.Typer(no_args_is_help=True, help="Backtests: submit, watch, list, change, and their receipts.")

Id = Annotated[str, typer.Argument(metavar="ID", help="The backtest's id.", show_default=False)]
File = Annotated[
    str | None, typer.Argument(metavar="FILE", help="The request as JSON; - is standard input.", show_default=False)
]
Symbols = Annotated[str | None, typer.Option(help="Tickers: AAPL,MSFT.")]
Schema = Annotated[str | None, typer.Option(help="ohlcv (default), quote, trade, tradequote or eod.")]
Interval = Annotated[str | None, typer.Option(help="Of ohlcv and quote: 1s, 1m, 1h …")]
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
    """Submit a backtest: a JSON file, or one selection by options.

    stoculus backtest submit --symbols AAPL,MSFT --schema ohlcv --interval 1m --start 2024-01-02 --end 2024-01-05
    """
    body = _request(file, symbols, schema, interval, start, end, session, backtest_id)
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
    schema: Schema = None,
    interval: Interval = None,
    start: Start = None,
    end: End = None,
    session: Session = None,
    as_json: Json = False,
) -> None:
    """Say what a backtest would cost; nothing is stored."""
    answer = _connect().ask("POST", ":estimate", _request(file, symbols, schema, interval, start, end, session, None))
    if as_json:
        print_json(answer)
        return
    rows = [
        (t["task_id"], *(f"{t[k]:,}" for k in ("requests", "rows", "bytes")), f"{t['seconds']:,.0f}")
        for t in answer["tasks"]
    ]
    rows.append(("all", *(f"{answer[k]:,}" for k in ("requests", "rows", "bytes")), f"{answer['seconds']:,.0f}"))
    print_table(("topic", ">requests", ">records, about", ">bytes, about", ">seconds, about"), rows)
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
        (one["backtest_id"], one["state"], str(len(one["topics"])), f"{one['records']:,}", _time(one["created_at"]))
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
            _time(each["first_ts_event"]),
            _time(each["last_ts_event"]),
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


def _request(
    file: str | None,
    symbols: str | None,
    schema: str | None,
    interval: str | None,
    start: str | None,
    end: str | None,
    session: str | None,
    backtest_id: str | None,
) -> Any:
    """The body of a submission, from a file or from options."""
    if file is not None:
        if any((symbols, schema, interval, start, end, session, backtest_id)):
            raise typer.BadParameter("Give a file or options, not both.")
        return _read(file)
    if not symbols or not start:
        raise typer.BadParameter("Give a file, or --symbols and --start.")
    selection = {"asset": "stock", "symbols": symbols.split(","), "schema": schema or "ohlcv", "interval": interval}
    body = {"backtest_id": backtest_id, "start": start, "end": end or start, "session": session}
    return _given(body) | {"data": [_given(selection)]}


def _given(fields: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value is not None}


def _read(file: str) -> Any:
    import orjson

    try:
        text = sys.stdin.buffer.read() if file == "-" else Path(file).read_bytes()
        return orjson.loads(text)
    except (OSError, orjson.JSONDecodeError) as error:
        raise typer.BadParameter(f"{file}: {error}") from error


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
    return (task["topic"], task["state"], f"{task['records']:,}", about, _time(task["complete_until"]), told)


def _time(text: str | None) -> str:
    return datetime.fromisoformat(text).isoformat(" ", "milliseconds").removesuffix("+00:00") if text else ""
