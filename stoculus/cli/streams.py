"""`stoculus stream …`: start, look at and stop live streams at the coordinator."""

from typing import TYPE_CHECKING, Annotated

import typer

from stoculus.cli import completing, request
from stoculus.cli.output import Json, print_json, print_table
from stoculus.cli.selection import Contract, Dte, Expirations, File, Right, Root, Strikes, Symbols

if TYPE_CHECKING:
    from stoculus.cli.client import Coordinator

app = typer.Typer(no_args_is_help=True, help="Live streams: start, list, look at, stop.")

Id = Annotated[
    str,
    typer.Argument(metavar="ID", help="The stream's id.", show_default=False, autocompletion=completing.stream_ids),
]
Schema = Annotated[str | None, typer.Option(help="ohlcv (default), trade or quote.")]
Interval = Annotated[str | None, typer.Option(help="Of ohlcv: 1s, 1m (default), 5m, 1h …")]
Session = Annotated[str | None, typer.Option(help="always (default), regular or extended.")]
Warmup = Annotated[
    str | None,
    typer.Option(
        metavar="DAYS", help="History first: 2d is today and two trading days before. The topics must be new."
    ),
]
StreamId = Annotated[str | None, typer.Option("--id", help="Its id; the same request again is the same stream.")]
Watch = Annotated[bool, typer.Option("--watch", help="Show how it goes, until Ctrl-C. The stream goes on.")]


@app.command()
def start(
    file: File = None,
    symbols: Symbols = None,
    root: Root = None,
    expirations: Expirations = None,
    dte: Dte = None,
    strikes: Strikes = None,
    right: Right = None,
    contract: Contract = None,
    schema: Schema = None,
    interval: Interval = None,
    session: Session = None,
    warmup: Warmup = None,
    stream_id: StreamId = None,
    watch: Watch = False,
    as_json: Json = False,
) -> None:
    r"""Start a stream: a JSON file, or stocks, options or both with one schema.

    What the vendor sends from now on is written to live topics, one for each
    symbol or chain, until the stream is stopped. Streams that want the same
    share its topic. The same request with the same id is the same stream.

    Prints the id and the topics. With --json the stream as the coordinator
    describes it; with --watch too, a line at each change.

    Exit codes: 0 accepted, 1 refused (with --watch: it failed), 2 wrong usage,
    130 Ctrl-C: the stream goes on.

    Examples:
      stoculus stream start --symbols AAPL,MSFT --schema trade --id tape
      stoculus stream start --root SPXW --dte 0:1 --strikes 4700:4800 \
          --schema quote --session regular
      stoculus stream start --symbols AAPL --warmup 2d --json
    """
    # Strikes around the spot move while a stream runs: there is no --around-spot.
    chain = (root, expirations, dte, strikes, None, right, contract)
    selection = request.Selection(symbols, *chain, schema, interval)
    body = request.stream(file, selection, session, warmup, stream_id)
    client = _connect()
    answer = client.ask("POST", "", body)
    if watch:
        _follow(client, answer["stream_id"], as_json)
    elif as_json:
        print_json(answer)
    else:
        topics = [each["topic"] for each in answer["topics"]]
        typer.echo(f"Stream {answer['stream_id']} is {answer['state']}. Its topics:")
        typer.echo("\n".join(f"  {topic}" for topic in topics))
        typer.echo(f"See them: stoculus tape {' '.join(topics)}")


@app.command()
def stop(stream_id: Id, as_json: Json = False) -> None:
    """Stop a stream; its topics stay.

    Instruments that no other stream wants are unsubscribed. The id may be used
    again: the topics then go on where they ended.

    Prints the state: stopping, until the vendor is told.

    Exit codes: 0 done, 1 there is no such stream, 2 wrong usage.

    Examples:
      stoculus stream stop tape
    """
    answer = _connect().ask("DELETE", _path(stream_id))
    if as_json:
        print_json(answer)
    else:
        typer.echo(f"Stream {answer['stream_id']} is {answer['state']}. Its topics stay.")


@app.command("list")
def list_streams(as_json: Json = False) -> None:
    """List the streams.

    Prints for each its state, topics, subscriptions, the largest lag of its
    topics, and the gaps that are not healed.

    Exit codes: 0 done, 1 the coordinator does not answer, 2 wrong usage.

    Examples:
      stoculus stream list
      stoculus stream list --json
    """
    found = _connect().ask("GET", "")["streams"]
    if as_json:
        print_json(found)
        return
    from stoculus.cli import stream_views

    print_table(stream_views.STREAMS, [stream_views.stream_row(stream) for stream in found])


@app.command()
def show(stream_id: Id, watch: Watch = False, as_json: Json = False) -> None:
    """Show a stream and its topics.

    Prints for each topic its subscriptions, records, last event, up to which
    market time it is complete, lag, gaps and late records. With --watch it
    goes on until the stream is stopped, or until Ctrl-C.

    Exit codes: 0 done, 1 there is no such stream (with --watch: it failed),
    2 wrong usage, 130 Ctrl-C.

    Examples:
      stoculus stream show tape
      stoculus stream show tape --watch
      stoculus stream show tape --json
    """
    client = _connect()
    if watch:
        _follow(client, stream_id, as_json)
        return
    answer = client.ask("GET", _path(stream_id))
    if as_json:
        print_json(answer)
        return
    from stoculus.cli import stream_views

    rows = [stream_views.topic_row(topic) for topic in answer["topics"]]
    print_table(stream_views.TOPICS, rows, title=stream_views.title(answer))


def _connect() -> "Coordinator":
    from stoculus.cli.client import connect

    return connect("stream")


def _path(stream_id: str) -> str:
    from stoculus.cli.client import path_of

    return path_of(stream_id)


def _follow(client: "Coordinator", stream_id: str, as_json: bool) -> None:
    from rich.console import Console

    from stoculus.cli.stream_views import watch

    watch(client.snapshots(stream_id), Console(highlight=False), as_json=as_json)
