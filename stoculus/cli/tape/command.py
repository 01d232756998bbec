"""`stoculus tape`: what is written to topics, a line a record, as it comes."""

import sys
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Annotated, Final

import typer

from stoculus.cli import completing
from stoculus.cli.connections import reachable_kafka, settings
from stoculus.cli.consume import From, Limit
from stoculus.cli.output import JsonLines

if TYPE_CHECKING:
    from confluent_kafka import Message
    from rich.console import Console

    from stoculus.cli.tape.source import Event, Tape

Write = Callable[["list[Event]", int], None]
"""Prints records, before them that so many were skipped."""

MOST_LINES: Final = 500
"""What a terminal gets of a round at most: the next round holds what came while it was busy with this one."""


def tape(
    topics: Annotated[
        list[str],
        typer.Argument(
            metavar="TOPIC...",
            help="Live or historical ones.",
            show_default=False,
            autocompletion=completing.topics,
        ),
    ],
    last: Annotated[int | None, typer.Option(min=1, help="Begin with so many records that are there.")] = None,
    start_us: From = None,
    limit: Limit = None,
    latency: Annotated[bool, typer.Option("--latency", help="Say how long ago the vendor's message came in.")] = False,
    as_json: JsonLines = False,
) -> None:
    """Show what is written to topics, a line a record, as it comes.

    It starts at the end of the topics, or where --last or --from say, and goes
    on until Ctrl-C or --limit. No offsets are committed.

    Prints New York time, instrument, and what matters of the record. A terminal
    that is too slow is told how many lines it missed; files, pipes and --json
    get all. With --json times are UTC, and each object names topic, offset,
    origin (live, heal or warmup) and ingest_us.

    Exit codes: 0 --limit is reached, 1 there is no such topic or no broker,
    2 wrong usage, 130 Ctrl-C.

    Examples:
      stoculus tape stock-aapl-trade-live stock-aapl-ohlcv1m-live --latency
      stoculus tape option-spxw-quote-live --last 20 --limit 20
      stoculus tape stock-aapl-trade-live --json > trades.ndjson
    """
    from rich.console import Console

    from stoculus.cli.tape.source import Tape, events
    from stoculus.reading.decoding import Decoder

    if last is not None and start_us is not None:
        raise typer.BadParameter("--last and --from both say where to begin: use one of them.")
    where = settings()
    kafka, decoder = reachable_kafka(where.kafka), Decoder(where.registry)
    console = Console(highlight=False)
    write = _objects(latency) if as_json else _lines(console, latency)
    left = sys.maxsize if limit is None else limit
    with Tape(kafka, list(dict.fromkeys(topics)), last=last, start_us=start_us) as source:
        for messages, skipped in _rounds(source, hurry=console.is_terminal and not as_json):
            write(events(decoder, messages[:left]), skipped)
            left -= len(messages)
            if left <= 0:
                return


def _rounds(source: "Tape", *, hurry: bool) -> "Iterator[tuple[list[Message], int]]":
    """Messages to show, and how many before them are not, since a terminal would stay behind the market."""
    for messages in source.standing():
        yield messages, 0
    for messages in source.coming():
        skipped = max(len(messages) - MOST_LINES, 0) if hurry else 0
        if messages:
            yield messages[skipped:], skipped


def _lines(console: "Console", latency: bool) -> Write:
    from rich.text import Text

    from stoculus.cli.tape.lines import line

    def write(shown: "list[Event]", skipped: int) -> None:
        if skipped:
            console.print(Text(f"… {skipped:,} lines skipped: this terminal is too slow", "yellow"), soft_wrap=True)
        now_us = time.time_ns() // 1000 if latency else None
        lines = [line(event, now_us) for event in shown]
        if console.is_terminal:
            console.print(Text("\n").join(lines), soft_wrap=True)
        else:
            sys.stdout.write("".join(f"{each.plain}\n" for each in lines))
            sys.stdout.flush()

    return write


def _objects(latency: bool) -> Write:
    import orjson

    def write(shown: "list[Event]", _: int) -> None:
        now_us = time.time_ns() // 1000
        for event in shown:
            told = {"topic": event.topic, "offset": event.offset, "origin": event.origin, "ingest_us": event.ingest_us}
            if latency:
                told["age_us"] = None if event.ingest_us is None else now_us - event.ingest_us
            object_ = orjson.dumps(told | event.row, option=orjson.OPT_UTC_Z | orjson.OPT_APPEND_NEWLINE)
            sys.stdout.write(object_.decode())
        sys.stdout.flush()

    return write
